"""The models of a server, by name and version."""

from __future__ import annotations

from collections.abc import Iterator

from polyseme.server.errors import ConfigError, UnknownModelError
from polyseme.server.model import ServedModel


class Registry:
    """The models that are served; the first is the default."""

    def __init__(self) -> None:
        self._models: dict[str, ServedModel] = {}

    def add(self, model: ServedModel) -> None:
        """Serve one more model.

        Raises:
            ConfigError: there is one of this name.
        """
        if model.manifest.name in self._models:
            raise ConfigError(f"two models are named {model.manifest.name!r}; export one of them with another --name")
        self._models[model.manifest.name] = model

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._models.values())

    @property
    def default(self) -> ServedModel:
        """The model of requests that name none."""
        return next(iter(self._models.values()))

    def find(self, name: str, version: str) -> ServedModel:
        """The model of a request; empty strings stand for the default model and whatever version there is.

        Raises:
            UnknownModelError: no such name, or another version of it is served.
        """
        model = self._models.get(name) if name else self.default
        if model is None:
            raise UnknownModelError(f"model {name[:80]!r} is not served here; there are: {', '.join(self._models)}")
        if version and version != model.version:
            raise UnknownModelError(
                f"model {model.manifest.name} is served in version {model.version}; got {version[:80]!r}"
            )
        return model
