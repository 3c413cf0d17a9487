// The words, coloured by how close they are to one of them, or to a span, in the layer that the slider says.

import { $, digits, element, paint, say } from "./elements.js";

const NEAREST = 3;
let data; // the answer of page/words
let chosen; // what words are compared with: a Word, or the Span of page/spans
let hovered; // the word under the pointer, or null
let buttons = [];
let stop = 0; // of the tab key: the number of the word that was chosen last

export function drawWords(answer) {
  data = answer;
  data.words.forEach((word, number) => {
    word.number = number;
    word.text = textOf(word);
  });
  hovered = null;
  buttons = data.words.map(wordButton);
  $("words").replaceChildren(...data.sentences.map(sentenceLine));
  const last = data.layers.length - 1;
  if (Number($("layer").max) !== last) {
    $("layer").max = last;
    $("layer").value = last;
  }
  chosen = data.words.find((word) => word.text === "bank") ?? data.words[0]; // of the sentences that the page begins with
  stop = chosen?.number ?? 0;
  colour();
}

// Compares the words with a span, until a word is chosen.
export function compareWith(span) {
  chosen = { ...span, text: textOf(span) };
  hovered = null; // where the pointer happens to rest
  colour();
}

// Calls back when a word is chosen, in place of a span or of another word.
export function onChoice(callback) {
  $("words").addEventListener("choice", callback);
}

function choose(word) {
  $("words").dispatchEvent(new Event("choice"));
  chosen = word;
  hovered = null;
  stop = word.number;
  colour();
  buttons[stop].focus();
}

// Offsets count UTF-16 code units, as JavaScript does.
function textOf({ sentence, start, end }) {
  return data.sentences[sentence].slice(start, end);
}

function sentenceLine(sentence, index) {
  const line = element("li");
  const text = element("span", "text");
  text.dir = "auto";
  const words = data.words.filter((word) => word.sentence === index);
  text.append(sentence.slice(0, words[0]?.start));
  words.forEach((word, place) => {
    const after = sentence.slice(word.end, words[place + 1]?.start);
    const mark = after.match(/^\S{0,3}(?!\S)/)?.[0] ?? ""; // stays on the line of its word
    const unit = element("span", "unit");
    unit.append(buttons[word.number], mark);
    text.append(unit, after.slice(mark.length));
  });
  line.append(text, " ", element("span", "closeness"));
  return line;
}

// A button in all but its element: the text of a button cannot be selected.
function wordButton(word) {
  const button = element("span", "word", word.text);
  button.setAttribute("role", "button");
  button.dataset.tokens = word.tokens.join(" ");
  button.addEventListener("click", () => getSelection().isCollapsed && choose(word));
  button.addEventListener("pointerdown", () => button.removeAttribute("tabindex")); // else Chromium selects no text from here on
  button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && !event.buttons && hover(word));
  button.addEventListener("pointerleave", () => hovered && hover(null));
  return button;
}

function hover(word) {
  hovered = word;
  colour();
}

// Left and right go from word to word: one stop of the tab key for all. With Shift they are of the selection.
$("words").addEventListener("keydown", (event) => {
  const at = buttons.indexOf(event.target);
  if (at < 0 || event.shiftKey) return;
  const step = { ArrowLeft: -1, ArrowRight: 1, Enter: 0, " ": 0, Escape: 0 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  choose(data.words[(at + step + buttons.length) % buttons.length]);
});

document.addEventListener("pointerup", keepStop);
$("words").addEventListener("pointercancel", keepStop);

$("layer").addEventListener("input", colour);

function colour() {
  const last = data.layers.length - 1;
  const layer = Number($("layer").value);
  const special = { 0: "static", 1: "0: embeddings", [last]: `${data.layers[last]}: last` };
  $("layer-name").textContent = special[layer] ?? data.layers[layer];
  $("layer").setAttribute("aria-valuetext", $("layer-name").textContent);
  const shown = hovered ?? chosen;
  if (!shown) return say($("chosen"), "There are no words in this text.");
  const isSpan = shown.number === undefined;
  const cosines = isSpan ? shown.words[layer] : data.cosines[layer][shown.number];
  buttons.forEach((button, number) => {
    const cosine = digits(cosines[number]);
    paint(button, number === shown.number ? 0 : cosines[number]);
    button.setAttribute("aria-pressed", String(number === chosen.number));
    button.setAttribute("aria-label", `${data.words[number].text}, cosine ${cosine}`);
    button.title = `${cosine} to “${shown.text}”`;
  });
  keepStop();
  colourSentences(isSpan ? shown.sentences[layer] : []);
  say($("chosen"), summary(shown, cosines, isSpan ? shown.sentences[layer] : []));
}

function keepStop() {
  buttons.forEach((button, number) => {
    if (number === stop) button.tabIndex = 0;
    else button.removeAttribute("tabindex");
  });
}

function colourSentences(cosines) {
  document.querySelectorAll("#words .closeness").forEach((place, index) => {
    const cosine = cosines[index] ?? null;
    place.textContent = cosine === null ? "" : digits(cosine);
    paint(place, cosine ?? 0);
  });
}

function summary(shown, cosines, sentences) {
  const others = data.words.filter((word) => word.number !== shown.number);
  others.sort((one, other) => cosines[other.number] - cosines[one.number]);
  const nearest = others.slice(0, NEAREST).map((word) => `${word.text} (${word.sentence + 1}) ${digits(cosines[word.number])}`);
  const whole = sentences.map((cosine, index) => cosine !== null && `${index + 1}: ${digits(cosine)}`).filter(Boolean);
  const tokens = shown.tokens.length === 1 ? "1 token" : `${shown.tokens.length} tokens`;
  return [
    `Closest to “${shown.text}” (sentence ${shown.sentence + 1}, ${tokens}): ${nearest.join(", ") || "no other word"}.`,
    ...(whole.length ? [`To whole sentences ${whole.join(", ")}.`] : []),
  ].join("\n");
}
