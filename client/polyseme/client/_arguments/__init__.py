"""Check arguments before anything is sent."""
