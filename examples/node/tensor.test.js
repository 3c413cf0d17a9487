import assert from 'node:assert/strict';
import test from 'node:test';
import { decode, fromHalf } from './tensor.js';

const tensor = (type, shape, data, scales = []) => ({
  dtype: `DATA_TYPE_${type}`,
  shape,
  data: Buffer.from(data),
  scales: Buffer.from(scales),
});
const rows = (decoded) => decoded.map((row) => [...row]);

test('decode', () => {
  assert.deepEqual(rows(decode(tensor('FLOAT32', [1, 2], [0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0]))), [[1, -2.5]]);
  assert.deepEqual(rows(decode(tensor('FLOAT16', [2, 1], [0x00, 0x3c, 0x00, 0xc1]))), [[1], [-2.5]]);
  assert.deepEqual(rows(decode(tensor('BFLOAT16', [2], [0x80, 0x3f, 0x20, 0xc0]))), [[1, -2.5]]);
  assert.deepEqual(rows(decode(tensor('INT8', [2, 2], [127, 0x81, 4, 0xff], [0, 0, 0, 0x3f, 0, 0, 0, 0x40]))), [
    [63.5, -63.5],
    [8, -2],
  ]);
  assert.deepEqual(decode(tensor('FLOAT32', [0, 384], [])), []);
});

test('decode refuses', () => {
  assert.throws(() => decode(tensor('FLOAT32', [2], Array(7))), /7 bytes; 8 expected/);
  assert.throws(() => decode(tensor('INT8', [1, 2], Array(2))), /0 bytes of scales; 4 expected/);
  assert.throws(() => decode(tensor('FLOAT32', [], [])), /without a shape/);
  assert.throws(() => decode(tensor('BINARY', [8], [1])), /dtype DATA_TYPE_BINARY/);
});

test('fromHalf', () => {
  const values = {
    0x0000: 0,
    0x8000: -0,
    0x0001: 2 ** -24, // the smallest
    0x83ff: -1023 * 2 ** -24, // the largest subnormal, negative
    0x0400: 2 ** -14, // the smallest normal
    0x3555: 1365 / 4096, // about 1/3
    0x7bff: 65504, // the largest
    0x7c00: Infinity,
    0xfc00: -Infinity,
    0x7e00: NaN,
  };
  for (const [half, value] of Object.entries(values)) assert.equal(fromHalf(Number(half)), value, half);
});
