// Makes and finds elements. What others wrote is only ever set as textContent, or as an attribute that CSS shows.

export const $ = (id) => document.getElementById(id);

export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

// Gives an element the colour of a cosine.
export function paint(target, cosine) {
  target.style.backgroundColor = `rgba(var(--close), ${Math.max(0, cosine).toFixed(3)})`;
}

// Writes a cosine with two digits; what rounds to 0 has no sign.
export function digits(cosine) {
  return cosine.toFixed(2).replace("-0.00", "0.00");
}

export function say(target, message, { wrong = false } = {}) {
  target.classList.toggle("error", wrong);
  target.textContent = message;
}

// Fills a select with names, and keeps what was chosen; hides its field where there is nothing to choose.
export function offer(select, names, chosen) {
  select.replaceChildren(...names.map((name) => new Option(name, name, false, name === chosen)));
  select.closest(".field").hidden = names.length < 2;
}
