// A channel to a Polyseme server: what is retried, how addresses are balanced, how large messages may be.
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const PROTO = fileURLToPath(new URL('../../proto', import.meta.url));
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024; // what the server sends at most, unless it was told otherwise

// All calls but the stream are retried while the server starts, drains or cannot be reached: each of them can be made
// twice without harm. A full queue (RESOURCE_EXHAUSTED) is left to patiently() in status.js.
const SERVICE_CONFIG = {
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [
    {
      name: [{}],
      retryPolicy: {
        maxAttempts: 5,
        initialBackoff: '0.1s',
        maxBackoff: '0.5s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
    { name: [{ service: 'polyseme.v1.EmbeddingService', method: 'StreamEmbed' }] },
  ],
};

const SERVICES = ['embedding', 'model', 'prediction'].map((name) => `polyseme/v1/${name}_service.proto`);

const definition = protoLoader.loadSync(SERVICES, {
  includeDirs: [PROTO],
  longs: Number,
  enums: String,
  defaults: true,
});

/** Make a client of a service; nothing is sent before the first call. One client serves a whole program. */
export function connect(target, service = 'EmbeddingService') {
  const Service = grpc.loadPackageDefinition(definition).polyseme.v1[service];
  // The server has no TLS; a proxy before it may.
  return new Service(target, grpc.credentials.createInsecure(), {
    'grpc.service_config': JSON.stringify(SERVICE_CONFIG),
    'grpc.service_config_disable_resolution': 1,
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.per_rpc_retry_buffer_size': MAX_MESSAGE_BYTES, // gRPC's 1 MiB: a larger request would not be retried
    'grpc.keepalive_time_ms': 12_000, // the server takes a ping every 10 s; a server that is silent is given up after 20 s
    'grpc.keepalive_timeout_ms': 8_000,
  });
}
