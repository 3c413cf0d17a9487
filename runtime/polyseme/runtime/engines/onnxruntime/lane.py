"""A thread of a packed engine, and the sessions that belong to it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from polyseme.artifact import Artifact, Variant
from polyseme.runtime.batches.packed import Bucket
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.access import using
from polyseme.runtime.engines.onnxruntime.packed_session import PackedSession

T = TypeVar("T")


class Lane:
    """A thread, and the sessions that belong to it."""

    def __init__(self, name: str, device: Device) -> None:
        self.sessions: dict[str, PackedSession] = {}
        self._device = device
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]] | None]
        self._calls = queue.SimpleQueue()
        # A daemon: a device that hangs must not keep the process from ending.
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def call(self, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401  whatever the function takes
        """Call a function on the lane's thread, and wait for what it gives or raises."""
        future = self.begin(function, *arguments)
        try:
            return future.result()
        finally:
            # An error's traceback has this frame, and the future has the error: what it holds on the device would wait
            # for the garbage collector, which frees at any time and on any thread.
            del future

    def begin(self, function: Callable[..., T], *arguments: Any) -> Future[T]:  # noqa: ANN401
        """Call a function on the lane's thread, after those before it."""
        future: Future[T] = Future()
        self._calls.put((future, function, arguments))
        return future

    def end(self) -> None:
        """End the thread, and what belongs to it."""
        self._calls.put(None)

    def load(
        self,
        artifact: Artifact,
        weights: Mapping[str, Any],
        buckets: Sequence[Bucket],
        cpu_graphs: Mapping[str, bytes],
    ) -> None:
        """Make the sessions; on the lane's thread."""
        for variant in Variant:
            shapes = buckets if variant is Variant.EMBED else ()
            self.sessions[variant] = PackedSession(
                artifact, self._device, variant, weights=weights, buckets=shapes, cpu_graph=cpu_graphs.get(variant)
            )

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function, arguments = call
            try:
                result = function(*arguments)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            del call, future, function, arguments  # keep nothing while the lane waits
        with using(self._device):
            self.sessions = {}
