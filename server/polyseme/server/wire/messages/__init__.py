"""Bytes to messages, and vectors to bytes, for every contract."""
