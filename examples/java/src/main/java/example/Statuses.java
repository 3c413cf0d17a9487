package example;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.RetryInfo;
import io.grpc.Deadline;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** What to do when a call fails; docs/status-codes.md says more. */
final class Statuses {
    static final int ATTEMPTS = 4;

    private Statuses() {}

    /** Makes a call again when the server is full and says when to come back, while the deadline allows. */
    static <T> T patiently(Deadline deadline, Supplier<T> call) throws InterruptedException {
        for (int attempt = 1; ; attempt++) {
            try {
                return call.get();
            } catch (StatusRuntimeException error) {
                long wait = retryAfterMillis(error).orElse(Long.MAX_VALUE);
                if (attempt == ATTEMPTS || wait > deadline.timeRemaining(TimeUnit.MILLISECONDS)) {
                    throw error;
                }
                Thread.sleep(wait);
            }
        }
    }

    /** When a retry is welcome. RESOURCE_EXHAUSTED without RetryInfo is a message over the limit. */
    static Optional<Long> retryAfterMillis(StatusRuntimeException error) {
        for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
            if (detail.is(RetryInfo.class)) {
                try {
                    Duration delay = detail.unpack(RetryInfo.class).getRetryDelay();
                    return Optional.of(delay.getSeconds() * 1000 + delay.getNanos() / 1_000_000 + 1);
                } catch (InvalidProtocolBufferException unreadable) {
                    return Optional.empty();
                }
            }
        }
        return Optional.empty();
    }

    /** Says what to do about an error. */
    static String explain(StatusRuntimeException error) {
        String advice = switch (error.getStatus().getCode()) {
            case INVALID_ARGUMENT -> "change the request; it fails however often it is sent";
            case NOT_FOUND -> "ask ListModels which models there are";
            case RESOURCE_EXHAUSTED -> "a smaller message where it is too large; else later";
            case UNAVAILABLE -> "nobody serves at the target; gRPC has tried several times";
            case DEADLINE_EXCEEDED -> "allow more time, or ask for less in one call";
            case UNIMPLEMENTED -> "the server is older than this program, or no Polyseme server";
            case INTERNAL -> "the server's log has the reason under the id";
            default -> "nothing that the server says by itself";
        };
        return "%s: %s (%s)".formatted(error.getStatus().getCode(), error.getStatus().getDescription(), advice);
    }
}
