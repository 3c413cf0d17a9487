"""Running an artifact: tokenizer and session, each the only owner of the library behind it."""
