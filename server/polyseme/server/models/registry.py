"""The models of a server, by name and version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from polyseme.server.errors import ConfigError, UnknownModelError
from polyseme.server.models.served import ServedModel

Key: TypeAlias = tuple[str, str]  # name, version


def default_of(keys: Sequence[Key], asked: str) -> Key:
    """Choose the default model; done before anything is loaded.

    Args:
        keys: names and versions of all models, in the order they were given; at least one.
        asked: NAME, for the first version of it, or NAME@VERSION; empty: the first model.

    Raises:
        ConfigError: a model is given twice, or no model is the one asked for.
    """
    for index, (name, version) in enumerate(keys):
        if (name, version) in keys[:index]:
            raise ConfigError(f"model {name}@{version} is given twice; a name can be served in different versions")
    name, _, version = asked.partition("@")
    for key in keys:
        if (not name or key[0] == name) and (not version or key[1] == version):
            return key
    known = ", ".join(f"{name}@{version}" for name, version in keys)
    raise ConfigError(f"--default-model: {asked[:160]!r} is not served here; there are: {known}")


class Models:
    """Models by name and version, as they are served at one time. The first of a name is that name's default."""

    def __init__(self, models: Sequence[ServedModel] = (), default: Key | None = None) -> None:
        """Put the default model first, then the others as they were given.

        Args:
            models: all of them.
            default: the model of requests that name none; None only where there are no models.
        """
        named = {key_of(model): model for model in models}
        self._models = {key: named[key] for key in sorted(named, key=lambda key: key != default)}

    def __iter__(self) -> Iterator[ServedModel]:
        """Give the models, the default one first."""
        return iter(self._models.values())

    @property
    def default(self) -> ServedModel:
        """The model of requests that name none.

        Raises:
            UnknownModelError: no model is served yet.
        """
        for model in self._models.values():
            return model
        raise UnknownModelError("no model is served yet")

    def get(self, key: Key) -> ServedModel | None:
        """Give the model of a name and version; None: it is not served."""
        return self._models.get(key)

    def find(self, name: str, version: str) -> ServedModel:
        """Find the model that a request names.

        Args:
            name: empty: the default model.
            version: empty: the default model where the name is its own, else the first version that was given.

        Raises:
            UnknownModelError: no model has the name, or none of that name has the version.
        """
        if not name and not version:
            return self.default
        name = name or self.default.manifest.name
        versions = {model.version: model for model in self if model.manifest.name == name}
        if not versions:
            names = ", ".join(dict.fromkeys(name for name, _ in self._models))
            raise UnknownModelError(f"model {name[:80]!r} is not served here; there are: {names}")
        try:
            return versions[version] if version else next(iter(versions.values()))
        except KeyError:
            raise UnknownModelError(
                f"model {name} is served in version {', '.join(versions)}; got {version[:80]!r}"
            ) from None


def key_of(model: ServedModel) -> Key:
    """Give the name and the version of a model."""
    return model.manifest.name, model.version


@dataclass(slots=True)
class Registry:
    """The models that are served now. A call takes `models` once: they answer it, whatever is served later."""

    models: Models = field(default_factory=Models)
