// The entities of texts, found by a head of a model.
import { call } from './call.js';
import { connect } from './connect.js';
import { decode } from './tensor.js';

/** Give the entities of each text. Offsets are UTF-16 code units, as JavaScript counts them in strings. */
export async function entities(target, model, texts) {
  const predictions = connect(target, 'PredictionService');
  const models = connect(target, 'ModelService');
  try {
    const reply = await call(predictions, 'tagTokens', {
      texts,
      model: { name: model },
      offsetUnit: 'OFFSET_UNIT_UTF16_CODE_UNIT',
    });
    const groups = await groupsOf(models, reply.model, reply.head);
    return reply.texts.map((tagged, i) => read(texts[i], tagged, groups));
  } finally {
    predictions.close();
    models.close();
  }
}

/** Give the names of a head's kinds of entities; a reply has their places in this list. */
async function groupsOf(models, { name, version }, head) {
  const { model } = await call(models, 'getModel', { model: { name, version } });
  return model.heads.find((one) => one.name === head).groups;
}

function read(text, { entities, scores }, groups) {
  const [row] = decode(scores);
  return entities.map(({ span: { start, end }, text: found, group }, i) => {
    const slice = text.slice(start, end);
    if (slice !== found) throw new Error(`${start} to ${end} is ${slice} here and ${found} at the server`);
    return { text: found, start, end, group: groups[group], score: row[i] };
  });
}
