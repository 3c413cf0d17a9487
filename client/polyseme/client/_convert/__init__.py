"""Values to request messages, reply messages to values."""
