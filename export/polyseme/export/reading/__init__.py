"""Read what the authors of a model wrote, as untrusted input."""
