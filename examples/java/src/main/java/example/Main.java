package example;

import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import polyseme.v1.EmbeddingServiceGrpc;
import polyseme.v1.TensorOuterClass.DataType;

/** Asks a Polyseme server for the vectors of texts, and of words in them. */
public final class Main {
    private static final List<Subject> SUBJECTS = List.of(
            new Subject("We sat on the bank of the river.", "bank"),
            new Subject("The family 👨‍👩‍👧‍👦 sat on the bank 🏞️ of the river.", "bank"),
            new Subject("Un caf\u00e9 au lait.", "caf\u00e9"), // NFC: é is one code point
            new Subject("Deux cafe\u0301s, un cafe\u0301.", "cafe\u0301s"), // NFD: e and an accent
            new Subject("我们坐在河岸上,看着银行。", "河岸"),
            new Subject("\u05d9\u05e9\u05d1\u05e0\u05d5 על גדת הנהר.", "גדת")); // right to left, stored left to right

    private Main() {}

    /** Takes --target ADDRESS, --dtype float32, float16, bfloat16 or int8 (how vectors travel), --json, --help. */
    public static void main(String[] args) throws InterruptedException {
        String target = "localhost:50051";
        DataType dtype = DataType.DATA_TYPE_FLOAT32;
        boolean json = false;
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
                case "--target" -> target = args[++i];
                case "--dtype" -> dtype = DataType.valueOf("DATA_TYPE_" + args[++i].toUpperCase(Locale.ROOT));
                case "--json" -> json = true;
                case "--help" -> {
                    System.out.println("Usage: [--target HOST:PORT] [--dtype float32|float16|bfloat16|int8] [--json]");
                    return;
                }
                default -> throw new IllegalArgumentException("unknown argument " + args[i]);
            }
        }
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8); // whatever the locale says
        ManagedChannel channel = Connection.to(target);
        try {
            Answers answers = ask(new Caller(EmbeddingServiceGrpc.newBlockingStub(channel), dtype));
            out.println(json ? answers.toJson() : answers.toText());
        } catch (StatusRuntimeException error) {
            System.err.println(Statuses.explain(error));
            System.exit(1);
        } finally {
            channel.shutdown().awaitTermination(1, TimeUnit.SECONDS);
        }
    }

    private static Answers ask(Caller caller) throws InterruptedException {
        float[][] embeddings = caller.embed(SUBJECTS.stream().map(Subject::text).toList());
        List<Word> words = new ArrayList<>();
        for (Subject subject : SUBJECTS) {
            words.add(caller.embedWord(subject));
        }
        return new Answers(embeddings, words);
    }
}
