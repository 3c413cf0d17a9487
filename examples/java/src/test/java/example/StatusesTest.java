package example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.google.rpc.Code;
import com.google.rpc.RetryInfo;
import io.grpc.Deadline;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class StatusesTest {
    private final AtomicInteger calls = new AtomicInteger();

    private static StatusRuntimeException full() {
        RetryInfo info = RetryInfo.newBuilder()
                .setRetryDelay(Duration.newBuilder().setNanos(1_500_000))
                .build();
        return StatusProto.toStatusRuntimeException(com.google.rpc.Status.newBuilder()
                .setCode(Code.RESOURCE_EXHAUSTED_VALUE)
                .addDetails(Any.pack(info))
                .build());
    }

    private static Deadline in(long seconds) {
        return Deadline.after(seconds, TimeUnit.SECONDS);
    }

    @Test
    void comesAgain() throws InterruptedException {
        String reply = Statuses.patiently(in(10), () -> {
            if (calls.incrementAndGet() < 3) {
                throw full();
            }
            return "vectors";
        });
        assertEquals("vectors", reply);
        assertEquals(3, calls.get());
    }

    @Test
    void givesUp() {
        givesUp(Status.INVALID_ARGUMENT.asRuntimeException(), in(10), 1);
        givesUp(Status.RESOURCE_EXHAUSTED.asRuntimeException(), in(10), 1);
        givesUp(full(), in(10), Statuses.ATTEMPTS);
        givesUp(full(), in(0), 1);
    }

    private void givesUp(StatusRuntimeException error, Deadline deadline, int expected) {
        calls.set(0);
        StatusRuntimeException thrown = assertThrows(
                StatusRuntimeException.class,
                () -> Statuses.patiently(deadline, () -> {
                    calls.incrementAndGet();
                    throw error;
                }));
        assertSame(error, thrown);
        assertEquals(expected, calls.get());
    }
}
