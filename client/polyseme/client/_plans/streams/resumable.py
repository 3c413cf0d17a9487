"""StreamEmbed from the asking side: a window of unanswered requests, kept full, answered in order. No I/O.

A request that a full server refuses is sent again after the delay that the server names. A stream that breaks because
the server goes away is opened again, and all unanswered requests are sent again. A request of several texts that fails
for another reason is replaced by smaller ones, to find the text that it fails for.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from polyseme.client._plans.streams.job import ReplyAssembler, StreamJob, StreamRequest
from polyseme.client._transport.rpc import (
    STREAM_EMBED,
    EndStream,
    OpenStream,
    Pause,
    Plan,
    Receive,
    Send,
    decode,
    no_reply_within,
)
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
"""Requests of one stream that wait for their answers; this bounds the memory of both sides."""
MAX_TRIES: Final = 5
"""Streams opened again in a row without an answer. The waits before them add up to 7.75 s: a server that loads a large
model is back by then."""
FIRST_WAIT_S: Final = 0.25  # doubled each time
GRACE_S: Final = 1.0
"""Time that the server may take to end a stream after its last answer."""

_A = TypeVar("_A")


class ResumableStream(Generic[_A]):
    """One operation over StreamEmbed, over as many streams as it needs.

    Args of the constructor: the job to do; seconds that a reply may take, None: without end; the server's name in
    errors; a clock in seconds.
    """

    def __init__(self, job: StreamJob[_A], *, timeout: float | None, target: str, clock: Callable[[], float]) -> None:
        self._job, self._timeout, self._target, self._clock = job, timeout, target, clock
        self._undelivered: deque[StreamRequest[_A]] = deque()  # in order
        self._unsent: list[StreamRequest[_A]] = []  # to be sent, for the first time or again; in order
        self._sent: deque[StreamRequest[_A]] = deque()  # on the stream and unanswered, in order of sequence
        self._assembler: ReplyAssembler[_A] | None = None  # of the reply to the first of those sent
        self._sequence = 0  # of the first of those sent
        self._is_open = False
        self._is_half_closed = False  # the server was told that no more requests follow
        self._exhausted = False
        self._window = MAX_UNANSWERED
        self._tries = 0
        self._resume_at = 0.0
        self._full_since: float | None = None

    def run(self) -> Plan[None]:
        """Send all requests and deliver all answers.

        Raises:
            PolysemeError: the operation failed as a whole.
        """
        while True:
            yield from self._deliver()
            sent = yield from self._send()
            if self._sent:
                yield from self._receive(poll=sent)
            elif self._unsent:
                if (wait := self._resume_at - self._clock()) > 0:
                    yield Pause(wait)
            elif self._exhausted and not self._undelivered:
                break
        if self._is_open:
            yield EndStream(GRACE_S)

    def _deliver(self) -> Plan[None]:
        while self._undelivered:
            request = self._undelivered[0]
            if request.replacements:
                self._undelivered.popleft()
                self._undelivered.extendleft(reversed(request.replacements))
            elif request.answer is None:
                return
            else:
                self._undelivered.popleft()
                yield from self._job.deliver(request)

    def _send(self) -> Plan[bool]:
        """Send at most one request; give whether there may be another."""
        if len(self._sent) >= self._window or self._clock() < self._resume_at or (self._is_half_closed and self._sent):
            return False
        if not self._unsent and not (yield from self._pull()):
            return False
        if not self._unsent:
            return True  # the next request has its answer already
        if self._is_half_closed:
            yield from self._end_stream()
        if not self._is_open:
            yield OpenStream(STREAM_EMBED)
            self._is_open = True
        request = self._unsent.pop(0)
        self._sent.append(request)
        yield Send(self._job.encode(request).SerializeToString())
        return True

    def _pull(self) -> Plan[bool]:
        if self._exhausted or len(self._undelivered) >= MAX_UNANSWERED:
            return False
        request = yield from self._job.next_request()
        if request is None:
            self._exhausted = True
            if self._is_open:
                self._is_half_closed = True
                yield Send(None)
            return False
        self._undelivered.append(request)
        if request.answer is None:
            self._unsent.append(request)
        return True

    def _receive(self, *, poll: bool) -> Plan[None]:
        """Receive one chunk, or none where there is something to send first."""
        wait, until_resumed = self._timeout, self._resume_at - self._clock()
        early = poll or (until_resumed > 0 and (wait is None or until_resumed < wait))
        if early:
            wait = 0.0 if poll else until_resumed
        try:
            reply = yield Receive(wait)
            if reply is not None:
                self._add_chunk(decode(service_pb2.StreamEmbedResponse, reply))
        except (UnavailableError, ResourceExhaustedError) as error:
            yield from self._reopen_later(error)
        else:
            if reply is None and not early and self._timeout is not None:
                raise DeadlineExceededError(f"{self._target}: {no_reply_within(self._timeout)}", target=self._target)

    def _add_chunk(self, chunk: service_pb2.StreamEmbedResponse) -> None:
        request = self._sent[0]
        if chunk.sequence != self._sequence:
            raise InvalidReplyError(f"reply to request {chunk.sequence} of the stream; expected {self._sequence}")
        if chunk.WhichOneof("result") == "error":
            self._refused(request, error_from_stream(chunk.error, self._target))
        else:
            self._assembler = self._assembler or self._job.assembler(request)
            self._assembler.add(chunk)
            if not chunk.last_chunk:
                return
            request.answer = self._assembler.assembled()
            self._tries, self._full_since, self._window = 0, None, min(self._window + 1, MAX_UNANSWERED)
        self._sent.popleft()
        self._sequence, self._assembler = self._sequence + 1, None

    def _refused(self, request: StreamRequest[_A], error: PolysemeError) -> None:
        if isinstance(error, UnavailableError):
            raise error  # the server drains: as if the stream had broken
        if isinstance(error, ResourceExhaustedError) and error.retry_after:
            self._back_off(error)
            bisect.insort(self._unsent, request, key=_first)
            return
        request.replacements = self._job.replace_refused(request, error)
        if request.replacements:
            self._unsent[:0] = request.replacements
            self._unsent.sort(key=_first)
        else:
            request.answer = error

    def _reopen_later(self, error: UnavailableError | ResourceExhaustedError) -> Plan[None]:
        """Prepare to send again all that was on a broken stream.

        Raises:
            PolysemeError: the error, after too many tries or where the server does not say when to try again.
        """
        yield from self._end_stream()
        for request in self._sent:
            bisect.insort(self._unsent, request, key=_first)
        self._sent.clear()
        if isinstance(error, ResourceExhaustedError):
            self._back_off(error)
            return
        self._tries += 1
        if self._tries > MAX_TRIES:
            raise error
        self._resume_at = self._clock() + FIRST_WAIT_S * 2 ** (self._tries - 1)

    def _end_stream(self) -> Plan[None]:
        yield EndStream()
        self._is_open = self._is_half_closed = False
        self._sequence, self._assembler = 0, None

    def _back_off(self, error: ResourceExhaustedError) -> None:
        """Send nothing until the server has room, and fewer requests at once from then on.

        Raises:
            ResourceExhaustedError: the error, where that would last longer than the timeout.
        """
        now = self._clock()
        if not error.retry_after:
            raise error
        if self._full_since is None:
            self._full_since = now
        if self._timeout is not None and now + error.retry_after > self._full_since + self._timeout:
            raise error
        if now >= self._resume_at:  # the first refusal among requests that were under way together
            self._window = max(1, self._window // 2)
        self._resume_at = max(self._resume_at, now + error.retry_after)


def _first(request: StreamRequest[Any]) -> int:
    return request.first
