"""Encoders in the form that graphs are built from, and their float64 references."""
