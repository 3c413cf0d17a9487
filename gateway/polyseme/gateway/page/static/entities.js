// The entities that a head of the model finds, marked in the sentences, each with its kind and score in words.

import { $, element, offer, say } from "./elements.js";

const COLOURS = 6;

// Shows the section where the model has such a head, and offers the heads.
export function drawHeads(heads) {
  $("entities").hidden = !heads.length;
  offer($("head"), heads.map((head) => head.name), $("head").value);
}

export function drawEntities(sentences, found, { name, groups }) {
  const lines = sentences.map((sentence, index) => {
    const line = element("li");
    const text = element("span");
    text.dir = "auto";
    let at = 0;
    found[index].entities.forEach((entity) => {
      const start = Math.max(at, entity.start); // tokens of one character overlap
      text.append(sentence.slice(at, start), marked(sentence.slice(start, entity.end), entity, groups));
      at = Math.max(at, entity.end);
    });
    text.append(sentence.slice(at));
    line.append(text);
    return line;
  });
  $("found").replaceChildren(...lines);
  const count = found.reduce((sum, { entities }) => sum + entities.length, 0);
  const windows = found.map((text, index) => [index + 1, text.windows]).filter(([, several]) => several > 1);
  say($("entities-status"), [
    count ? `${count} found by the head “${name}”. A number is a score, from 0 to 1.` : `The head “${name}” finds none here.`,
    ...windows.map(([number, several]) => `Sentence ${number} is long: it was read in ${several} windows.`),
  ].join(" "));
}

function marked(text, entity, groups) {
  const mark = element("mark", "", text);
  mark.dataset.colour = groups.indexOf(entity.group) % COLOURS;
  mark.append(" ", element("span", "kind", `${entity.group} ${entity.score.toFixed(2)}`));
  return mark;
}
