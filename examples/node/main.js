// Ask a Polyseme server for the vectors of texts, and of words in them; or for what heads predict.
import { parseArgs } from 'node:util';
import { call } from './call.js';
import { connect } from './connect.js';
import { KINDS, predict } from './predictions.js';
import { explain } from './status.js';
import { decode } from './tensor.js';

const SUBJECTS = [
  { text: 'We sat on the bank of the river.', word: 'bank' },
  { text: 'The family 👨‍👩‍👧‍👦 sat on the bank 🏞️ of the river.', word: 'bank' },
  { text: 'Un caf\u00e9 au lait.', word: 'caf\u00e9' }, // NFC: é is one code point
  { text: 'Deux cafe\u0301s, un cafe\u0301.', word: 'cafe\u0301s' }, // NFD: e and an accent
  { text: '我们坐在河岸上,看着银行。', word: '河岸' },
  { text: '\u05d9\u05e9\u05d1\u05e0\u05d5 על גדת הנהר.', word: 'גדת' }, // right to left, stored left to right
];

/** Give one vector for each text, all in one call. */
async function embed(client, texts, dtype) {
  const reply = await call(client, 'embed', { texts, dtype });
  return decode(reply.embeddings);
}

/** Give the vector of a word in its sentence. Offsets are UTF-16 code units, as JavaScript counts them in strings. */
async function embedWord(client, { text, word }, dtype) {
  const start = text.indexOf(word);
  const reply = await call(client, 'embedSpans', {
    inputs: [{ text, spans: [{ start, end: start + word.length }] }],
    offsetUnit: 'OFFSET_UNIT_UTF16_CODE_UNIT',
    dtype,
  });
  const { spans: [embedded], vectors } = reply.texts[0];
  const slice = text.slice(embedded.span.start, embedded.span.end);
  if (slice !== embedded.text) {
    throw new Error(`${JSON.stringify(embedded.span)} is ${slice} here and ${embedded.text} at the server`);
  }
  return { text: embedded.text, ...embedded.span, vector: decode(vectors)[0] };
}

function print(embeddings, words) {
  const start = (vector) => `[${vector.length}] ${[...vector.subarray(0, 3)].map((x) => x.toFixed(4)).join(' ')} ...`;
  embeddings.forEach((vector, i) => {
    const word = words[i];
    console.log(`text ${i}: ${start(vector)}   ${word.text} at ${word.start} to ${word.end}: ${start(word.vector)}`);
  });
}

/** Print vectors as base64 of little-endian float32, which loses nothing. */
function printJson(embeddings, words) {
  const exact = (vector) => {
    const data = Buffer.alloc(4 * vector.length);
    vector.forEach((element, i) => data.writeFloatLE(element, 4 * i));
    return data.toString('base64');
  };
  console.log(JSON.stringify({
    embeddings: embeddings.map(exact),
    words: words.map((word) => ({ ...word, vector: exact(word.vector) })),
  }));
}

const { values: options } = parseArgs({
  options: {
    target: { type: 'string', default: 'localhost:50051' },
    json: { type: 'boolean', default: false },
    dtype: { type: 'string', default: 'float32' }, // how vectors travel: float32, float16, bfloat16 or int8
    ...Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, { type: 'string' }])), // by this model's head
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(
    'Usage: node main.js [--target HOST:PORT] [--dtype float32|float16|bfloat16|int8] [--json]\n' +
      '  [--entities MODEL | --classes MODEL | --answers MODEL | --ranking MODEL]',
  );
  process.exit();
}
const client = connect(options.target);
const dtype = `DATA_TYPE_${options.dtype.toUpperCase()}`;
const texts = SUBJECTS.map(({ text }) => text);
const kind = Object.keys(KINDS).find((name) => options[name]);
try {
  if (kind) {
    const found = await predict(options.target, kind, options[kind], texts);
    if (options.json) console.log(JSON.stringify({ [kind]: found }));
    else console.log(found.flatMap(KINDS[kind].lines).join('\n'));
  } else {
    const embeddings = await embed(client, texts, dtype);
    const words = [];
    for (const subject of SUBJECTS) words.push(await embedWord(client, subject, dtype));
    (options.json ? printJson : print)(embeddings, words);
  }
} catch (error) {
  if (typeof error.code !== 'number') throw error; // no status of gRPC
  console.error(explain(error));
  process.exitCode = 1;
} finally {
  client.close();
}
