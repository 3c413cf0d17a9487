"""The defaults of one client, and the server's models as far as it knows them. No I/O."""

from __future__ import annotations

from typing import Any

from polyseme.client._convert.requests import checked_timeout
from polyseme.client._plans.catalog import Catalog
from polyseme.client.errors import InvalidArgumentError
from polyseme.client.options import CallOptions


class Defaults:
    """Values for what a call leaves out.

    Attributes:
        target: what errors call the server.
        catalog: the models that the server described.

    Raises:
        InvalidArgumentError: the model's name is no str, or the timeout no number above 0.
    """

    def __init__(self, *, target: str, model: str | None, timeout: float) -> None:
        if model is not None and not isinstance(model, str):
            raise InvalidArgumentError(f"model must be a str, got {type(model).__name__}", field="model")
        checked_timeout(timeout, timeout)
        self.target = target
        self.catalog = Catalog()
        self._model = model or ""
        self._timeout = timeout

    def picklable(self) -> dict[str, Any]:
        """Give the arguments for a copy in another process."""
        return {"model": self._model or None, "timeout": self._timeout}

    def model_name(self, options: CallOptions) -> str:
        """Give the model that a call goes to; "": the server's default model."""
        return options.get("model") or self._model

    def timeout(self, options: CallOptions) -> float | None:
        """Give a call's timeout in seconds; None: without end."""
        return checked_timeout(options.get("timeout"), self._timeout)
