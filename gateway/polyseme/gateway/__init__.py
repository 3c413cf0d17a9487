"""HTTP before a Polyseme server: OpenAI's embeddings, and a page. A client of the server, and no more."""
