"""Loads the models that the directories hold, at start and at each reload."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from polyseme.artifact import Artifact
from polyseme.server.config import ServerConfig
from polyseme.server.engine.client import EngineClient
from polyseme.server.lifecycle.admission import Admission
from polyseme.server.models.loading import load_models
from polyseme.server.models.registry import Key, Models, Registry, default_of, key_of
from polyseme.server.observe.metrics import Metrics
from polyseme.server.observe.tracing import Tracing

log = logging.getLogger(__name__)


class Engines(Protocol):
    """Makes the engines of one server."""

    def load(self, artifact: Artifact) -> EngineClient:
        """Make the engine of an artifact. Blocks for up to seconds."""

    async def close(self) -> None:
        """Give back what engines share, after every engine has been closed."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Artifacts by name and version, in the order that was asked for; and the key of the default one."""

    artifacts: Mapping[Key, Artifact]
    default: Key


class ModelLifecycle:
    """Loads, replaces and closes the models of a registry."""

    def __init__(
        self,
        find_artifacts: Callable[[], Sequence[Artifact]],
        config: ServerConfig,
        registry: Registry,
        engines: Engines,
        metrics: Metrics,
        tracing: Tracing,
    ) -> None:
        """Take the parts.

        Args:
            find_artifacts: gives checked artifacts.
            config: the settings.
            registry: takes the models.
            engines: makes the engines of models.
            metrics: counts the batches of models.
            tracing: traces the batches of models.
        """
        self._find_artifacts = find_artifacts
        self._config = config
        self._registry = registry
        self._engines = engines
        self._metrics = metrics
        self._tracing = tracing
        self._found: _Found | None = None
        self._changing = asyncio.Lock()

    def look(self) -> None:
        """Look for artifacts; nothing is loaded.

        Raises:
            ArtifactError: an artifact is not what export wrote.
            ConfigError: a model is given twice, or the default model is not among them.
        """
        found = [((one.manifest.name, one.manifest.version), one) for one in self._find_artifacts()]
        self._found = _Found(dict(found), default_of([key for key, _ in found], self._config.default_model))

    async def load(self) -> None:
        """Load and start what was found.

        Raises:
            RuntimeUnavailableError, TokenizerError: a model cannot be loaded.
        """
        async with self._changing:
            self._registry.models = await self._models()

    async def reload(self, admission: Admission, announce: Callable[[], None]) -> None:
        """Look again, and serve the models that are there now; models that are served already go on.

        New models are loaded beside the old ones and take their place at once: a call is answered by one set of models.
        An old model is closed when the last call has ended that began before. Where anything fails, nothing changes.

        Args:
            admission: knows which calls are under way.
            announce: called when the new models are served.

        Raises:
            ArtifactError, ConfigError, RuntimeUnavailableError, TokenizerError: as at the start.
        """
        async with self._changing:
            await asyncio.to_thread(self.look)
            models = await self._models()
            old = [model for model in self._registry.models if models.get(key_of(model)) is not model]
            self._registry.models = models
            announce()
        await admission.wait_until_left()
        for model in old:
            await model.close()
            if self._registry.models.get(key_of(model)) is None:  # another reload may have brought it back
                self._metrics.forget(*key_of(model))
            log.info("no longer served: %s@%s", *key_of(model))

    async def close(self) -> None:
        """Close every model."""
        for model in self._registry.models:
            await model.close()
        await self._engines.close()

    async def _models(self) -> Models:
        """Load and start what is not served yet."""
        found = self._found
        if found is None:
            raise RuntimeError("look comes first")
        served = self._registry.models
        missing = [artifact for key, artifact in found.artifacts.items() if served.get(key) is None]
        new = await asyncio.to_thread(load_models, missing, self._engines.load, self._config.tokenizer_threads)
        for model in new:
            metrics = self._metrics.of_model(*key_of(model))
            model.engine.start(self._tracing.batches(*key_of(model), metrics))
            metrics.watch(model.engine)
        models = {key_of(model): model for model in (*served, *new)}
        return Models([models[key] for key in found.artifacts], found.default)
