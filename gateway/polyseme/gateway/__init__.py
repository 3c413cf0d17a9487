"""HTTP before a Polyseme server: OpenAI's embeddings. A client of the server, and no more."""
