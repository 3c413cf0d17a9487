// The page of a Polyseme gateway: what is asked, in which order, and what is said meanwhile.

import { UNAUTHORIZED, ask } from "./asking.js";
import { $, offer, say } from "./elements.js";
import { drawEntities, drawHeads } from "./entities.js";
import { onSelection, unselect } from "./selection.js";
import { drawSentences } from "./sentences.js";
import { compareWith, drawWords, onChoice } from "./words.js";

let data = null; // the answer of page/words
const running = {}; // what may be ended, by what it is for

// Runs what asks, and ends what was asked before for the same.
async function latest(purpose, work, fail) {
  running[purpose]?.abort();
  const mine = (running[purpose] = new AbortController());
  try {
    await work(mine.signal);
  } catch (error) {
    if (!mine.signal.aborted) fail(error);
  }
}

function compare() {
  const sentences = $("sentences").value.split("\n").filter((line) => line.trim());
  const model = $("model").value;
  say($("status"), "Comparing …");
  $("result").setAttribute("aria-busy", "true");
  return latest("sentences", async (signal) => {
    if (!sentences.length) throw new Error("Write a sentence first.");
    data = await ask("page/words", { sentences, ...(model && { model }) }, signal);
    offer($("model"), data.models, data.model);
    $("result").hidden = false;
    running.span?.abort(); // of the sentences before
    unselect();
    drawWords(data);
    drawSentences(data);
    drawHeads(data.heads);
    say($("status"), `${data.words.length} words, ${data.layers.length} layers, ${data.model}.${whatIsCut()}`);
    $("result").removeAttribute("aria-busy");
    if (data.heads.length) await findEntities();
  }, fail);
}

function whatIsCut() {
  const cut = data.truncated.map((index) => index + 1).join(", ");
  return cut && ` Too long: ${cut}. The model reads ${data.max_tokens} tokens of a sentence; words behind them have no vector.`;
}

function fail(error) {
  say($("status"), error.message, { wrong: true });
  $("result").removeAttribute("aria-busy");
  $("result").hidden = true;
  if (error.status === UNAUTHORIZED) {
    $("key").closest(".field").hidden = false;
    $("key").focus();
  }
}

function findEntities() {
  const head = data.heads.find(({ name }) => name === $("head").value);
  say($("entities-status"), "Looking …");
  $("found").replaceChildren();
  return latest("entities", async (signal) => {
    const { sentences, model } = data;
    const found = await ask("page/entities", { sentences, model, head: head.name }, signal);
    drawEntities(sentences, found.sentences, head);
  }, (error) => say($("entities-status"), error.message, { wrong: true }));
}

function compareSpan(span) {
  if (!span) return say($("chosen"), "Select within one sentence.");
  say($("chosen"), "Comparing …");
  return latest("span", async (signal) => {
    const { sentences, model } = data;
    const compared = await ask("page/spans", { sentences, model, ...span }, signal);
    compareWith(compared);
  }, (error) => say($("chosen"), error.message, { wrong: true }));
}

$("form").addEventListener("submit", (event) => { event.preventDefault(); compare(); });
$("model").addEventListener("change", compare);
$("head").addEventListener("change", findEntities);
onSelection(compareSpan);
onChoice(() => { running.span?.abort(); unselect(); });
compare();
