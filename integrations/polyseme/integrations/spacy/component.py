"""The component of a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from spacy.pipeline import Pipe
from spacy.tokens import Doc
from spacy.util import minibatch

from polyseme.client import Client
from polyseme.integrations.spacy.hooks import add_hooks, vector
from polyseme.integrations.spacy.storage import keep


class ContextualVectors(Pipe):
    """Gives documents their vectors: one call to the SDK for each batch of `nlp.pipe`.

    Attributes:
        client: calls the server; put another one here for TLS, a token or `Client.local`.
    """

    def __init__(self, name: str, client: Client, **options: Any) -> None:  # noqa: ANN401  those of embed_tokens
        self.name = name
        self.client = client
        self._options = options

    def __call__(self, doc: Doc) -> Doc:
        """Embed one document."""
        return self._embedded([doc])[0]

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Embed documents; a batch that fails goes to the pipeline's error handler."""
        for docs in map(list, minibatch(stream, size=batch_size)):
            try:
                embedded = self._embedded(docs)
            except Exception as error:  # what becomes of it is the handler's
                self.get_error_handler()(self.name, self, docs, error)
            else:
                yield from embedded

    def _embedded(self, docs: list[Doc]) -> list[Doc]:
        found = self.client.embed_tokens([doc.text for doc in docs], **self._options)
        for tokens, doc in zip(found, docs, strict=True):
            keep(tokens, doc)
            doc.tensor = np.array([vector(each) for each in doc], np.float32).reshape(len(doc), tokens.vectors.shape[1])
            add_hooks(doc)
        return docs
