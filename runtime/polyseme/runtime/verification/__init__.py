"""Compares the vectors of an engine with those that are right."""
