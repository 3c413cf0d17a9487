"""Compare what an engine computes with what it should compute."""
