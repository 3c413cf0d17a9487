"""What the calls of one client have in common, where they do not say otherwise."""

from polyseme.client._convert.requests import checked_timeout
from polyseme.client._plans.catalog import Catalog
from polyseme.client._plans.comparison import Comparison
from polyseme.client.errors import InvalidArgumentError
from polyseme.client.options import CallOptions, SimilarityOptions
from polyseme.client.words import Operands


class Defaults:
    """The defaults of one client, and what it knows of the server's models."""

    def __init__(self, *, target: str, model: str | None, timeout: float) -> None:
        if model is not None and not isinstance(model, str):
            raise InvalidArgumentError(f"model must be a str, got {type(model).__name__}", field="model")
        checked_timeout(timeout, timeout)
        self.target = target
        self._default_model = model or ""
        self._default_timeout = timeout
        self.catalog = Catalog()

    def comparison(self, a: Operands, b: Operands | None, options: SimilarityOptions) -> Comparison:
        """Check what a call of similarity compares."""
        return Comparison(a, b, options, model=self.model_name(options), timeout=self.timeout(options))

    def model_name(self, options: CallOptions) -> str:
        """Give the model that a call goes to; "": the server's default model."""
        return options.get("model") or self._default_model

    def timeout(self, options: CallOptions) -> float | None:
        """Give a call's timeout in seconds; None: without end."""
        return checked_timeout(options.get("timeout"), self._default_timeout)
