// The page of a Polyseme gateway. What others wrote is only ever set as textContent.

const $ = (id) => document.getElementById(id);
let data = null; // the answer of /page/words
let chosen = 0; // index of the word that is chosen
let shown = 0; // index of the word that is compared with: the one under the pointer, else the chosen one

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function paint(target, cosine) {
  target.style.backgroundColor = `rgba(var(--close), ${Math.max(0, cosine).toFixed(3)})`;
}

async function compare() {
  const sentences = $("sentences").value.split("\n").map((line) => line.trim()).filter(Boolean);
  const key = $("key").value;
  $("status").className = "";
  $("status").textContent = "Comparing …";
  let answer, body;
  try {
    answer = await fetch("page/words", {
      method: "POST",
      headers: { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) },
      body: JSON.stringify({ sentences }),
    });
    body = await answer.json();
  } catch {
    return fail("The gateway does not answer.");
  }
  if (!answer.ok) return fail(body.error.message);
  data = body;
  chosen = shown = Math.max(0, data.words.findIndex((word) => textOf(word) === "bank"));
  $("layer").max = data.layers.length - 1;
  $("layer").value = data.layers.length - 1;
  drawWords();
  drawMatrix();
  $("result").hidden = false;
  $("status").textContent = `${data.words.length} words, ${data.layers.length} layers, ${data.model}.`;
  colour();
}

function fail(message) {
  $("status").className = "error";
  $("status").textContent = message;
  $("result").hidden = true;
}

// Offsets count code points, as Python does.
function textOf(word) {
  return [...data.sentences[word.sentence]].slice(word.start, word.end).join("");
}

function drawWords() {
  const lines = data.sentences.map((sentence, index) => {
    const line = element("li");
    const characters = [...sentence];
    const words = data.words.map((word, number) => ({ ...word, number })).filter((word) => word.sentence === index);
    line.append(characters.slice(0, words[0]?.start).join(""));
    words.forEach((word, place) => {
      const after = characters.slice(word.end, words[place + 1]?.start).join("");
      const mark = after.match(/^\S*/)[0]; // stays on the line of its word
      const unit = element("span", "unit");
      unit.append(wordButton(word), mark);
      line.append(unit, after.slice(mark.length));
    });
    return line;
  });
  $("words").replaceChildren(...lines);
}

function wordButton(word) {
  const button = element("button", "word");
  button.type = "button";
  button.append(element("span", "", textOf(word)), element("span", "tokens", word.tokens.join(" ")));
  button.addEventListener("click", () => { chosen = shown = word.number; colour(); });
  button.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") { shown = word.number; colour(); } });
  button.addEventListener("pointerleave", () => { shown = chosen; colour(); });
  button.addEventListener("keydown", move);
  return button;
}

// Left and right go from word to word: one stop of the tab key for all.
function move(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const buttons = [...document.querySelectorAll(".word")];
  chosen = shown = (buttons.indexOf(event.currentTarget) + step + buttons.length) % buttons.length;
  colour();
  buttons[chosen].focus();
}

function colour() {
  if (!data.words.length) return;
  const layer = Number($("layer").value);
  const row = data.cosines[layer][shown];
  document.querySelectorAll(".word").forEach((button, index) => {
    const word = textOf(data.words[index]);
    paint(button, index === shown ? 0 : row[index]);
    button.setAttribute("aria-pressed", String(index === chosen));
    button.tabIndex = index === chosen ? 0 : -1;
    button.title = `${row[index].toFixed(2)} to “${textOf(data.words[shown])}”`;
    button.setAttribute("aria-label", `${word}, cosine ${row[index].toFixed(2)}`);
  });
  const last = data.layers.length - 1;
  $("layer-name").textContent = { 0: "static", 1: "0: embeddings", [last]: `${data.layers[last]}: last` }[layer] ?? data.layers[layer];
  $("layer").setAttribute("aria-valuetext", $("layer-name").textContent);
  const others = data.words.map((_, index) => index).filter((index) => index !== shown).sort((a, b) => row[b] - row[a]);
  const closest = others.slice(0, 3).map((index) => `${textOf(data.words[index])} (${data.words[index].sentence + 1}) ${row[index].toFixed(2)}`);
  $("chosen").textContent = `Closest to “${textOf(data.words[shown])}” (${data.words[shown].sentence + 1}): ${closest.join(", ")}`;
}

function drawMatrix() {
  const head = element("tr");
  head.append(element("th", "", ""), ...data.sentences.map((_, index) => scoped("col", String(index + 1))));
  const rows = data.sentences.map((sentence, index) => {
    const row = element("tr");
    row.append(scoped("row", `${index + 1}. ${sentence}`));
    data.sentence_cosines[index].forEach((cosine) => {
      const cell = element("td", "", cosine.toFixed(2));
      paint(cell, cosine);
      row.append(cell);
    });
    return row;
  });
  $("matrix").tHead.replaceChildren(head);
  $("matrix").tBodies[0].replaceChildren(...rows);
}

function scoped(scope, text) {
  const made = element("th", "", text);
  made.scope = scope;
  return made;
}

$("form").addEventListener("submit", (event) => { event.preventDefault(); compare(); });
$("layer").addEventListener("input", colour);
compare();
