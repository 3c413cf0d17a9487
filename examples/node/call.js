// A call within its deadline.
import { promisify } from 'node:util';
import { patiently } from './status.js';

const TIMEOUT_MS = 10_000;

/** Make a call within its deadline, however often it is tried. */
export function call(client, method, request) {
  const deadline = Date.now() + TIMEOUT_MS;
  const once = promisify(client[method].bind(client));
  return patiently(deadline, () => once(request, { deadline }));
}
