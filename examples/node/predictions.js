// What the heads of a model predict: entities in texts, their classes, answers from them, their order by a query.
import { call } from './call.js';
import { connect } from './connect.js';
import { decode } from './tensor.js';

const QUESTION = 'Where did we sit?'; // what answers() asks of each text
const QUERY = 'by the water'; // what ranking() sorts the texts by

/** Ask a model for one kind of prediction of the texts. */
export async function predict(target, kind, model, texts) {
  const service = connect(target, 'PredictionService');
  const models = connect(target, 'ModelService');
  const ask = (method, request) => call(service, method, { model: { name: model }, ...request });
  try {
    return await KINDS[kind].ask(ask, texts, (reply) => headOf(models, reply));
  } finally {
    service.close();
    models.close();
  }
}

/** Offsets are UTF-16 code units, as JavaScript counts them in strings. */
const offsetUnit = 'OFFSET_UNIT_UTF16_CODE_UNIT';

/** Give the entities of each text. */
async function entities(ask, texts, head) {
  const reply = await ask('tagTokens', { texts, offsetUnit });
  const { groups } = await head(reply);
  return reply.texts.map((tagged, i) => {
    const [scores] = decode(tagged.scores);
    return tagged.entities.map((one, k) => ({ ...spanOf(texts[i], one), group: groups[one.group], score: scores[k] }));
  });
}

/** Give the best label of each text. */
async function classes(ask, texts, head) {
  const reply = await ask('classify', { texts });
  const { labels } = await head(reply);
  return decode(reply.scores).map((scores) => {
    const score = Math.max(...scores);
    return { label: labels[scores.indexOf(score)], score };
  });
}

/** Give the best answer of each text to the question. */
async function answers(ask, texts) {
  const questions = texts.map((context) => ({ question: QUESTION, context }));
  const reply = await ask('answer', { questions, offsetUnit });
  return reply.questions.map(({ answers: [best], scores }, i) => {
    const [[score]] = decode(scores);
    return { ...spanOf(texts[i], best), score };
  });
}

/** Give the texts in the order of how well they fit the query, the best first. */
async function ranking(ask, texts) {
  const { indices, scores } = await ask('rerank', { query: QUERY, texts });
  const [row] = decode(scores);
  return indices.map((index, place) => ({ index, score: row[place] }));
}

/** Describe the head that answered: replies have labels and kinds as places in its lists. */
async function headOf(models, { model: { name, version }, head }) {
  const { model } = await call(models, 'getModel', { model: { name, version } });
  return model.heads.find((one) => one.name === head);
}

/** Check that the offsets of a span mean here what they mean at the server. */
function spanOf(text, { span: { start, end }, text: found }) {
  const slice = text.slice(start, end);
  if (slice !== found) throw new Error(`${start} to ${end} is ${slice} here and ${found} at the server`);
  return { text: found, start, end };
}

const within = ({ text, start, end, score }) => `${text} at ${start} to ${end}: ${score.toFixed(4)}`;

/** How each kind is asked for, and how it is printed. */
export const KINDS = {
  entities: { ask: entities, lines: (found, i) => found.map((one) => `text ${i}: ${one.group} ${within(one)}`) },
  classes: { ask: classes, lines: ({ label, score }, i) => [`text ${i}: ${label}: ${score.toFixed(4)}`] },
  answers: { ask: answers, lines: (found, i) => [`text ${i}: ${within(found)}`] },
  ranking: {
    ask: ranking,
    lines: ({ index, score }, place) => [`place ${place + 1}: text ${index}: ${score.toFixed(4)}`],
  },
};
