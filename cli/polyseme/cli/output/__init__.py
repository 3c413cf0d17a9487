"""Results and progress on a terminal, and in files."""
