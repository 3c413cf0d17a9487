"""Forks beside calls, in a process of its own: that of the tests runs a gRPC server, whose threads never leave gRPC."""

import json
import subprocess
import sys

import grpc
import pytest

from polyseme.client import ForkedProcessError
from polyseme.client._transport.forks import Forks

CHILDREN = """
import collections, json, os, signal, sys, threading
from polyseme.client import Client, PolysemeError

def children(count, call):
    ends = collections.Counter()
    for _ in range(count):
        pid = os.fork()
        if not pid:
            signal.alarm(300)  # a child that hangs ends by a signal
            try:
                call()
                sys.exit(0)
            except PolysemeError as error:
                print(type(error).__name__, file=sys.stderr, flush=True)
                sys.exit(1)
        ends[os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])] += 1
    return ends
"""


def run(program, target):
    """What the program prints as JSON, and the lines on its stderr."""
    command = [sys.executable, "-c", CHILDREN + program, target]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout), ended.stderr.splitlines()


IN_FLIGHT = """
texts, failed = TEXTS, []
client, stop = Client(sys.argv[1]), threading.Event()
client.embed("a")

def call():
    while not stop.is_set():
        try:
            client.embed(texts)
        except PolysemeError as error:
            failed.append(str(error))

threads = [threading.Thread(target=call) for _ in range(3)]
for thread in threads:
    thread.start()
ends = children(20, lambda: client.embed("a", timeout=200))
stop.set()
for thread in threads:
    thread.join()
print(json.dumps([ends, failed]))
"""


@pytest.mark.parametrize("texts", ["['a']", "['a'] * 600"])
def test_children_call_with_the_client_of_a_parent_that_calls(server, texts):
    """600 texts are several calls, which run in gRPC's own threads."""
    assert run(IN_FLIGHT.replace("TEXTS", texts), server.target) == ([{"0": 20}, []], [])


BESIDE_A_STREAM = """
client = Client(sys.argv[1])
vectors = client.embed_stream(str(number) for number in range(5000))
next(vectors)
ends = children(3, lambda: client.embed("a", timeout=200)) + children(3, lambda: list(vectors))
rest = len(list(vectors))
print(json.dumps([ends, rest, children(3, lambda: client.embed("a", timeout=200))]))
"""


def test_children_of_an_open_stream_are_told_not_to_call(server):
    found, lines = run(BESIDE_A_STREAM, server.target)
    assert found == [{"1": 6}, 4999, {"0": 3}]
    assert lines.count("ForkedProcessError") == 6


BESIDE_ASYNCIO = """
import asyncio
from polyseme.client import AsyncClient

async def main():
    async with AsyncClient(sys.argv[1]) as other:
        await other.embed("a")
        told = children(3, lambda: client.embed("a", timeout=200))
        await other.embed("a")
        return told

client = Client(sys.argv[1])
client.embed("a")
print(json.dumps([asyncio.run(main()), children(3, lambda: client.embed("a", timeout=200))]))
"""


@pytest.mark.skipif(
    tuple(map(int, grpc.__version__.split(".")[:2])) < (1, 80),
    reason="with grpcio 1.63 a child that is forked beside an AsyncClient spins in gRPC itself",
)
def test_children_of_an_asyncio_client_are_told_not_to_call(server):
    found, lines = run(BESIDE_ASYNCIO, server.target)
    assert found == [{"1": 3}, {"0": 3}]
    assert lines.count("ForkedProcessError") == 3


def test_a_closed_client_is_closed_in_a_child_too(server):
    program = 'client = Client(sys.argv[1]); client.embed("a"); client.close()\n'
    program += 'print(json.dumps(children(1, lambda: client.embed("a"))))'
    assert run(program, server.target) == ({"1": 1}, ["ClosedClientError"])


def test_a_call_beside_a_fork_counts_for_the_child_alone():
    """As where a program forks in C, and says so afterwards only."""
    parent, child = Forks(), Forks()
    parent.before()
    parent.after_in_parent()
    parent.check()
    child.enter()
    child.after_in_child()
    with pytest.raises(ForkedProcessError):
        child.check()
    assert (parent.generation, child.generation) == (0, 1)
