"""A spaCy component: tokens, spans and documents get their vectors in context. `nlp.add_pipe("polyseme")` finds it."""

from polyseme.integrations.spacy.component import ContextualVectors
from polyseme.integrations.spacy.factory import make
from polyseme.integrations.spacy.hooks import add_hooks

__all__ = ["ContextualVectors", "add_hooks", "make"]
