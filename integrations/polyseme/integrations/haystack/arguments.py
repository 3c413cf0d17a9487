"""The arguments that both components take, kept as attributes: Haystack writes them into pipelines."""

from __future__ import annotations

from collections.abc import Callable

from haystack.utils import Secret

from polyseme.client import EmbedOptions
from polyseme.integrations.embedder import DEFAULT_TARGET, Connection, Embedder


class Arguments:
    """The arguments of `Embedder`; a pipeline with `credentials` cannot be written."""

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        model: str | None = None,
        prompt: str | None = None,
        options: EmbedOptions | None = None,
        token: Secret | None = None,
        credentials: Callable[[], object] | None = None,
    ) -> None:
        self.target, self.model, self.prompt, self.options = target, model, prompt, options
        self.token, self.credentials = token, credentials
        connection = Connection(model=model, credentials=credentials, token=token and token.resolve_value)
        self._embedder = Embedder(target, query_prompt=prompt, document_prompt=prompt, options=options, **connection)
