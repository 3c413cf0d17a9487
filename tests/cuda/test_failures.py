"""A device without room, one that breaks, and one that hangs."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tests.cuda.fake import COPIES, LAUNCHES, REPLAYS, wrong
from tests.cuda.texts import texts
from tests.server.running import load_engine, running

from polyseme.artifact import Artifact, Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.client import Client, PolysemeError
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.packed import PackedEngine
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.engines.registry import make_engine
from polyseme.runtime.errors import DeviceLostError, RuntimeUnavailableError
from polyseme.runtime.tasks import PooledVector
from polyseme.runtime.verification.proof import prove
from polyseme.server.engine.runner import Runner
from polyseme.server.engine.watchdog import Watchdog
from polyseme.server.scheduling import Entry

pytestmark = pytest.mark.cuda

MIB = 1 << 20


@pytest.fixture
def engine(minilm, device):
    engine = PackedEngine(minilm, [device], lanes_per_device=1)
    yield engine
    engine.close()


def run(engine, *lengths):
    return engine.run(Variant.EMBED, engine.collate(texts(*lengths)), [NORMALIZED])[0]


def test_a_batch_that_has_no_room_fails_alone(runtime, engine):
    runtime.limit(runtime.used() + 16 * MIB)
    with pytest.raises(Exception, match=r"out of memory|[Ff]ailed to allocate"):
        run(engine, *[256] * 128)
    assert run(engine, 3).shape == (1, 384)
    assert run(engine, *[200] * 4).shape == (4, 384)


def test_a_batch_that_has_no_room_is_halved_until_it_has(runtime, engine):
    """64 texts of 256 tokens want 48 MiB in the feed-forward alone."""
    runtime.limit(runtime.used() + 24 * MIB)
    entries = [Entry(ids=ids, task=PooledVector()) for ids in texts(*[256] * 64)]

    async def outcomes():
        return Runner(engine, Watchdog(0))(entries)

    rows = asyncio.run(outcomes())
    assert len(rows) == 64
    assert all(isinstance(row, np.ndarray) for row in rows), [row for row in rows if isinstance(row, Exception)][:1]


@pytest.mark.parametrize("room", [1, 44, 60])
def test_a_model_that_has_no_room_goes_to_the_cpu_or_is_refused(runtime, minilm, device, room):
    """Room for nothing, for the weights, for the weights and some captures."""
    runtime.limit(runtime.used() + room * MIB)
    with pytest.raises(RuntimeUnavailableError, match="device cuda: ") as caught:
        load_engine(minilm, device="cuda")
    assert str(caught.value).isprintable()
    engine = load_engine(minilm, device="auto")
    assert engine.info.execution_provider == CPU
    assert engine.info.fell_back
    engine.release()


@pytest.mark.parametrize(("error", "name"), [(700, "cudaErrorIllegalAddress"), (719, "cudaErrorLaunchFailure")])
@pytest.mark.parametrize("at", [LAUNCHES, COPIES])
def test_an_error_that_stays_loses_the_device(runtime, engine, error, name, at):
    """A kernel leaves its error behind by name, a copy gives it by number."""
    run(engine, *[200] * 12)
    runtime.break_with(error, at)
    for lengths in ([200] * 12, [3]):
        with pytest.raises(DeviceLostError) as caught:
            run(engine, *lengths)
        assert f"CUDA failure {error}:" in str(caught.value.__cause__) or name in str(caught.value.__cause__)


def test_a_missing_cudnn_is_named(minilm, device):
    """The padded engine's attention takes it."""
    engine = PaddedEngine(minilm, device)
    with pytest.raises(RuntimeUnavailableError, match=r"cannot run all-MiniLM-L6-v2 in fp16: .*libcudnn\.so"):
        prove(engine, minilm)
    engine.close()


def test_zeros_are_not_the_reference(minilm):
    """What this device computes: the probe refuses it, so that nobody would be served by it."""
    with pytest.raises(RuntimeUnavailableError, match=r"device cuda: .* is not equal to the reference: layer 0"):
        load_engine(minilm, device="cuda")
    engine = load_engine(minilm, device="auto")
    assert "is not equal to the reference" in engine.info.fell_back
    engine.release()


def test_a_call_beyond_the_memory_is_answered_in_parts(runtime, unproven):
    with running(unproven, device="cuda") as server, Client(server.target) as client:
        runtime.limit(runtime.used() + 2 * MIB)
        with runtime.journal() as lines:
            vectors = client.embed(["a longer text, which has many more letters than the others"] * 200)
        assert vectors.shape == (200, 32)
        assert wrong(lines) == []


SERVE = """
import os
exists = os.path.exists
os.path.exists = lambda path: path == "/dev/nvidiactl" or exists(path)
from polyseme.cli.main import main
raise SystemExit(main())
"""


class Server:
    """`polyseme serve` in a process of its own, on a GPU that fails as the environment says."""

    def __init__(self, artifact, log, environment, *options):
        command = [sys.executable, "-c", SERVE, "serve", str(artifact), "--port", "0", "--metrics-port", "0", *options]
        self._log = log
        with log.open("w") as output:
            self.process = subprocess.Popen(command, env=os.environ | environment, stderr=output, stdout=output)

    @property
    def log(self):
        return self._log.read_text()

    def port(self):
        """Once it serves."""
        until = time.monotonic() + 300
        while not (port := re.search(r" on \S+:(\d+) \| ", self.log)):
            assert self.process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.05)
        return int(port[1])

    def call_until_it_fails(self):
        until = time.monotonic() + 300
        with Client(f"127.0.0.1:{self.port()}", timeout=300) as client:
            while time.monotonic() < until:
                try:
                    for count in (16, 160):  # replayed, and eager
                        client.embed(["a bank by the river"] * count)
                except PolysemeError:
                    break


@pytest.fixture
def serve(unproven, tmp_path):
    started = []

    def start(environment, *options):
        started.append(Server(unproven, tmp_path / "log", environment, *options))
        return started[-1]

    yield start
    for server in started:
        server.process.kill()
        server.process.wait()


@pytest.fixture(scope="module")
def loading(runtime, unproven):
    """How often each counter goes up until the model is loaded and warmed up."""
    before = [runtime.count(counter) for counter in range(REPLAYS + 1)]
    with pytest.MonkeyPatch.context() as patch:
        exists = os.path.exists
        patch.setattr(os.path, "exists", lambda path: path == "/dev/nvidiactl" or exists(path))
        load_engine(Artifact.open(unproven), device="cuda").release()
    return [runtime.count(counter) - count for counter, count in enumerate(before)]


@pytest.mark.parametrize(
    ("how", "counter", "says"),
    [
        ("FAKE_BREAK=700:launches", LAUNCHES, "the GPU is in an error that only a new process ends: "),
        ("FAKE_BREAK=719:copies", COPIES, "the GPU is in an error that only a new process ends: "),
        ("FAKE_HANG=replays", REPLAYS, "a batch has been running for more than 2 s"),
    ],
    ids=["illegal address", "launch failure", "hang"],
)
def test_a_server_whose_gpu_is_gone_ends_with_status_70(serve, loading, how, counter, says):
    variable, fault = how.split("=")
    server = serve({variable: f"{fault}:{loading[counter] + 20}"}, "--device", "cuda", "--max-run-s", "2")
    server.call_until_it_fails()
    assert server.process.wait(300) == 70, server.log
    assert f"CANNOT RUN ANYTHING ANY MORE: {says}" in server.log


@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.99])
def test_a_gpu_that_is_lost_while_a_model_is_loaded_leaves_the_cpu(serve, loading, part):
    """At the first kernel, while batches are captured, in the warm-up. What cannot be freed any more is left alone."""
    server = serve({"FAKE_BREAK": f"700:launches:{1 + int(part * loading[LAUNCHES])}"}, "--device", "auto")
    with Client(f"127.0.0.1:{server.port()}", timeout=300) as client:
        assert np.isfinite(client.embed("a bank")).all()
    (line,) = [line for line in server.log.splitlines() if "NO CUDA, RUNNING ON CPU" in line]
    assert "illegal memory access" in line or "cudaErrorIllegalAddress" in line
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(300) == 0, server.log


def test_the_tiny_model_is_packed(unproven, device):
    engine = make_engine(Artifact.open(unproven), [device])
    assert isinstance(engine, PackedEngine)
    engine.close()
