"""MTEB's encoder: a model of a Polyseme server, as `mteb.evaluate` takes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Unpack

from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models import ModelMeta
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ScoringFunction
from mteb.types import Array, PromptType

from polyseme.client import Client, EmbedOptions
from polyseme.integrations.embedder import DEFAULT_TARGET, DOCUMENT, QUERY, Connection, prompt_for


class PolysemeEncoder(AbsEncoder):
    """A model of a server. MTEB files its results under "polyseme/NAME", the model's version and the options.

    A text has the model's prompt for the task, else for tasks of its type, else for queries or documents.

    Args:
        target: the server, as "host:port".
        options: of each call, as `Client.embed` takes them; default: texts that are too long are cut at their end.
        **connection: model, timeout, credentials and token, as `Client` takes them.
    """

    def __init__(
        self, target: str = DEFAULT_TARGET, *, options: EmbedOptions | None = None, **connection: Unpack[Connection]
    ) -> None:
        self._client = Client(target, **connection)
        self._options: EmbedOptions = {"truncate": "end", **(options or {})}
        model = self._client.model(self._options.get("model"))
        self._chosen = {"query": prompt_for(QUERY, model.prompts), "document": prompt_for(DOCUMENT, model.prompts)}
        self.model_prompts = {} if self._options.get("without_prompt") else {**self._chosen, **model.prompts}
        described = {
            "name": f"polyseme/{model.name}",
            "revision": model.identity.version,
            "embed_dim": self._options.get("dimensions") or model.dimensions,
            "max_tokens": model.max_tokens,
            "similarity_fn_name": ScoringFunction(model.similarity or "cosine"),
            "experiment_kwargs": dict(options) if options else None,
        }
        self.mteb_model_meta = ModelMeta.create_empty(described)

    def encode(
        self,
        inputs: Iterable[Mapping[str, Sequence[str]]],
        *,
        task_metadata: TaskMetadata,
        prompt_type: PromptType | None = None,
        **kwargs: object,
    ) -> Array:
        """Embed the texts of MTEB's batches: [N, D] float32. Raise a PolysemeError where a call fails."""
        if (precision := kwargs.get("precision", "float32")) != "float32":
            raise ValueError(f"precision is {precision!r}; PolysemeEncoder gives float32 alone")
        texts = [text for batch in inputs for text in batch["text"]]
        name = self.get_prompt_name(task_metadata, prompt_type)
        return self._client.embed(texts, **{"prompt_name": self._chosen.get(name, name), **self._options})
