package main

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // turns healthCheckConfig on
	"google.golang.org/grpc/keepalive"
)

const maxMessageBytes = 16 << 20 // what the server sends at most, unless it was told otherwise

// All calls but the stream are retried while the server starts, drains or cannot be reached: each of them can be made
// twice without harm. A full queue (RESOURCE_EXHAUSTED) is left to patiently in status.go.
const serviceConfig = `{
  "loadBalancingConfig": [{"round_robin": {}}],
  "healthCheckConfig": {"serviceName": "polyseme.v1.EmbeddingService"},
  "methodConfig": [
    {
      "name": [{}],
      "retryPolicy": {
        "maxAttempts": 5,
        "initialBackoff": "0.1s",
        "maxBackoff": "0.5s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"]
      }
    },
    {"name": [{"service": "polyseme.v1.EmbeddingService", "method": "StreamEmbed"}]}
  ]
}`

// connect makes a channel; nothing is sent before the first call. One channel serves a whole program.
func connect(target string) (*grpc.ClientConn, error) {
	return grpc.NewClient(target,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // the server has no TLS; a proxy before it may
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(maxMessageBytes),
			grpc.MaxCallSendMsgSize(maxMessageBytes),
			grpc.MaxRetryRPCBufferSize(maxMessageBytes), // gRPC's 256 KiB: a larger request would not be retried
		),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time:    12 * time.Second, // the server takes a ping every 10 s; a server that is silent is given up after 20 s
			Timeout: 8 * time.Second,
		}),
	)
}
