package example;

import com.google.gson.Gson;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A channel to a Polyseme server: what is retried, how addresses are balanced, how large messages may be. */
final class Connection {
    /** What the server sends at most, unless it was told otherwise. */
    private static final int MAX_MESSAGE_BYTES = 16 << 20;

    /**
     * All calls but the stream are retried while the server starts, drains or cannot be reached: each of them can be
     * made twice without harm. A full queue (RESOURCE_EXHAUSTED) is left to {@link Statuses#patiently}.
     */
    private static final String SERVICE_CONFIG = """
            {
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
            }""";

    private Connection() {}

    /** Makes a channel; nothing is sent before the first call. One channel serves a whole program. */
    @SuppressWarnings("unchecked")
    static ManagedChannel to(String target) {
        // The server has no TLS; a proxy before it may.
        return Grpc.newChannelBuilder(target, InsecureChannelCredentials.create())
                .defaultServiceConfig(new Gson().fromJson(SERVICE_CONFIG, Map.class)) // numbers as Double
                .disableServiceConfigLookUp()
                .maxInboundMessageSize(MAX_MESSAGE_BYTES)
                .perRpcBufferLimit(MAX_MESSAGE_BYTES) // gRPC's 1 MiB: a larger request would not be retried
                .keepAliveTime(12, TimeUnit.SECONDS) // the server takes a ping every 10 s; a silent one is given up after 20 s
                .keepAliveTimeout(8, TimeUnit.SECONDS)
                .build();
    }
}
