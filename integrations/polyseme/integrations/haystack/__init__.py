"""Haystack's embedders: a component for texts, which are taken for queries, and one for documents."""

from polyseme.integrations.haystack.documents import PolysemeDocumentEmbedder
from polyseme.integrations.haystack.texts import PolysemeTextEmbedder

__all__ = ["PolysemeDocumentEmbedder", "PolysemeTextEmbedder"]
