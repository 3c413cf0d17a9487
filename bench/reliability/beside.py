"""How long others wait beside an attack: their p99, in rounds that take turns with rounds without it."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
from bench.reliability.outcome import Outcome
from bench.reliability.place import Place

from polyseme.v1 import embedding_service_pb2 as pb

ROUNDS = 3
ROUND_S = 12.0
SETTLE_S = 1.0
THINK_S = 0.005
Attack = Callable[[str], None]


class Beside:
    """A server, and a caller of single texts who calls it over one connection.

    Args:
        target: where the server listens.
        place: how much is tried.
    """

    def __init__(self, target: str, place: Place) -> None:
        self._target = target
        self._rounds, self._round_s = (1, 1.0) if place.short else (ROUNDS, ROUND_S)

    def measure(self, what: str, attack: Attack, most: float, share: float = 0.99) -> Outcome:
        """Call without the attack and beside it, in turn; a percentile, p99, may be so many times that without."""
        idle: list[float] = []
        beside: list[float] = []
        failed = 0
        with grpc.insecure_channel(self._target) as channel:
            for _ in range(self._rounds):
                failed += self._call(channel, idle)
                with attacking(attack, self._target):
                    time.sleep(SETTLE_S)
                    failed += self._call(channel, beside)
                time.sleep(SETTLE_S)
        with_it, without = (1e3 * sorted(seconds)[int(len(seconds) * share)] for seconds in (beside, idle))
        return Outcome(
            what=f"others beside {what}: p{100 * share:.0f}",
            tries=len(idle) + len(beside),
            failed=failed,
            figure=f"{with_it:.1f} ms beside {without:.1f} idle: {with_it / without:.1f}x",
            bound=f"{most:g}x",
            within=with_it <= most * without,
            timed=True,
        )

    def _call(self, channel: grpc.Channel, seconds: list[float]) -> int:
        """Call for one round; gives how many calls failed."""
        stub: grpc.UnaryUnaryMultiCallable[bytes, bytes]
        stub = channel.unary_unary("/polyseme.v1.EmbeddingService/Embed")
        request = pb.EmbedRequest(texts=["We sat on the bank of the river."]).SerializeToString()
        end = time.monotonic() + self._round_s
        failed = 0
        while time.monotonic() < end:
            began = time.perf_counter()
            try:
                stub(request, timeout=60)
            except grpc.RpcError:
                failed += 1
            seconds.append(time.perf_counter() - began)
            time.sleep(THINK_S)
        return failed


@contextmanager
def attacking(attack: Attack, target: str) -> Iterator[None]:
    """An attack from a process of its own, which is killed at the end."""
    process = multiprocessing.get_context("spawn").Process(target=attack, args=(target,), daemon=True)
    process.start()
    try:
        yield
        if process.exitcode is not None:
            raise SystemExit(f"the attack ended with exit code {process.exitcode}")
    finally:
        process.kill()
        process.join()
