"""One model, loaded and serving: its artifact, tokenizer, session and scheduler."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from polyseme.artifact import Artifact
from polyseme.artifact.graphs import NORMALIZED, POOLED
from polyseme.runtime.batch import collate
from polyseme.runtime.errors import RuntimeUnavailableError
from polyseme.runtime.session import CPU, CUDA, Device, Session, choose_device
from polyseme.runtime.tokenizer import EncodeOptions, TokenIds, TokenizedText, Tokenizer, Truncate, portions
from polyseme.server.config import ServerConfig
from polyseme.server.errors import InvalidInputError
from polyseme.server.runner import Runner
from polyseme.server.scheduling import BatchPolicy, Completed, Entry, Lane, Observer, Scheduler

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """How texts become tokens."""

    truncate: Truncate = Truncate.NONE
    add_special_tokens: bool = True
    prompt_name: str = ""


class ServedModel:
    """A model that answers. Made by `load` off the event loop, then `start`ed on it."""

    def __init__(self, artifact: Artifact, config: ServerConfig, device: Device, session: Session) -> None:
        self.manifest = artifact.manifest
        self.version = artifact.manifest.version  # hashes the manifest: once, not in every reply
        self.spec = artifact.manifest.model
        self.device = device
        self.policy = policy_for(device, config)
        self.runners = config.runners or _default_runners(device, config.intra_op_threads)
        self.tokenizer = Tokenizer(artifact.path("tokenizer.json"), vocab_size=self.spec.vocab_size)
        self._session = session
        self._executor = ThreadPoolExecutor(config.tokenizer_threads, thread_name_prefix="tokenizer")
        self._scheduler: Scheduler | None = None

    @classmethod
    def load(cls, artifact: Artifact, config: ServerConfig) -> ServedModel:
        """Load session and tokenizer, and run the model once on every core. Blocks for up to seconds.

        Raises:
            RuntimeUnavailableError: the device or the graph cannot be used.
            TokenizerError: the tokenizer cannot.
        """
        device = choose_device(config.device, artifact)
        try:
            session = Session(artifact, device, intra_op_threads=config.intra_op_threads)
        except RuntimeUnavailableError as error:
            if config.device != "auto" or device.execution_provider != CUDA:
                raise
            device = choose_device("cpu", artifact).because(str(error))
            session = Session(artifact, device, intra_op_threads=config.intra_op_threads)
        model = cls(artifact, config, device, session)
        model._warm_up()
        return model

    def start(self, observer: Observer) -> None:
        """Start the runners; on the event loop."""
        runner = Runner(self._session, pad_token_id=self.spec.pad_token_id)
        self._scheduler = Scheduler(self.policy, runner, runners=self.runners, observer=observer)

    async def close(self) -> None:
        """Stop the runners and the tokenizer threads."""
        await self.scheduler.close()
        self._executor.shutdown(wait=False, cancel_futures=True)

    @property
    def scheduler(self) -> Scheduler:
        """The queue and its runners; after `start`."""
        if self._scheduler is None:
            raise RuntimeError("the model has not been started")
        return self._scheduler

    async def encode(self, texts: Sequence[str], options: TextOptions) -> list[TokenIds]:
        """Token ids of texts, cut to the model's length, off the event loop.

        Raises:
            InvalidInputError: unknown prompt; a text is too long (truncate=none), or has no token at all.
        """
        self.scheduler.refuse_if_full()  # before work is put into texts that would be refused after it
        encoded: list[TokenIds] = []
        for portion in portions(texts):
            encoded += await self._off_loop(self.tokenizer.encode, portion, self._encode_options(options))
            self._refuse_unfit(encoded, len(encoded) - len(portion))
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

    def _refuse_unfit(self, encoded: Sequence[TokenIds], first: int) -> None:
        """Refuse texts from index `first` on that have too many tokens, or none."""
        limit = self.spec.max_tokens
        for index in range(first, len(encoded)):
            tokens = len(encoded[index].ids)
            if tokens > limit:
                raise InvalidInputError(f"texts[{index}] has {tokens} tokens; limit {limit} (truncate=none)")
            if not tokens:
                raise InvalidInputError(f"texts[{index}] has 0 tokens; at least 1 is needed (add_special_tokens=false)")

    async def embed(
        self, encoded: Sequence[TokenIds], *, normalize: bool, lane: Lane, deadline: float
    ) -> tuple[npt.NDArray[np.float32], Completed]:
        """Vectors of texts.

        Args:
            encoded: as `encode` gave them.
            normalize: whether each vector is scaled to length 1.
            lane: interactive or bulk.
            deadline: on the monotonic clock, in seconds.

        Returns:
            [N, D] float32, and when it was run.

        Raises:
            QueueFullError, DeadlineExpiredError, EngineError: as `Scheduler.submit`.
        """
        output = NORMALIZED if normalize else POOLED
        entries = [Entry(ids=text.ids, output=output, lane=lane, deadline=deadline) for text in encoded]
        completed = await self.scheduler.submit(entries)
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
        for rows, length in ((1, 8), (1, 64), (min(4, self.policy.max_batch_texts), 32)):
            row = [ids[i % len(ids)] for i in range(min(length, self.spec.max_tokens))]
            self._session.run(collate([row] * rows, self.spec.pad_token_id), [POOLED, NORMALIZED])
        log.debug("warm-up took %.3f s", time.perf_counter() - started)


def policy_for(device: Device, config: ServerConfig) -> BatchPolicy:
    """The batch policy: what was configured, else what measured best on the kind of device."""
    # On a CPU batching saves nothing and padding costs (bench/results/serving.md); a GPU is filled by large batches.
    on_cpu = device.execution_provider == CPU
    tokens, texts, queue = (1024, 4, 65_536) if on_cpu else (32_768, 1024, 1 << 20)
    return BatchPolicy(
        max_batch_tokens=config.max_batch_tokens or tokens,
        max_batch_texts=config.max_batch_texts or texts,
        min_fill=0.9 if on_cpu else 0.75,
        max_queue_tokens=config.max_queue_tokens or queue,
        max_wait_s=config.max_wait_ms / 1000,
    )


def _default_runners(device: Device, intra_op_threads: int) -> int:
    if device.execution_provider != CPU:
        return 1
    return max(1, len(os.sched_getaffinity(0)) // intra_op_threads)
