"""embed and tokenize: one answer for each text."""
