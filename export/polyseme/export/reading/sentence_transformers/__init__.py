"""Read a folder of sentence-transformers: modules.json and what it names."""
