"""StreamEmbed from the asking side: a window of unanswered requests, kept full and answered in order. No I/O.

A request that a full server refuses is sent again when the server says. A stream that breaks because the server goes
away is opened again, and all that was unanswered is sent again. A request of several texts that fails for another
reason is taken apart, to find the text that it was.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from polyseme.client._plans.streams.job import Message, Reply, Topic
from polyseme.client._transport.rpc import STREAM_EMBED, EndStream, OpenStream, Pause, Plan, Receive, Send, decode
from polyseme.client._transport.status import error_from_stream
from polyseme.client.errors import (
    DeadlineExceededError,
    InvalidReplyError,
    PolysemeError,
    ResourceExhaustedError,
    UnavailableError,
)
from polyseme.v1 import embedding_service_pb2 as service_pb2

MAX_UNANSWERED: Final = 16
"""Requests of one stream that wait for their answers: what the memory of both sides is bounded by."""
MAX_TRIES: Final = 5
"""Streams opened again in a row without an answer. The waits before them add up to 7.75 s: a server that loads a large
model is back by then."""
FIRST_WAIT_S: Final = 0.25  # doubled each time
GRACE_S: Final = 1.0
"""How long the server may take to end a stream after its last answer."""

_A = TypeVar("_A")


class Conversation(Generic[_A]):
    """One operation over StreamEmbed, over as many streams as it needs.

    Args of the constructor: what it is about; seconds that a reply may take, None: without end; what errors call the
    server; and a clock in seconds.
    """

    def __init__(self, topic: Topic[_A], *, timeout: float | None, target: str, clock: Callable[[], float]) -> None:
        self._topic, self._timeout, self._target, self._clock = topic, timeout, target, clock
        self._pending: deque[Message[_A]] = deque()  # all that was not delivered, in order
        self._queued: list[Message[_A]] = []  # those to be sent (again), in order
        self._sent: deque[Message[_A]] = deque()  # those on the stream, in order of sequence
        self._reply: Reply[_A] | None = None  # to the first of those sent, as far as it has come
        self._sequence = 0  # of the first of those sent
        self._open = False
        self._said_last = False
        self._exhausted = False
        self._window = MAX_UNANSWERED
        self._tries = 0
        self._resume_at = 0.0
        self._full_since: float | None = None

    def run(self) -> Plan[None]:
        """Ask until everything is answered and delivered."""
        while True:
            yield from self._deliver()
            moved = yield from self._send()
            if self._sent:
                yield from self._receive(poll=moved)
            elif self._queued:
                if (wait := self._resume_at - self._clock()) > 0:
                    yield Pause(wait)
            elif self._exhausted and not self._pending:
                break
        if self._open:
            yield EndStream(GRACE_S)

    def _deliver(self) -> Plan[None]:
        while self._pending:
            message = self._pending[0]
            if message.parts:
                self._pending.popleft()
                self._pending.extendleft(reversed(message.parts))
            elif message.answer is None:
                return
            else:
                self._pending.popleft()
                yield from self._topic.deliver(message)

    def _send(self) -> Plan[bool]:
        """Send at most one message; gives whether there may be another."""
        if len(self._sent) >= self._window or self._clock() < self._resume_at or (self._said_last and self._sent):
            return False
        if not self._queued and not (yield from self._pull()):
            return False
        if not self._queued:
            return True  # what was pulled has its answer already
        if self._said_last:
            yield from self._hang_up()
        if not self._open:
            yield OpenStream(STREAM_EMBED)
            self._open = True
        message = self._queued.pop(0)
        self._sent.append(message)
        yield Send(self._topic.encode(message).SerializeToString())
        return True

    def _pull(self) -> Plan[bool]:
        if self._exhausted or len(self._pending) >= MAX_UNANSWERED:
            return False
        message = yield from self._topic.pull()
        if message is None:
            self._exhausted = True
            if self._open:
                self._said_last = True
                yield Send(None)
            return False
        self._pending.append(message)
        if message.answer is None:
            self._queued.append(message)
        return True

    def _receive(self, *, poll: bool) -> Plan[None]:
        """Take one reply, or none where it is too early for that."""
        wait, room_in = self._timeout, self._resume_at - self._clock()
        early = poll or (room_in > 0 and (wait is None or room_in < wait))
        if early:
            wait = 0.0 if poll else room_in
        try:
            reply = yield Receive(wait)
            if reply is not None:
                self._take(decode(service_pb2.StreamEmbedResponse, reply))
        except (UnavailableError, ResourceExhaustedError) as error:
            yield from self._lost(error)
        else:
            if reply is None and not early:
                raise DeadlineExceededError(f"{self._target}: no reply within {self._timeout} s", target=self._target)

    def _take(self, chunk: service_pb2.StreamEmbedResponse) -> None:
        message = self._sent[0]
        if chunk.sequence != self._sequence:
            raise InvalidReplyError(f"reply to request {chunk.sequence} of the stream; expected {self._sequence}")
        if chunk.WhichOneof("result") == "error":
            self._refused(message, error_from_stream(chunk.error, self._target))
        else:
            self._reply = self._reply or self._topic.reply(message)
            self._reply.add(chunk)
            if not chunk.last_chunk:
                return
            message.answer = self._reply.answer()
            self._tries, self._full_since, self._window = 0, None, min(self._window + 1, MAX_UNANSWERED)
        self._sent.popleft()
        self._sequence, self._reply = self._sequence + 1, None

    def _refused(self, message: Message[_A], error: PolysemeError) -> None:
        if isinstance(error, UnavailableError):
            raise error  # the server drains: as if the stream had broken
        if isinstance(error, ResourceExhaustedError) and error.retry_after:
            self._wait_for_room(error)
            bisect.insort(self._queued, message, key=_first)
            return
        message.parts = self._topic.refused(message, error)
        if message.parts:
            self._queued[:0] = message.parts
            self._queued.sort(key=_first)
        else:
            message.answer = error

    def _lost(self, error: UnavailableError | ResourceExhaustedError) -> Plan[None]:
        """Come again after the stream has broken; raises the error where that is in vain."""
        yield from self._hang_up()
        for message in self._sent:
            bisect.insort(self._queued, message, key=_first)
        self._sent.clear()
        if isinstance(error, ResourceExhaustedError):
            self._wait_for_room(error)
            return
        self._tries += 1
        if self._tries > MAX_TRIES:
            raise error
        self._resume_at = self._clock() + FIRST_WAIT_S * 2 ** (self._tries - 1)

    def _hang_up(self) -> Plan[None]:
        yield EndStream()
        self._open = self._said_last = False
        self._sequence, self._reply = 0, None

    def _wait_for_room(self, error: ResourceExhaustedError) -> None:
        """Send nothing until the server says, and less at once then; raises the error where that lasts too long."""
        now = self._clock()
        if not error.retry_after:
            raise error
        if self._full_since is None:
            self._full_since = now
        if self._timeout is not None and now + error.retry_after > self._full_since + self._timeout:
            raise error
        if now >= self._resume_at:  # the first refusal of those that were under way together
            self._window = max(1, self._window // 2)
        self._resume_at = max(self._resume_at, now + error.retry_after)


def _first(message: Message[Any]) -> int:
    return message.first
