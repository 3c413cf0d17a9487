// A part of one sentence that the reader selects, by pointer or by keys.

import { $ } from "./elements.js";

const SETTLED_MS = 200; // a selection that is still changed is not asked about

// A pointer begins a new selection: else a click on what is selected would choose no word.
$("words").addEventListener("pointerdown", (event) => {
  if (event.button === 0 && !event.shiftKey) getSelection().removeAllRanges();
});

// Calls back with { sentence, start, end } in UTF-16 code units, or with null where several sentences are selected.
export function onSelection(callback) {
  let timer;
  document.addEventListener("selectionchange", () => {
    clearTimeout(timer);
    const parts = selectedParts();
    if (!parts.length) return;
    const span = parts.length === 1 ? parts[0] : null;
    mark(span);
    timer = setTimeout(callback, SETTLED_MS, span);
  });
}

function selectedParts() {
  const selection = getSelection();
  if (selection.isCollapsed || !selection.rangeCount) return [];
  const range = selection.getRangeAt(0);
  return [...document.querySelectorAll("#words .text")]
    .map((text, sentence) => ({ sentence, ...offsets(text, range) }))
    .filter(({ start, end }) => start < end);
}

// Gives the offsets of the part of an element's text that lies in a range, without the white space around it.
function offsets(text, range) {
  if (!range.intersectsNode(text)) return { start: 0, end: 0 };
  const part = range.cloneRange();
  if (!text.contains(part.startContainer)) part.setStart(text, 0);
  if (!text.contains(part.endContainer)) part.setEnd(text, text.childNodes.length);
  const selected = part.toString();
  const start = offsetOf(text, part.startContainer, part.startOffset) + selected.length - selected.trimStart().length;
  return { start, end: start + selected.trim().length };
}

function offsetOf(text, node, offset) {
  const before = document.createRange();
  before.selectNodeContents(text);
  before.setEnd(node, offset);
  return before.toString().length;
}

export function unselect() {
  getSelection().removeAllRanges();
  mark(null);
}

// Marks a span where it stands, also once the selection is gone.
function mark(span) {
  if (!CSS.highlights) return;
  CSS.highlights.delete("span");
  if (!span) return;
  const text = document.querySelectorAll("#words .text")[span.sentence];
  const range = document.createRange();
  range.setStart(...pointAt(text, span.start));
  range.setEnd(...pointAt(text, span.end));
  CSS.highlights.set("span", new Highlight(range));
}

function pointAt(text, offset) {
  const nodes = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  let left = offset;
  while (nodes.nextNode()) {
    if (left <= nodes.currentNode.length) return [nodes.currentNode, left];
    left -= nodes.currentNode.length;
  }
  return [text, text.childNodes.length];
}

// Shift with left and right selects: the word that has the focus, then on by words; with Ctrl or Alt by characters.
$("words").addEventListener("keydown", (event) => {
  const forward = { ArrowLeft: false, ArrowRight: true }[event.key];
  const word = event.target.closest(".word");
  if (forward === undefined || !event.shiftKey || !word) return;
  event.preventDefault();
  const selection = getSelection();
  const text = word.closest(".text");
  if (selection.isCollapsed || !text.contains(selection.anchorNode) || !text.contains(selection.focusNode)) {
    const [start, end] = bounds(text, word);
    select(text, ...(forward ? [start, end] : [end, start]));
  } else if (event.ctrlKey || event.altKey) {
    extendByCharacter(text, selection, forward);
  } else {
    extendByWord(text, selection, forward);
  }
});

function select(text, anchor, focus) {
  getSelection().setBaseAndExtent(...pointAt(text, anchor), ...pointAt(text, focus));
}

function bounds(text, word) {
  const start = offsetOf(text, word, 0);
  return [start, start + word.textContent.length];
}

function extendByWord(text, selection, forward) {
  const anchor = offsetOf(text, selection.anchorNode, selection.anchorOffset);
  const focus = offsetOf(text, selection.focusNode, selection.focusOffset);
  const words = [...text.querySelectorAll(".word")].map((word) => bounds(text, word));
  const next = forward
    ? words.find(([, end]) => end > focus)?.[1] ?? text.textContent.length
    : words.findLast(([start]) => start < focus)?.[0] ?? 0;
  select(text, anchor, next);
}

function extendByCharacter(text, selection, forward) {
  const { focusNode, focusOffset } = selection;
  selection.modify("extend", forward ? "forward" : "backward", "character"); // an emoji of several code points is one
  if (!text.contains(selection.focusNode)) selection.extend(focusNode, focusOffset); // the sentence ends here
}
