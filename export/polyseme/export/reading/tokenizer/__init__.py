"""A checkpoint's tokenizer: what its files say, and what transformers' class makes of it."""
