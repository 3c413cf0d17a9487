"""A word in several sentences: its vectors compared, and drawn."""
