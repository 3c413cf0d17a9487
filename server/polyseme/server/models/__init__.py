"""The models of a server, loaded and by name."""
