"""An engine in this process: a scheduler makes batches, runner threads run them."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from polyseme.artifact import Artifact, ModelSpec, Variant
from polyseme.artifact.graphs import NORMALIZED, POOLED, SPAN_VECTORS
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.base import Engine, Traits
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.hosts import Host
from polyseme.runtime.engines.onnxruntime.devices import choose_devices
from polyseme.runtime.engines.registry import make_engine
from polyseme.runtime.errors import DeviceLostError, RuntimeUnavailableError, first_line
from polyseme.runtime.verification.proof import prove
from polyseme.server.config import ServerConfig
from polyseme.server.engine.client import EngineInfo, Submission
from polyseme.server.engine.cores import usable_cores
from polyseme.server.engine.runner import Runner
from polyseme.server.engine.watchdog import Watchdog
from polyseme.server.engine.weights import WeightsWatch, mapped_weights
from polyseme.server.scheduling import BatchPolicy, Completed, Entry, Observer, Priority, RunnerPool, Scheduler

log = logging.getLogger(__name__)

# Every thread is woken for each operator; a text has too little work for many: bench/results/lone-caller.md.
_MOST_LONE_THREADS: Final = 4


class LocalEngines:
    """Makes the engines of one server; engines on a CPU share its runner threads."""

    def __init__(self, config: ServerConfig, watchdog: Watchdog) -> None:
        self._config = config
        self._watchdog = watchdog
        self._pool: RunnerPool | None = None
        self._weights = WeightsWatch(lambda reason: watchdog.lose(reason))

    def load(self, artifact: Artifact) -> LocalEngine:
        """Load an artifact on its device, prove it, and run it once in several sizes. Blocks for up to seconds.

        With `--device auto`, the CPU runs it where anything fails on a GPU.

        Raises:
            RuntimeUnavailableError: the device or a graph cannot be used.
        """
        wanted = self._config.device
        devices = choose_devices(wanted, artifact)
        if devices[0].kind == "cpu":
            return self._load_on(devices, artifact)
        try:
            return self._load_on(devices, artifact)
        except Exception as error:  # any failure will do: the CPU runs the model then
            reason = str(error) if isinstance(error, RuntimeUnavailableError) else first_line(error)
            if wanted != "auto":
                raise RuntimeUnavailableError(f"device {wanted}: {reason}") from error
        (cpu,) = choose_devices("cpu", artifact)
        return self._load_on([cpu.because(reason)], artifact)

    def _load_on(self, devices: Sequence[Device], artifact: Artifact) -> LocalEngine:
        config = self._config
        cache = Path(config.tensorrt_cache) if config.tensorrt_cache else None
        engine = make_engine(
            artifact,
            devices,
            intra_op_threads=config.intra_op_threads,
            lone_threads=lone_threads(config),
            engine_cache=cache,
        )
        try:
            prove(engine, artifact)
            policy = policy_for(engine.traits, config)
            _warm_up(engine, artifact, policy)
        except BaseException:
            engine.close()
            raise
        return LocalEngine(engine, policy, config, self, artifact)

    def runner_of(self, engine: Engine) -> Runner:
        """Make the runner of an engine."""
        return Runner(engine, self._watchdog)

    def threads_of(self, engine: LocalEngine) -> RunnerPool | Sequence[Host] | int:
        """Give the pool that an engine shares, or the threads that it brings, or the number of those that it wants."""
        if not engine.engine.traits.shares_threads:
            return engine.engine.hosts or engine.info.runners
        if self._pool is None:
            self._pool = RunnerPool(engine.info.runners + 1, express=True)
            self._watchdog.watch(self._pool.failure)
        return self._pool

    def watch(self, pool: RunnerPool, artifact: Artifact) -> list[Callable[[], None]]:
        """Have the process end when an engine's threads die or its weights change; give functions that end this."""
        forget = [self._weights.watch(mapped_weights(artifact))]
        if pool is not self._pool:
            forget.append(self._watchdog.watch(pool.failure))
        return forget

    async def close(self) -> None:
        """End the shared threads, after every engine has been closed."""
        await asyncio.to_thread(self._weights.close)
        if self._pool is not None:
            await self._pool.close()


class LocalEngine:
    """An EngineClient over an engine of this process.

    Attributes:
        engine: runs batches.
        scheduler: the queue and its runners; after `start`.
    """

    def __init__(
        self, engine: Engine, policy: BatchPolicy, config: ServerConfig, engines: LocalEngines, artifact: Artifact
    ) -> None:
        device, traits, cores = engine.devices[0], engine.traits, usable_cores()
        runners = traits.lanes or config.runners or max(1, cores // config.intra_op_threads)
        self.engine = engine
        self.info = EngineInfo(
            precision=device.precision,
            execution_provider=device.execution_provider,
            fell_back=device.fell_back,
            runners=runners,
            idle_cores=cores if traits.lanes else max(0, cores - runners * config.intra_op_threads),
            policy=policy,
        )
        self._engines = engines
        self.scheduler: Scheduler  # after `start`
        self._artifact = artifact
        self._unwatch: list[Callable[[], None]] = []

    @property
    def queued_tokens(self) -> int:
        """Tokens that wait."""
        return self.scheduler.queued_tokens

    @property
    def queued_texts(self) -> int:
        """Texts that wait."""
        return self.scheduler.queued_texts

    def start(self, observer: Observer) -> None:
        """Start the runners, or join those that are shared; on the event loop."""
        self.scheduler = Scheduler(
            self.info.policy,
            self._engines.runner_of(self.engine),
            runners=self._engines.threads_of(self),
            observer=observer,
        )
        self._unwatch = self._engines.watch(self.scheduler.pool, self._artifact)

    def admit(self, priority: Priority, caller: str, deadline: float = math.inf) -> None:
        """Refuse work that would not be taken now, or not answered in time."""
        self.scheduler.admit(priority, caller, deadline)

    async def wait_for_room(self, priority: Priority, caller: str) -> None:
        """Return when the queue has room."""
        await self.scheduler.wait_for_room(priority, caller)

    async def submit(self, submission: Submission) -> Completed:
        """Run texts; see `EngineClient`."""
        priority, deadline, caller = submission.priority, submission.deadline, submission.caller
        entries = [
            Entry(ids=ids, task=task, priority=priority, deadline=deadline, caller=caller, origin=submission.origin)
            for ids, task in submission.texts
        ]
        return await self.scheduler.submit(entries, refuse_late=submission.refuse_late)

    async def close(self) -> None:
        """Stop or leave the runners, and give back what it holds."""
        for unwatch in self._unwatch:
            unwatch()
        await self.scheduler.close()
        self.release()

    def release(self) -> None:
        """Give back memory and threads."""
        self.engine.close()


def policy_for(traits: Traits, config: ServerConfig) -> BatchPolicy:
    """Make the batch policy: the sizes that the operator has set, else those that the engine states."""
    texts = config.max_batch_texts or traits.batch_texts
    return BatchPolicy(
        max_batch_tokens=config.max_batch_tokens or traits.batch_tokens,
        max_batch_cells=traits.most_cells,
        max_batch_texts=min(texts, traits.most_texts or texts),
        min_fill=traits.least_fill,
        max_queue_tokens=config.max_queue_tokens or traits.queue_tokens,
        max_wait_s=config.max_wait_ms / 1000,
    )


def lone_threads(config: ServerConfig) -> int:
    """Threads within one run of a text that is alone: what was configured, else the cores, as far as more help."""
    return config.lone_threads or min(usable_cores(), _MOST_LONE_THREADS)


def _warm_up(engine: Engine, artifact: Artifact, policy: BatchPolicy) -> None:
    """Run each graph once, and in several shapes where the engine adapts to them, so that no caller pays for that."""
    started, spec = time.perf_counter(), artifact.manifest.model
    shapes = [(1, 8), (1, 64), (min(4, policy.max_batch_texts), 32)]
    for rows, length in shapes if engine.traits.adapts_to_shapes else shapes[:1]:
        batch = engine.collate([[spec.encoder.pad_token_id] * min(length, spec.max_tokens)] * rows)
        for alone in (False, True):
            engine.run(Variant.EMBED, batch, [POOLED, NORMALIZED], None, alone)
        engine.run(Variant.LAYERS, batch, [SPAN_VECTORS], every_state(batch, spec.encoder.num_hidden_layers))
    if engine.traits.warm_tokens:
        _warm_up_large(engine, spec, policy)
    log.debug("warm-up took %.3f s", time.perf_counter() - started)


def _warm_up_large(engine: Engine, spec: ModelSpec, policy: BatchPolicy) -> None:
    """Run the largest batch in every lane, then sizes below it, which fit into its room.

    For packed texts alone: a padded graph on a GPU would prepare for shapes that never come again.
    """
    tokens = policy.max_batch_tokens
    while tokens > engine.traits.warm_tokens:
        length = min(-(-tokens // policy.max_batch_texts), spec.max_tokens)
        batch = engine.collate([[spec.encoder.pad_token_id] * length] * (tokens // length))
        try:
            for _ in range(engine.traits.lanes):  # lanes take turns
                engine.run(Variant.EMBED, batch, [NORMALIZED])
        except DeviceLostError:
            raise
        except Exception as error:
            log.warning("a batch of %d tokens will be run in halves: %s", tokens, first_line(error))
        tokens //= 2
