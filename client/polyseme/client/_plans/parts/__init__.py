"""embed_tokens and embed_words: vectors of parts of texts."""
