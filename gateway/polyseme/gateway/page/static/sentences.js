// The similarity of whole sentences.

import { $, digits, element, paint } from "./elements.js";

export function drawSentences({ sentences, sentence_cosines }) {
  const head = element("tr");
  head.append(element("td"), ...sentences.map((_, index) => scoped("col", String(index + 1))));
  const rows = sentences.map((sentence, index) => {
    const row = element("tr");
    const name = scoped("row", `${index + 1}. `);
    const text = element("bdi", "", sentence);
    name.append(text);
    row.append(name);
    sentence_cosines[index].forEach((cosine) => {
      const cell = element("td", "", digits(cosine));
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
