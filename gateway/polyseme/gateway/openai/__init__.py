"""OpenAI's protocol: /v1/embeddings and /v1/models, as its clients speak it."""
