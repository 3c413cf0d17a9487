package example;

/** A word as the server found it, its offsets in UTF-16 code units, and its vector. */
record Word(String text, int start, int end, float[] vector) {}
