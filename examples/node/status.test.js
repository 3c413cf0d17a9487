import assert from 'node:assert/strict';
import test from 'node:test';
import grpc from '@grpc/grpc-js';
import { patiently, retryAfter } from './status.js';

const failed = (code, trailers = {}) => {
  const metadata = new grpc.Metadata();
  for (const [key, value] of Object.entries(trailers)) metadata.set(key, value);
  return Object.assign(new Error('failed'), { code, metadata });
};
// google.rpc.Status: RESOURCE_EXHAUSTED "full", details [RetryInfo of 0 s and 1,500,000 ns]
const DETAILS = Buffer.concat([
  Buffer.from('0808120466756c6c1a', 'hex'),
  Buffer.from([50]),
  Buffer.from([0x0a, 40]),
  Buffer.from('type.googleapis.com/google.rpc.RetryInfo'),
  Buffer.from('12060a0410e0c65b', 'hex'),
]);
const full = () => failed(grpc.status.RESOURCE_EXHAUSTED, { 'grpc-status-details-bin': DETAILS });

test('retryAfter reads RetryInfo', () => {
  assert.equal(retryAfter(full()), 1.5);
  assert.equal(retryAfter(failed(grpc.status.RESOURCE_EXHAUSTED)), undefined);
});

test('patiently comes again', async () => {
  let calls = 0;
  const reply = await patiently(Date.now() + 10_000, async () => {
    if (++calls < 3) throw full();
    return 'vectors';
  });
  assert.deepEqual([reply, calls], ['vectors', 3]);
});

for (const [name, error, deadline, expected] of [
  ['on bad input', failed(grpc.status.INVALID_ARGUMENT), Infinity, 1],
  ['when full for good', full(), Infinity, 4],
  ['at the deadline', full(), 0, 1],
]) {
  test(`patiently gives up ${name}`, async () => {
    let calls = 0;
    await assert.rejects(patiently(deadline, async () => { calls++; throw error; }), error);
    assert.equal(calls, expected);
  });
}
