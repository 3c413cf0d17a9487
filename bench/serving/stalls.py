"""How long others wait beside one request, however it is made: the worst single answer of Health.

Each request is sent alone to a server of its own, while a third process asks for Health over and over, 2 ms after each
answer. The row `nothing` shows what the machine itself adds; `loop` is the most CPU that the server's event loop took
while one answer was waited for, which other load on the machine does not change.

Usage: python -m bench.serving.stalls ARTIFACT [--mb 16] [--tries 3] [--only WORD]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc
from bench.lib.machine import heading
from bench.lib.server import resident_mib, server_process

from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

Answer = tuple[float, float, float]  # seconds, of them CPU of the server's loop, MiB that the server holds

HEALTH = "/grpc.health.v1.Health/Check"
BULK = "/polyseme.v1.EmbeddingService/"
CUT = common_pb2.TextOptions(truncate=common_pb2.TRUNCATE_END).SerializeToString()
ROW = "{:40} {:12} {:>6} {:20} {:>8} {:>17} {:>9} {:>6} {:>6}"
PATIENCE_S = 10  # how long a call is waited for
MOST_TEXTS = 1024
MOST_TEXT_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class Case:
    """One request: what it is, its method, and its bytes for a size."""

    name: str
    method: str
    data: Callable[[int], bytes]


def tagged(number: int, value: bytes) -> bytes:
    """One field that has a length."""
    return bytes([number << 3 | 2]) + varint(len(value)) + value


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    digits = []
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


def filled(part: bytes) -> Callable[[int], bytes]:
    """The same field over and over."""
    return lambda size: part * (size // len(part))


def texts(one: bytes, size: int) -> bytes:
    """As many texts as the limits let in, each as long as they let it be."""
    count = min(MOST_TEXTS, max(1, (size - 64) // (len(one) + 4)))
    return tagged(1, one) * count + tagged(3, CUT)


def spans(size: int) -> bytes:
    """As many spans as the limits let in; each is whole, and of a text of one letter."""
    span = tagged(2, b"\x08\x00\x10\x01")
    count = min(MOST_TEXTS, size // (len(span) * 1024 + 8))
    return tagged(1, tagged(1, b"a") + span * 1024) * count


CASES = (
    Case("nothing", "", lambda size: b""),
    Case("empty operands", "Similarity", filled(b"\x0a\x00")),
    Case("empty operands, a and b in turn", "Similarity", filled(b"\x0a\x00\x12\x00")),
    Case("empty inputs", "EmbedSpans", filled(b"\x0a\x00")),
    Case("empty texts", "Embed", filled(b"\x0a\x00")),
    Case("empty texts", "Tokenize", filled(b"\x0a\x00")),
    Case("empty texts in a stream", "StreamEmbed", lambda size: tagged(1, filled(b"\x0a\x00")(size - 8))),
    Case("empty spans of one text", "EmbedSpans", lambda size: tagged(1, filled(b"\x12\x00")(size - 8))),
    Case("unknown numbers", "Embed", filled(b"\x78\x00")),
    Case("unknown bytes", "Embed", lambda size: tagged(15, bytes(size - 8))),
    Case("groups", "Embed", filled(b"\x7b")),
    Case("one field that comes once", "Embed", filled(b"\x12\x00")),
    Case("layers", "EmbedTokens", lambda size: tagged(5, tagged(1, bytes(size - 16)))),
    Case("one text", "Embed", lambda size: tagged(1, b"a" * (size - 8))),
    Case("texts at the limits", "Embed", lambda size: texts(b"a " * (MOST_TEXT_BYTES // 2), size)),
    Case("texts of punctuation", "Embed", lambda size: texts(b"." * MOST_TEXT_BYTES, size)),
    Case("texts of punctuation", "EmbedTokens", lambda size: texts(b"." * MOST_TEXT_BYTES, size)),
    Case("texts of punctuation", "Tokenize", lambda size: texts(b"." * MOST_TEXT_BYTES, size)),
    Case("1024 texts of 16 kB", "Embed", lambda size: texts("\N{GREEK SMALL LETTER ALPHA}".encode() * 8000, size)),
    Case("all spans that the limits let in", "EmbedSpans", spans),
    Case("all spans that the limits let in, stream", "StreamEmbed", lambda size: tagged(3, spans(size))),
)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--mb", type=int, default=16, help="MiB of each request, and of the server's message limit")
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--only", default="", help="cases whose name has this word")
    arguments = parser.parse_args()
    size = arguments.mb << 20
    print(heading())
    print(f"{arguments.mb} MiB a request; for each: what it is, and how it was met")
    print(ROW.format("request", "method", "MB", "ends with", "after s", "Health, worst ms", "loop, ms", "CPU s", "MiB"))
    for case in CASES:
        if arguments.only in case.name or not case.method:
            for _ in range(arguments.tries):
                with server_process(arguments.artifact, "--max-message-bytes", str(size)) as (target, pid):
                    print(ROW.format(*tried(case, target, pid, size)), flush=True)


def tried(case: Case, target: str, pid: int, size: int) -> list[str]:
    """Send one request, and watch the server meanwhile."""
    data = case.data(size)
    with grpc.insecure_channel(target, options=[("grpc.max_receive_message_length", -1)]) as channel:
        before, cpu, started = resident_mib(pid), cpu_seconds(pid), time.monotonic()
        with watched(target, pid) as answers:
            code = ""
            if case.method == "StreamEmbed":
                code = streamed(channel, data)
            elif case.method:
                method: Any = channel.unary_unary(BULK + case.method)
                code = method.future(data, timeout=PATIENCE_S).code().name
            else:
                time.sleep(2)
        return [
            case.name,
            case.method,
            f"{len(data) / 1e6:.1f}",
            code,
            f"{time.monotonic() - started:.2f}",
            f"{max(wait for wait, _, _ in answers) * 1e3:.1f}",
            f"{max(loop for _, loop, _ in answers) * 1e3:.1f}",
            f"{cpu_seconds(pid) - cpu:.2f}",
            f"{max(memory for *_, memory in answers) - before:.0f}",
        ]


def streamed(channel: grpc.Channel, data: bytes) -> str:
    """Send one message in a stream gives its status, or how its answer began."""
    method: Any = channel.stream_stream(BULK + "StreamEmbed")
    call = method(iter([data]), timeout=PATIENCE_S)
    try:
        reply = pb.StreamEmbedResponse.FromString(next(call))
        error = reply.error
        name = next((code.name for code in grpc.StatusCode if code.value[0] == error.code), "")
        if not reply.HasField("error"):
            for _ in call:
                pass
            name = "OK"
    except grpc.RpcError as error:
        name = error.code().name
    return name


@contextmanager
def watched(target: str, pid: int) -> Iterator[list[Answer]]:
    """Ask for Health from a process of its own until the block ends; the answers are there afterwards."""
    answers: list[Answer] = []
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=ask, args=(target, pid, theirs))
    process.start()
    ours.recv()
    try:
        yield answers
    finally:
        time.sleep(0.2)  # what the server does after its answer counts too
        ours.send("enough")
        answers += ours.recv()
        process.join()


def ask(target: str, pid: int, pipe: Connection) -> None:
    """Ask for Health, and look at the server, until told that it is enough."""
    answers = []
    with grpc.insecure_channel(target) as channel:
        check: Any = channel.unary_unary(HEALTH)
        check(b"", timeout=600)
        pipe.send("begun")
        while not pipe.poll(0.002):
            cpu, began = loop_cpu(pid), time.monotonic()
            check(b"", timeout=600)
            answers.append((time.monotonic() - began, loop_cpu(pid) - cpu, resident_mib(pid)))
    pipe.send(answers)


def loop_cpu(pid: int) -> float:
    """Seconds of CPU that a server's event loop, which is its first thread, has taken."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU that a process has taken."""
    user, system = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
