package example;

import com.google.gson.Gson;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** What the server answered: a vector per text, and one of a word in it. */
record Answers(float[][] embeddings, List<Word> words) {
    /** Shapes, words, and the first numbers. */
    String toText() {
        return String.join("\n", IntStream.range(0, embeddings.length).mapToObj(this::line).toList());
    }

    private String line(int index) {
        Word word = words.get(index);
        return "text %d: %s   %s at %d to %d: %s"
                .formatted(
                        index, start(embeddings[index]), word.text(), word.start(), word.end(), start(word.vector()));
    }

    private static String start(float[] vector) {
        return String.format(
                Locale.ROOT, "[%d] %.4f %.4f %.4f ...", vector.length, vector[0], vector[1], vector[2]);
    }

    /** Vectors as base64 of little-endian float32, which loses nothing. */
    String toJson() {
        return new Gson().toJson(Map.of(
                "embeddings", Stream.of(embeddings).map(Answers::exact).toList(),
                "words", words.stream().map(Answers::wordToJson).toList()));
    }

    private static Map<String, Object> wordToJson(Word word) {
        return Map.of(
                "text", word.text(), "start", word.start(), "end", word.end(), "vector", exact(word.vector()));
    }

    private static String exact(float[] vector) {
        ByteBuffer data = ByteBuffer.allocate(Float.BYTES * vector.length).order(ByteOrder.LITTLE_ENDIAN);
        data.asFloatBuffer().put(vector);
        return Base64.getEncoder().encodeToString(data.array());
    }
}
