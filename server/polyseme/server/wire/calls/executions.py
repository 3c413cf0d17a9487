"""The execution of a call: the model that answers, its limits, its place in the queue."""

from __future__ import annotations

from dataclasses import dataclass

from polyseme.server.inference.execution import Execution, QueueOptions
from polyseme.server.inference.validation import Limits
from polyseme.server.models.registry import Models, Registry
from polyseme.server.scheduling import Priority
from polyseme.server.wire.calls.call import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Executions:
    """Makes the executions of calls, for every contract.

    Attributes:
        registry: the models that are served.
        limits: the limits of one call.
    """

    registry: Registry
    limits: Limits

    @property
    def models(self) -> Models:
        """The models that answer a call which begins now."""
        return self.registry.models

    def of(
        self, call: Call, *, name: str = "", version: str = "", priority: Priority = Priority.INTERACTIVE
    ) -> Execution:
        """Find the model of a request and its place in the queue.

        Args:
            call: the call, or the request of a stream.
            name: of the model; empty: the default one.
            version: of the model; empty: the first one.
            priority: the queue that its texts wait in.

        Raises:
            UnknownModelError: no such model.
        """
        in_stream = call.models is not None
        model = (call.models or self.models).find(name, version)
        call.usage.model = call.usage.model or model.manifest.name
        return Execution(
            model=model,
            limits=self.limits,
            queue=QueueOptions(priority=priority, deadline=call.deadline, caller=call.caller, waits_for_room=in_stream),
            stopwatch=call.stopwatch,
            usage=call.usage,
            origin=call.origin,
            take_memory=_nothing if in_stream else call.share.take,
        )


def _nothing(_: int) -> None:
    """Count no memory."""
