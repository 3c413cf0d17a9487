// Asks the gateway that the page came from.

import { $ } from "./elements.js";

export const UNAUTHORIZED = 401;

export class Refused extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

// Gives the answer; throws Refused, or an AbortError where the signal ended it.
export async function ask(path, body, signal) {
  const key = $("key").value;
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) },
      body: JSON.stringify(body),
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Refused("The gateway does not answer. Try again once it runs.");
  }
  const content = await answer.json().catch(() => ({}));
  signal.throwIfAborted();
  if (answer.status === UNAUTHORIZED) throw new Refused(key ? "The server refuses this key." : "The server asks for a key.", answer.status);
  if (!answer.ok) throw new Refused(readable(content.error?.message ?? `the gateway answered ${answer.status}`), answer.status);
  return content;
}

// Makes a message about fields one about sentences, which the page numbers from 1.
function readable(message) {
  const named = message.replace(/\b(?:sentences|input)\[(\d+)\]/g, (_, index) => `sentence ${Number(index) + 1}`);
  return `${named[0].toUpperCase()}${named.slice(1)}.`;
}
