// What to do when a call fails; docs/status-codes.md says more.
import { setTimeout } from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs';

// What google.rpc puts into the trailer grpc-status-details-bin, as far as it is read here.
const { root } = protobuf.parse(`
  syntax = "proto3";
  package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message RetryInfo { Duration retry_delay = 1; }
`);
const Status = root.lookupType('google.rpc.Status');
const RetryInfo = root.lookupType('google.rpc.RetryInfo');
const ATTEMPTS = 4;

const ADVICE = {
  INVALID_ARGUMENT: 'change the request; it fails however often it is sent',
  NOT_FOUND: 'ask ListModels which models there are',
  RESOURCE_EXHAUSTED: 'a smaller message where it is too large; else later',
  UNAVAILABLE: 'nobody serves at the target; gRPC has tried several times',
  DEADLINE_EXCEEDED: 'allow more time, or ask for less in one call',
  UNIMPLEMENTED: 'the server is older than this program, or no Polyseme server',
  INTERNAL: "the server's log has the reason under the id",
};

/** Make a call again when the server is full and says when to come back, while the deadline (ms since 1970) allows. */
export async function patiently(deadline, call) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const wait = retryAfter(error);
      if (wait === undefined || attempt === ATTEMPTS || Date.now() + wait > deadline) throw error;
      await setTimeout(wait);
    }
  }
}

/** Milliseconds until a retry is welcome; RESOURCE_EXHAUSTED without RetryInfo is a message over the limit. */
export function retryAfter(error) {
  const [details] = error.metadata?.get('grpc-status-details-bin') ?? [];
  if (!details) return undefined;
  const packed = Status.decode(details).details.find((detail) => detail.typeUrl.endsWith('/google.rpc.RetryInfo'));
  if (!packed) return undefined;
  const { retryDelay } = RetryInfo.decode(packed.value);
  return Number(retryDelay.seconds) * 1000 + retryDelay.nanos / 1e6;
}

/** Say what to do about an error of gRPC. */
export function explain(error) {
  const code = grpc.status[error.code];
  return `${code}: ${error.details} (${ADVICE[code] ?? 'nothing that the server says by itself'})`;
}
