package example;

/** A text, and a word in it. */
record Subject(String text, String word) {}
