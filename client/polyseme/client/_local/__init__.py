"""A server on this machine that is there as long as programs use it."""
