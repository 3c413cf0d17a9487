"""`polyseme serve` with faults in it, for tests that need a server in a process of its own.

    POLYSEME_FAILPOINTS='run=2*off->1*nan;tokenize=sleep(0.5)' python -m tests.server.failpoints serve DIR --port 50051

The variable has a term for each point, as those of the `fail` crate do: actions one after the other, each so many times
(without a number: for ever), then nothing. Points take effect once the models are loaded:

    tokenize    on a tokenizer's thread, before a portion of texts is encoded
    batch       on a runner, before a batch is collated
    run         on a runner, before the graph is run
    encode      on the event loop, before a reply becomes bytes
    thread      on a runner, outside a batch: where nobody catches what is raised

    off         nothing
    raise(X)    an exception of this name: of Python, or of the runtime; default: RuntimeError
    sleep(S)    S seconds
    nan         all numbers of the outputs are NaN; of `run` alone
    oom         memory is asked for that no machine has: MemoryError
    exit(N)     the process ends at once with this status

Whatever is done is said in a line on stderr. In a server of the same process, put faults in with `faulty_engine`.
"""

import argparse
import builtins
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.lib.server import free_port
from tests.server.faulty_engine import FaultyEngine, FaultyEngines

from polyseme.cli.commands import serve as command
from polyseme.runtime import errors
from polyseme.runtime.text.tokenizer import Tokenizer
from polyseme.server.config import ServerConfig
from polyseme.server.models import loading
from polyseme.server.scheduling import Scheduler
from polyseme.server.serving import serve
from polyseme.server.wire import protocols

ROOT = Path(__file__).parents[2]
VARIABLE = "POLYSEME_FAILPOINTS"
POINTS = ("tokenize", "batch", "run", "encode", "thread")
TEXT = "one text"  # what exceptions say, and no log may
_ACTION = re.compile(r"(?:(?P<count>\d+)\*)?(?P<name>off|raise|sleep|nan|oom|exit)(?:\((?P<argument>[\w.]+)\))?")


class Failpoint:
    """One point: what happens there, visit by visit. Thread-safe."""

    def __init__(self, name, actions, armed):
        self.name = name
        self._actions = list(actions)  # [visits left, name, argument]
        self._armed = armed
        self._lock = threading.Lock()

    def __call__(self):
        """Do what this visit is for; gives whether numbers are to be NaN."""
        with self._lock:
            while self._actions and not self._actions[0][0]:
                del self._actions[0]
            if not self._actions or not self._armed.is_set():
                return False
            self._actions[0][0] -= 1
            _, name, argument = self._actions[0]
        if name == "off":
            return False
        print(f"failpoint {self.name}: {name} {argument}", file=sys.stderr, flush=True)
        match name:
            case "raise":
                raise _exception(argument)(TEXT)
            case "sleep":
                time.sleep(float(argument))
            case "oom":
                bytearray(1 << 62)
            case "exit":
                os._exit(int(argument))
        return name == "nan"


class Failpoints:
    """All points of a process.

    Attributes:
        armed: set once they are to take effect.
    """

    def __init__(self, terms):
        """Read the variable.

        Raises:
            SystemExit: it is not written so.
        """
        self.armed = threading.Event()
        actions = {}
        for term in filter(None, terms.split(";")):
            point, _, chain = term.partition("=")
            found = [_ACTION.fullmatch(one) for one in chain.split("->")]
            if point not in POINTS or not all(found):
                raise SystemExit(f"{VARIABLE}: got {term!r}; POINT=[N*]ACTION[(ARGUMENT)][->...], as its module says")
            if point != "run" and any(one["name"] == "nan" for one in found):
                raise SystemExit(f"{VARIABLE}: got {term!r}; only run has numbers that can be NaN")
            actions[point] = [
                [int(one["count"] or sys.maxsize), one["name"], one["argument"] or _DEFAULTS.get(one["name"], "")]
                for one in found
            ]
        for point in POINTS:
            setattr(self, point, Failpoint(point, actions.get(point, ()), self.armed))


_DEFAULTS = {"raise": "RuntimeError", "sleep": "1", "exit": "1"}


def _exception(name):
    return getattr(builtins, name, None) or getattr(errors, name)


def engines_with(points):
    """What makes the engines of a server: those of `faulty_engine`, with the points in place of a test's faults."""

    def run_with_faults(run, graph, batch, *rest):
        poisoned = points.run()
        arrays = run(graph, batch, *rest)
        if poisoned:
            for array in arrays:
                array.fill(float("nan"))
        return arrays

    class Engine(FaultyEngine):
        def collate(self, *texts):
            points.batch()
            return self._engine.collate(*texts)

    class Engines(FaultyEngines):
        def runner_of(self, engine):
            points.armed.set()  # all models are loaded, and the first is being started
            return super(FaultyEngines, self).runner_of(Engine(engine, run_with_faults))

    return Engines


def services_with(points):
    """What makes the services of a server: those of the contract, with the point before their replies become bytes."""

    class Reply:
        def __init__(self, message):
            self._message = message

        def SerializeToString(self):
            points.encode()
            return self._message.SerializeToString()

    def unary(method):
        async def answer(*call):
            return Reply(await method(*call))

        return answer

    def stream(method):
        async def answer(messages, call, write):
            await method(messages, call, lambda message: write(Reply(message)))

        return answer

    def services(*parts):
        return [
            replace(
                service,
                methods={name: unary(method) for name, method in service.methods.items()},
                streams={name: stream(method) for name, method in service.streams.items()},
            )
            for service in protocols.services(*parts)
        ]

    return services


def tokenizer_with(points):
    """The runtime's tokenizer, with the point in it."""

    class FaultyTokenizer(Tokenizer):
        def encode(self, *texts):
            points.tokenize()
            return super().encode(*texts)

        def tokenize(self, *texts):
            points.tokenize()
            return super().tokenize(*texts)

    return FaultyTokenizer


@contextmanager
def failing_server(artifact, terms, log, *flags):
    """A server in a process of its own, with these failpoints; gives the process and its target once it is ready."""
    port = free_port()
    command = [sys.executable, "-m", "tests.server.failpoints", "serve", str(artifact)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--metrics-port", "0", *flags]
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stderr=output, stdout=output, env={**os.environ, VARIABLE: terms})
    try:
        while "serving " not in log.read_text():
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        yield process, f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.server.failpoints")
    command.add_arguments(parser.add_subparsers(required=True).add_parser("serve"))
    arguments = parser.parse_args()
    points = Failpoints(os.environ.get(VARIABLE, ""))
    # No part of a server is given these two from outside.
    loading.Tokenizer = tokenizer_with(points)
    healthy = Scheduler.run
    Scheduler.run = lambda *parts, **alone: (points.thread(), healthy(*parts, **alone))
    serve(
        list(map(Path, arguments.sources)),
        ServerConfig.from_sources(vars(arguments)),
        make_engines=engines_with(points),
        make_services=services_with(points),
    )


if __name__ == "__main__":
    main()
