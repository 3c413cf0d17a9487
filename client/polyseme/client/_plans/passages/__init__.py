"""embed_passages as a plan, and how long documents are cut for it."""
