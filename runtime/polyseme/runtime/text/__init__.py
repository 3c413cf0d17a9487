"""Text to tokens and words: the only owners of tokenizers and regex."""
