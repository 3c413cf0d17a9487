"""An engine behind a socket: every message crosses a socketpair as bytes, so that nothing but values can cross.

The far side is a thread with an event loop and a `LocalEngine` of its own. It could be a process.
"""

import asyncio
import itertools
import math
import pickle
import socket
import struct
import threading

from tests.server.faulty_engine import FaultyEngines

from polyseme.server import errors

_LENGTH = struct.Struct("<I")


async def send(writer, *message):
    data = pickle.dumps(message)
    writer.write(_LENGTH.pack(len(data)) + data)
    await writer.drain()


async def receive(reader):
    """The next message; None where there are no more."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return pickle.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


class SocketEngines:
    """Makes engines behind sockets; see `lifecycle.models.Engines`."""

    def __init__(self, config, watchdog):
        self._engines = FaultyEngines(config, watchdog)
        self.faults = self._engines.faults

    def load(self, artifact):
        return SocketEngine(self._engines.load(artifact))

    async def close(self):
        await self._engines.close()


class SocketEngine:
    """An EngineClient whose engine is on the other side of a socket."""

    def __init__(self, local):
        self.info = pickle.loads(pickle.dumps(local.info))
        self.bytes_sent = 0
        self.queued_tokens = self.queued_texts = 0
        self.far = FarSide(local)
        self._numbers = itertools.count()
        self._waiting = {}
        self._changed = None
        self._tasks = set()

    def start(self, observer):
        self._changed = asyncio.Event()
        self._observer = observer
        self._outbox = asyncio.Queue()
        near, far = socket.socketpair()
        self.far.start(far)
        self._task(self._serve(near))

    def admit(self, priority, caller, deadline=math.inf):
        if self._is_full(priority):
            raise errors.QueueFullError(f"queue has {self.queued_tokens} tokens", retry_after_s=1.0)

    async def wait_for_room(self, priority, caller):
        while self._is_full(priority):
            self._changed.clear()
            await self._changed.wait()

    async def submit(self, submission):
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._outbox.put_nowait(("submit", number, submission))
        try:
            return await future
        except asyncio.CancelledError:
            self._outbox.put_nowait(("cancel", number))
            raise
        finally:
            del self._waiting[number]

    async def close(self):
        await self._outbox.join()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self.far.join)

    def release(self):
        self.far.local.release()

    def _is_full(self, priority):
        return self.queued_tokens >= self.info.policy.max_queue_tokens // (1 + priority)

    def _task(self, coroutine):
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, near):
        reader, writer = await asyncio.open_connection(sock=near)
        self._task(self._write(writer))
        try:
            while (message := await receive(reader)) is not None:
                self._on(*message)
        finally:
            writer.close()

    async def _write(self, writer):
        while True:
            message = await self._outbox.get()
            self.bytes_sent += len(pickle.dumps(message))
            await send(writer, *message)
            self._outbox.task_done()

    def _on(self, kind, *values):
        match kind:
            case "queued":
                self.queued_tokens, self.queued_texts = values
                self._changed.set()
            case "batch":
                self._observer.batch_done(*values)
            case "completed":
                number, completed = values
                if future := self._awaited(number):
                    future.set_result(completed)
            case "failed":
                number, name, message, fields = values
                if future := self._awaited(number):
                    future.set_exception(getattr(errors, name)(message, **fields))

    def _awaited(self, number):
        """The future of a call; None where it has been cancelled, as its deadline passed on this side too."""
        future = self._waiting.get(number)
        return None if future is None or future.done() else future


class FarSide:
    """The other side: reads messages, and answers them from an engine of its own."""

    def __init__(self, local):
        self.local = local
        self._thread = None

    def start(self, sock):
        self._thread = threading.Thread(target=asyncio.run, args=[self._main(sock)], name="far-side")
        self._thread.start()

    def join(self):
        self._thread.join(300)

    async def _main(self, sock):
        reader, self._writer = await asyncio.open_connection(sock=sock)
        self._calls, self._sending = {}, asyncio.Lock()
        self.local.start(self)
        ticking = asyncio.get_running_loop().create_task(self._tell_queue())
        while (message := await receive(reader)) is not None:
            match message:
                case ("submit", number, submission):
                    self._calls[number] = asyncio.get_running_loop().create_task(self._submit(number, submission))
                case ("cancel", number):
                    self._calls[number].cancel()
        ticking.cancel()
        for call in self._calls.values():
            call.cancel()
        await asyncio.gather(*self._calls.values(), return_exceptions=True)
        await self.local.close()
        self._writer.close()

    def batch_done(self, report):
        self._calls["report"] = asyncio.get_running_loop().create_task(self._tell("batch", report))

    async def _submit(self, number, submission):
        try:
            await self._tell("completed", number, await self.local.submit(submission))
        except errors.ServerError as error:
            fields = {"retry_after_s": error.retry_after_s} if isinstance(error, errors.QueueFullError) else {}
            await self._tell("failed", number, type(error).__name__, str(error), fields)

    async def _tell_queue(self):
        while True:
            await self._tell("queued", self.local.queued_tokens, self.local.queued_texts)
            await asyncio.sleep(0.005)

    async def _tell(self, *message):
        async with self._sending:
            await send(self._writer, *message)
