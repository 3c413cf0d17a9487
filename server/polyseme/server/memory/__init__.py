"""The memory of calls: what they hold, how much they may, and what ends when it is short."""
