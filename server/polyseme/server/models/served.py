"""One model, loaded and serving: its artifact, tokenizer, session and scheduler."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from polyseme.artifact import TOKENIZER, Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED, POOLED, SPAN_VECTORS, half
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.engine import Engine, PackedEngine, make_engine
from polyseme.runtime.engines.onnxruntime.devices import CPU, CUDA, Device, choose_devices
from polyseme.runtime.errors import RuntimeUnavailableError
from polyseme.runtime.text import words
from polyseme.runtime.text.tokenizer import EncodeOptions, TokenIds, TokenizedText, Tokenizer, Truncate, portions
from polyseme.runtime.verification.proof import prove
from polyseme.server.config import ServerConfig
from polyseme.server.engine.runner import Runner, Wanted
from polyseme.server.engine.watchdog import Vitals
from polyseme.server.errors import InvalidInputError, QueueFullError
from polyseme.server.inference.layers import LayerMix
from polyseme.server.scheduling import BatchPolicy, Completed, Entry, Lane, Observer, Pool, Scheduler

T = TypeVar("T")
Asked: TypeAlias = tuple[Sequence[int], str | Wanted]
Namer: TypeAlias = Callable[[int], str]

log = logging.getLogger(__name__)

_PACKED_CELLS = 1 << 20  # texts times longest: 4 bytes of each GPU's scratch memory per head


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """How texts become tokens."""

    truncate: Truncate = Truncate.NONE
    add_special_tokens: bool = True
    prompt_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a call waits.

    Attributes:
        lane: interactive or bulk.
        deadline: when its caller stops waiting; monotonic seconds.
        patient: whether it waits for room where the queue is full, and is not refused.
    """

    lane: Lane = Lane.INTERACTIVE
    deadline: float = math.inf
    patient: bool = False


class ServedModel:
    """A model that answers. Made by `load` off the event loop, then `start`ed on it."""

    def __init__(self, artifact: Artifact, config: ServerConfig, engine: Engine) -> None:
        self.manifest = artifact.manifest
        self.version = artifact.manifest.version  # hashes the manifest: once, not in every reply
        self.spec = artifact.manifest.model
        self.engine = engine
        self.device = engine.devices[0]
        self.policy = policy_for(engine, config)
        self.runners = engine.lanes or config.runners or _default_runners(self.device, config.intra_op_threads)
        self.tokenizer = Tokenizer(artifact.path(TOKENIZER), vocab_size=self.spec.vocab_size)
        self._executor = ThreadPoolExecutor(config.tokenizer_threads, thread_name_prefix="tokenizer")
        self._scheduler: Scheduler | None = None

    @classmethod
    def load(cls, artifact: Artifact, config: ServerConfig) -> ServedModel:
        """Load sessions and tokenizer, and run the model once on every core. Blocks for up to seconds.

        Raises:
            RuntimeUnavailableError: the device or the graph cannot be used.
            TokenizerError: the tokenizer cannot.
        """
        devices = choose_devices(config.device, artifact)
        try:
            engine = _proven_engine(artifact, devices, config)
        except RuntimeUnavailableError as error:
            if config.device != "auto" or devices[0].execution_provider != CUDA:
                raise
            (cpu,) = choose_devices("cpu", artifact)
            engine = _proven_engine(artifact, [cpu.because(str(error))], config)
        model = cls(artifact, config, engine)
        model._warm_up()
        return model

    @property
    def shares_runners(self) -> bool:
        """Whether it runs on the threads of all models on the CPU; a GPU's lanes have threads of their own."""
        return not self.engine.lanes and self.device.execution_provider == CPU

    def start(self, observer: Observer, vitals: Vitals, pool: Pool | None = None) -> None:
        """Start its runners, or join those of a pool; on the event loop."""
        runner = Runner(self.engine, vitals, self.spec.hidden_size)
        self._scheduler = Scheduler(self.policy, runner, runners=pool or self.runners, observer=observer)

    async def close(self) -> None:
        """Stop or leave the runners, and give back what it holds."""
        await self.scheduler.close()
        self.release()

    def release(self) -> None:
        """Give back what it holds, once nothing is run any more, or if it was never started."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self.engine.close()

    @property
    def scheduler(self) -> Scheduler:
        """The queue and its runners; after `start`."""
        if self._scheduler is None:
            raise RuntimeError("the model has not been started")
        return self._scheduler

    async def encode(
        self, texts: Sequence[str], options: TextOptions, terms: Terms, at: Namer = "texts[{}]".format
    ) -> list[TokenIds]:
        """Token ids of texts, cut to the model's length, off the event loop.

        Args:
            texts: what to encode.
            options: how.
            terms: those of the call.
            at: what messages call text i.

        Raises:
            InvalidInputError: unknown prompt; a text is too long (truncate=none), or has no token at all.
            QueueFullError: what comes of it would not be admitted.
        """
        await self.admit(terms)
        encoded: list[TokenIds] = []
        for portion in portions(texts):
            encoded += await self._off_loop(self.tokenizer.encode, portion, self._encode_options(options))
            for index in range(len(encoded) - len(portion), len(encoded)):
                self.refuse_unfit(encoded[index], at(index))
        return encoded

    async def tokenize(self, texts: Sequence[str], options: TextOptions, use: Callable[[TokenizedText], T]) -> list[T]:
        """Tokens of texts with offsets, off the event loop. With truncate=none, all of them.

        Args:
            texts: what to tokenize.
            options: how.
            use: called with each text's tokens, in order, on the tokenizer's thread: a quarter of a million tokens
                would hold up the event loop. What it raises ends the call.

        Raises:
            InvalidInputError: unknown prompt.
        """

        def work(texts: Sequence[str], options: EncodeOptions) -> list[T]:
            return [use(tokens) for tokens in self.tokenizer.tokenize(texts, options)]

        used: list[T] = []
        for portion in portions(texts):
            used += await self._off_loop(work, portion, self._encode_options(options))
        return used

    def refuse_unfit(self, text: TokenIds, at: str) -> None:
        """Refuse a text that has too many tokens, or none.

        Raises:
            InvalidInputError: what `at` calls the text, got, limit.
        """
        tokens, limit = len(text.ids), self.spec.max_tokens
        if tokens > limit:
            raise InvalidInputError(f"{at} has {tokens} tokens; limit {limit} (truncate=none)")
        if not tokens:
            raise InvalidInputError(f"{at} has 0 tokens; at least 1 is needed (add_special_tokens=false)")

    async def admit(self, terms: Terms) -> None:
        """Let a call in, before work is put into texts that would be refused after it.

        Raises:
            QueueFullError: too much waits already, and the call does not.
        """
        if terms.patient:
            await self.scheduler.wait_for_room(terms.lane)
        self.scheduler.refuse_if_full(terms.lane)

    async def run(self, asked: Iterable[Asked], terms: Terms, kind: LayerMix | None = None) -> Completed:
        """Run texts: token ids, and what is wanted of each.

        Args:
            asked: per text its ids; without a kind the output of the `embed` graph, else `Wanted`.
            terms: those of the call.
            kind: the layers, where tokens or spans are wanted.

        Raises:
            QueueFullError, DeadlineExpiredError, EngineError: as `Scheduler.submit`.
        """
        entries = [
            Entry(ids=ids, wanted=wanted, kind=kind, lane=terms.lane, deadline=terms.deadline) for ids, wanted in asked
        ]
        while True:
            try:
                return await self.scheduler.submit(entries)
            except QueueFullError:
                if not terms.patient:
                    raise
                await self.scheduler.wait_for_room(terms.lane)

    async def embed(
        self, encoded: Sequence[TokenIds], *, normalize: bool, terms: Terms, halved: bool = False
    ) -> tuple[npt.NDArray[Any], Completed]:
        """Vectors of texts.

        Args:
            encoded: as `encode` gave them.
            normalize: whether each vector is scaled to length 1.
            terms: those of the call.
            halved: whether float16 is enough.

        Returns:
            [N, D] float32, or float16 where that is enough and can hold it, and when it was run.

        Raises:
            QueueFullError, DeadlineExpiredError, EngineError: as `Scheduler.submit`.
        """
        output = NORMALIZED if normalize else POOLED
        wanted = half(output) if halved else output
        completed = await self.run([(text.ids, wanted) for text in encoded], terms)
        return np.stack(completed.rows), completed

    async def _off_loop(
        self, tokenize: Callable[[Sequence[str], EncodeOptions], T], texts: Sequence[str], options: EncodeOptions
    ) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, tokenize, texts, options)

    def _encode_options(self, options: TextOptions) -> EncodeOptions:
        return EncodeOptions(
            limit=self.spec.max_tokens,
            truncate=options.truncate,
            add_special_tokens=options.add_special_tokens,
            prompt=self._prompt(options.prompt_name),
        )

    def _prompt(self, name: str) -> str:
        name = name or self.spec.default_prompt_name
        if not name:
            return ""
        try:
            return self.spec.prompts[name]
        except KeyError:
            known = ", ".join(sorted(self.spec.prompts)) or "none"
            raise InvalidInputError(
                f"prompt_name: {self.manifest.name} has no prompt of that name; it has: {known}"
            ) from None

    def _warm_up(self) -> None:
        """Run short and long texts in small and full batches, so that no caller pays for first allocations."""
        started = time.perf_counter()
        ids = self.tokenizer.encode(["warm up"], self._encode_options(TextOptions(truncate=Truncate.END)))[0].ids
        next(self.tokenizer.tokenize(["warm up"], self._encode_options(TextOptions(truncate=Truncate.END))))
        list(words.words("warm up"))
        for rows, length in ((1, 8), (1, 64), (min(4, self.policy.max_batch_texts), 32)):
            row = [ids[i % len(ids)] for i in range(min(length, self.spec.max_tokens))]
            batch = self.engine.collate([row] * rows)
            self.engine.run(Variant.EMBED, batch, [POOLED, NORMALIZED])
            every = every_state(batch, self.spec.num_hidden_layers)
            self.engine.run(Variant.LAYERS, batch, [SPAN_VECTORS], every)
        log.debug("warm-up took %.3f s", time.perf_counter() - started)


def _proven_engine(artifact: Artifact, devices: Sequence[Device], config: ServerConfig) -> Engine:
    cache = Path(config.tensorrt_cache) if config.tensorrt_cache else None
    engine = make_engine(artifact, devices, intra_op_threads=config.intra_op_threads, engine_cache=cache)
    try:
        prove(engine, artifact)
    except BaseException:
        engine.close()
        raise
    return engine


def policy_for(engine: Engine, config: ServerConfig) -> BatchPolicy:
    """The batch policy: what was configured, else what measured best on the kind of device."""
    # On a CPU batching saves nothing and padding costs (bench/results/serving.md); a GPU is filled by large batches.
    on_cpu = engine.devices[0].execution_provider == CPU
    tokens, texts, queue = (1024, 4, 65_536) if on_cpu else (32_768, 1024, 1 << 20)
    packed = isinstance(engine, PackedEngine)
    texts = config.max_batch_texts or texts
    return BatchPolicy(
        max_batch_tokens=config.max_batch_tokens or tokens,
        max_batch_cells=_PACKED_CELLS if packed else 0,
        max_batch_texts=min(texts, engine.most_texts or texts),
        min_fill=0.0 if packed else 0.9 if on_cpu else 0.75,
        max_queue_tokens=config.max_queue_tokens or queue,
        max_wait_s=config.max_wait_ms / 1000,
    )


def _default_runners(device: Device, intra_op_threads: int) -> int:
    if device.execution_provider != CPU:
        return 1
    return max(1, len(os.sched_getaffinity(0)) // intra_op_threads)
