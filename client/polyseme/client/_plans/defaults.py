"""The defaults of one client, and the server's models as far as it knows them. No I/O."""

from __future__ import annotations

from typing import Any

from polyseme.client._arguments.flags import name_or_empty
from polyseme.client._convert.requests import checked_timeout
from polyseme.client._plans.catalog import Catalog
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
        checked_timeout(timeout, timeout)
        self.target = target
        self.catalog = Catalog()
        self._model = name_or_empty(model, "model")
        self._timeout = timeout

    def picklable(self) -> dict[str, Any]:
        """Give the arguments for a copy in another process."""
        return {"model": self._model or None, "timeout": self._timeout}

    def model_name(self, options: CallOptions) -> str:
        """Give the model that a call goes to; "": the server's default model."""
        return name_or_empty(options.get("model"), "model") or self._model

    def timeout(self, options: CallOptions) -> float | None:
        """Give a call's timeout in seconds; None: without end."""
        return checked_timeout(options.get("timeout"), self._timeout)
