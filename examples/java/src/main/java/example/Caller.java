package example;

import io.grpc.Deadline;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import polyseme.v1.Common.OffsetUnit;
import polyseme.v1.Common.Span;
import polyseme.v1.EmbeddingServiceGrpc.EmbeddingServiceBlockingStub;
import polyseme.v1.EmbeddingServiceOuterClass.EmbedRequest;
import polyseme.v1.EmbeddingServiceOuterClass.EmbedSpansRequest;
import polyseme.v1.EmbeddingServiceOuterClass.EmbeddedSpan;
import polyseme.v1.EmbeddingServiceOuterClass.SpanEmbeddings;
import polyseme.v1.EmbeddingServiceOuterClass.SpanInput;
import polyseme.v1.TensorOuterClass.DataType;

/** Makes calls, each within a deadline, however often it is tried. */
record Caller(EmbeddingServiceBlockingStub service, DataType dtype) {
    private static final long TIMEOUT_SECONDS = 10;

    /** Gives one vector for each text, all in one call. */
    float[][] embed(List<String> texts) throws InterruptedException {
        EmbedRequest request = EmbedRequest.newBuilder().addAllTexts(texts).setDtype(dtype).build();
        return Tensors.decode(call(stub -> stub.embed(request)).getEmbeddings());
    }

    /** Gives the vector of a word in its sentence. Offsets are UTF-16 code units, as Java counts them in strings. */
    Word embedWord(Subject subject) throws InterruptedException {
        int start = subject.text().indexOf(subject.word());
        Span span = Span.newBuilder().setStart(start).setEnd(start + subject.word().length()).build();
        EmbedSpansRequest request = EmbedSpansRequest.newBuilder()
                .addInputs(SpanInput.newBuilder().setText(subject.text()).addSpans(span))
                .setOffsetUnit(OffsetUnit.OFFSET_UNIT_UTF16_CODE_UNIT)
                .setDtype(dtype)
                .build();
        SpanEmbeddings found = call(stub -> stub.embedSpans(request)).getTexts(0);
        EmbeddedSpan embedded = found.getSpans(0);
        int begin = embedded.getSpan().getStart();
        int end = embedded.getSpan().getEnd();
        String slice = subject.text().substring(begin, end);
        if (!slice.equals(embedded.getText())) {
            throw new IllegalStateException(
                    "%d to %d is %s here and %s at the server".formatted(begin, end, slice, embedded.getText()));
        }
        return new Word(slice, begin, end, Tensors.decode(found.getVectors())[0]);
    }

    private <T> T call(Function<EmbeddingServiceBlockingStub, T> method) throws InterruptedException {
        Deadline deadline = Deadline.after(TIMEOUT_SECONDS, TimeUnit.SECONDS);
        return Statuses.patiently(deadline, () -> method.apply(service.withDeadline(deadline)));
    }
}
