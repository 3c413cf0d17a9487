"""Vectors of parts of texts: of tokens, of words and other spans."""
