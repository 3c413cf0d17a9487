"""Fit labels of tokens: entities, from texts with labelled spans."""
