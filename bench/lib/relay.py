"""A TCP relay between a client and a server: counts HTTP/2 frames, falls silent, cuts connections. For plaintext."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Final

PING: Final = 0x6
GOAWAY: Final = 0x7
_PREFACE: Final = 24  # bytes that a client sends before its first frame; RFC 9113, 3.4
_HEADER: Final = 9  # bytes before the payload of a frame; RFC 9113, 4.1
_ACK: Final = 0x1


class FrameCounter:
    """Counts the frames of one direction of one connection, acknowledgements apart."""

    def __init__(self, counts: Counter[int], skip: int) -> None:
        self._counts = counts
        self._skip = skip  # bytes before the next frame's header
        self._header = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        while data:
            if self._skip:
                skipped = min(self._skip, len(data))
                self._skip -= skipped
                data = data[skipped:]
                continue
            missing = _HEADER - len(self._header)
            self._header += data[:missing]
            data = data[missing:]
            if len(self._header) == _HEADER:
                kind, flags = self._header[3], self._header[4]
                if not (kind == PING and flags & _ACK):
                    self._counts[kind] += 1
                self._skip = int.from_bytes(self._header[:3], "big")
                self._header = b""


class Relay:
    """Relays every connection to one address, on a thread of its own. Use as a context manager.

    Attributes:
        port: where it listens on 127.0.0.1.
        from_client: frames by type; from_server: the same.
        cut_after: bytes from the server after which the next connection is cut; None: none is.
    """

    def __init__(self, target: str) -> None:
        self._host, _, port = target.partition(":")
        self._target_port = int(port)
        self.from_client: Counter[int] = Counter()
        self.from_server: Counter[int] = Counter()
        self.cut_after: int | None = None
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._connections: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)

    @property
    def target(self) -> str:
        """Where to connect to."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Relay:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def close(self) -> None:
        """Cut every connection, and take no other."""
        self._run(self._close())

    def fall_silent(self) -> None:
        """Carry nothing more, and keep every connection open, as a network does that has lost its route."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def speak_again(self) -> None:
        """Carry what has come meanwhile, and all that follows."""
        self._loop.call_soon_threadsafe(self._flows.set)

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        tasks = tuple(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports close one turn of the loop later

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, directions = None, []
        try:
            await self._flows.wait()
            upstream = await asyncio.open_connection(self._host, self._target_port)
            cut_after, self.cut_after = self.cut_after, None
            up = self._carry(reader, upstream[1], FrameCounter(self.from_client, _PREFACE), None)
            down = self._carry(upstream[0], writer, FrameCounter(self.from_server, 0), cut_after)
            directions = [asyncio.create_task(up), asyncio.create_task(down)]
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass
        finally:
            for direction in directions:
                direction.cancel()
            writer.close()
            if upstream is not None:
                upstream[1].close()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frames: FrameCounter, left: int | None
    ) -> None:
        """Carry one direction until an end of it, or as many bytes as are left."""
        with contextlib.suppress(OSError):
            while (left is None or left > 0) and (data := await reader.read(1 << 16)):
                data = data[:left]
                left = None if left is None else left - len(data)
                frames.feed(data)
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
