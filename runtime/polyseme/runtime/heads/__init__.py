"""Heads that predict, computed in numpy from the vectors that the graphs give."""

from polyseme.runtime.heads.prediction import LoadedHead, load_head, load_heads

__all__ = ["LoadedHead", "load_head", "load_heads"]
