"""tei.v1, of text-embeddings-inference."""
