"""Start, serve, reload, drain, stop."""
