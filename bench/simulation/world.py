"""One simulation: the server's own queue, runners, admission and reload, in virtual time; everything is written down.

What is simulated is what costs time: running a batch, tokenizing, loading a model. A text's vector holds the version of
the model that ran it and the number of the text, so that what comes back tells where it has been.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
from bench.simulation.scenario import BASE_S, MODELS, TOKEN_S, Arrival, Scenario
from bench.simulation.virtual_time import HangError, VirtualLoop

from polyseme.artifact import ArtifactError, Precision
from polyseme.runtime.batches.padded import Batch, collate
from polyseme.runtime.engines.base import Traits
from polyseme.runtime.engines.device import Device
from polyseme.runtime.tasks import PooledVector
from polyseme.runtime.text.tokenizer import TokenIds
from polyseme.server.config import ServerConfig
from polyseme.server.engine.client import Submission, TextTask
from polyseme.server.engine.local import LocalEngine, LocalEngines
from polyseme.server.engine.runner import Runner
from polyseme.server.engine.watchdog import Watchdog
from polyseme.server.errors import QueueFullError, ServerError
from polyseme.server.inference.execution import Execution, QueueOptions
from polyseme.server.inference.queries import TextOptions
from polyseme.server.inference.stopwatch import Stopwatch
from polyseme.server.inference.usage import Usage
from polyseme.server.inference.validation import in_texts
from polyseme.server.lifecycle import models as lifecycle
from polyseme.server.lifecycle.admission import Admission
from polyseme.server.models.registry import Registry
from polyseme.server.models.served import ServedModel
from polyseme.server.observe.tracing import NoTracing
from polyseme.server.scheduling import Completed, RunnerPool
from polyseme.server.security.tokens import Tokens

TOKENIZE_S = 2e-4
LOAD_S = 0.1
OK, CANCELLED = "ok", "cancelled"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        at: when.
        kind: offered, refused (by the queue), begun or ended.
        texts: which it happened to; of a batch in the order of its rows.
        detail: of `ended` the outcome, else the model, NAME@VERSION.
        rows: of `ended` with an answer, (version of the model, number of the text) of each row.
        queued: tokens that waited in the busiest queue then.
        calls: under way then.
    """

    at: float
    kind: str
    texts: tuple[int, ...]
    detail: str = ""
    rows: tuple[tuple[int, int], ...] = ()
    queued: int = 0
    calls: int = 0


@dataclass
class World:
    """The parts of one server, and what happened to it."""

    scenario: Scenario
    loop: VirtualLoop
    events: list[Event] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MODELS, 1))
    damaged: bool = False
    registry: Registry = field(default_factory=Registry)
    admission: Admission = field(init=False)
    models: lifecycle.ModelLifecycle = field(init=False)

    def run(self) -> None:
        """Live to the end.

        Raises:
            HangError: something waits for ever.
        """
        try:
            with mock.patch.object(lifecycle, "load_models", _load_models):
                self.loop.run_until_complete(self._live())
        except HangError:
            self.loop.set_exception_handler(lambda *_: None)  # of tasks that never end
            raise
        finally:
            self.loop.close()

    async def _live(self) -> None:
        """Load, serve, close."""
        config = ServerConfig(runners=self.scenario.runners)
        self.admission = Admission(self.scenario.max_calls, Tokens(""))
        metrics: Any = _NoMetrics()
        engines = _Engines(config, Watchdog(0), self)
        self.models = lifecycle.ModelLifecycle(self._artifacts, config, self.registry, engines, metrics, NoTracing())
        self.models.look()
        await self.models.load()
        self.admission.open()
        await self.serve()
        await self.models.close()

    async def serve(self) -> None:
        """Serve every call of the scenario, and reload."""
        async with asyncio.TaskGroup() as tasks:
            for arrival in self.scenario.arrivals:
                tasks.create_task(self._caller(arrival))
            for at, damaged in self.scenario.reloads:
                tasks.create_task(self._reload(at, damaged=damaged))

    def note(self, kind: str, texts: Sequence[int], detail: str = "", rows: Sequence[tuple[int, int]] = ()) -> None:
        """Write down what happened."""
        queued = max(model.engine.queued_tokens for model in self.registry.models)
        event = Event(self.loop.time(), kind, tuple(texts), detail, tuple(rows), queued, self.admission.calls)
        self.events.append(event)

    def _artifacts(self) -> list[Any]:
        if self.damaged:
            raise ArtifactError("damaged")
        return [
            SimpleNamespace(manifest=SimpleNamespace(name=name, version=str(version), model=None))
            for name, version in self.versions.items()
        ]

    async def _reload(self, at: float, *, damaged: bool) -> None:
        await asyncio.sleep(at)
        self.damaged = damaged
        self.versions = {**self.versions, MODELS[0]: self.versions[MODELS[0]] + (not damaged)}
        try:
            await self.models.reload(self.admission, lambda: None)
        except ArtifactError:
            self.damaged = False

    async def _caller(self, arrival: Arrival) -> None:
        """Call, and go away when there has been enough of it."""
        await asyncio.sleep(arrival.at)
        call = asyncio.ensure_future(self.call(arrival))
        if arrival.cancel_s < math.inf:
            self.loop.call_later(arrival.cancel_s, call.cancel)
        rows: list[tuple[int, int]] = []
        try:
            rows = await call
            outcome = OK
        except asyncio.CancelledError:
            outcome = CANCELLED
        except ServerError as error:
            outcome = type(error).__name__
        self.note("ended", arrival.texts, outcome, rows)

    async def call(self, arrival: Arrival) -> list[tuple[int, int]]:
        """Do what is done around a call, and in it."""
        self.admission.check_arrival(())
        generation = self.admission.enter(arrival.caller)
        try:
            self.admission.check(arrival.caller)
            queue = QueueOptions(
                priority=arrival.priority,
                deadline=arrival.at + arrival.deadline_s,
                caller=arrival.caller,
                waits_for_room=arrival.waits_for_room,
            )
            model = self.registry.models.find(arrival.model, "")
            limits: Any = None
            execution = Execution(model=model, limits=limits, queue=queue, stopwatch=Stopwatch(), usage=Usage())
            rows: list[tuple[int, int]] = []
            size = -(-len(arrival.lengths) // arrival.parts)
            for start in range(0, len(arrival.lengths), size):
                texts = [f"{arrival.texts[i]} {arrival.lengths[i]}" for i in range(start, len(arrival.lengths))[:size]]
                encoded = await execution.encode(texts, TextOptions(), in_texts)
                completed = await execution.run([TextTask(one.ids, PooledVector()) for one in encoded])
                rows += [(int(row[0]), int(row[1])) for row in completed.rows]
            return rows
        finally:
            self.admission.leave(generation, arrival.caller)


class _Engines(LocalEngines):
    """The server's own engines, but for what runs a batch, and on which threads."""

    def __init__(self, config: ServerConfig, watchdog: Watchdog, world: World) -> None:
        super().__init__(config, watchdog)
        self._world = world
        self._shared: RunnerPool | None = None

    def load(self, artifact: Any) -> LocalEngine:
        world = self._world
        world.loop.sleep(LOAD_S)
        engine = _Engine(world, artifact.manifest)
        return _RecordedEngine(engine, world, self._config, self, artifact)

    def runner_of(self, engine: Any) -> Runner:
        return Runner(engine, self._watchdog, clock=self._world.loop.time)

    def threads_of(self, _: LocalEngine) -> RunnerPool:
        loop = self._world.loop
        if self._shared is None:
            scenario = self._world.scenario
            hosts = loop.hosts(scenario.runners + scenario.express)
            self._shared = RunnerPool(hosts, express=scenario.express, clock=loop.time, condition=loop.condition)
        return self._shared

    def watch(self, *_: object) -> list[Any]:
        return []

    async def close(self) -> None:
        if self._shared is not None:
            await self._shared.close()


class _Engine:
    """Takes the time that a batch takes, and gives vectors that tell where they were made."""

    traits = Traits(
        pads=True, lanes=0, shares_threads=True, batch_tokens=0, batch_texts=0, queue_tokens=0
    )  # the policy is the scenario's
    devices = (Device(execution_provider="simulated", precision=Precision.FP32),)
    hosts = ()

    def __init__(self, world: World, manifest: Any) -> None:
        self._world = world
        self._version = int(manifest.version)
        self.model = f"{manifest.name}@{manifest.version}"

    def collate(self, sequences: Sequence[Any]) -> Batch:
        return collate(sequences, 0)

    def run(self, _: str, batch: Batch, outputs: Sequence[str], *__: object) -> list[npt.NDArray[np.float32]]:
        numbers = batch.input_ids[:, 0]
        self._world.note("begun", numbers.tolist(), self.model)
        draw = self._world.loop.draw
        self._world.loop.sleep((BASE_S + TOKEN_S * batch.input_ids.size) * draw.uniform(0.8, 1.3))
        vectors = np.stack([np.full(len(numbers), self._version), numbers], axis=1).astype(np.float32)
        return [vectors for _ in outputs]

    def close(self) -> None:
        return


class _RecordedEngine(LocalEngine):
    """The server's own engine client; what is submitted is written down."""

    def __init__(self, engine: Any, world: World, config: ServerConfig, engines: LocalEngines, artifact: Any) -> None:
        super().__init__(engine, world.scenario.policy, config, engines, artifact)
        self._world, self._model = world, engine.model

    async def submit(self, submission: Submission) -> Completed:
        texts, model = [int(text.ids[0]) for text in submission.texts], self._model
        self._world.note("offered", texts, model)
        try:
            return await super().submit(submission)
        except QueueFullError:
            self._world.note("refused", texts, model)
            raise


class _Encoder:
    """Stands for the tokenizer: takes a while, and makes ids that begin with the number of their text."""

    def options(self, *_: object, **__: object) -> None:
        return

    async def encode(self, texts: Sequence[str], *_: object) -> list[TokenIds]:
        await asyncio.sleep(TOKENIZE_S)
        pairs = [map(int, text.split()) for text in texts]
        return [
            TokenIds(ids=np.array([number, *[0] * (tokens - 1)], dtype=np.int32), original_tokens=tokens)
            for number, tokens in pairs
        ]

    def close(self) -> None:
        return


class _NoMetrics:
    """Counts nothing."""

    def of_model(self, *_: object) -> _NoMetrics:
        return self

    def watch(self, *_: object) -> None:
        return

    def forget(self, *_: object) -> None:
        return

    def batch_done(self, *_: object) -> None:
        return


def _load_models(artifacts: Sequence[Any], load_engine: Any, _: int) -> list[ServedModel]:
    encoder: Any = _Encoder()
    return [
        ServedModel(
            manifest=artifact.manifest,
            spec=artifact.manifest.model,
            version=artifact.manifest.version,
            encoder=encoder,
            engine=load_engine(artifact),
        )
        for artifact in artifacts
    ]


def simulate(scenario: Scenario) -> World:
    """Run one simulation to its end.

    Raises:
        HangError: something waits for ever.
    """
    world = World(scenario, VirtualLoop(scenario.seed))
    world.run()
    return world
