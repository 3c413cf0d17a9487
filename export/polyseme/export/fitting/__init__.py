"""Fit: a linear head on the vectors of an artifact, from labelled texts; nothing of the encoder is trained."""
