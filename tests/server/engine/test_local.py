"""What fails on a GPU while a model is loaded: `auto` goes on with the CPU and says why, `cuda` refuses in one line."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from tests.server.running import load_engine, running

from polyseme.artifact import Artifact, Precision, Variant
from polyseme.client import Client
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU, CUDA
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.errors import RuntimeUnavailableError, TokenizerError
from polyseme.server.config import ServerConfig
from polyseme.server.engine import local as module
from polyseme.server.lifecycle.announcement import announce_all
from polyseme.server.models import loading

ON_CPU = Device(execution_provider=CPU, precision=Precision.FP32)
ON_CUDA = Device(execution_provider=CUDA, precision=Precision.FP16, flash=True)
CAUSES = [
    (MemoryError(), "MemoryError"),
    (OSError("libcudnn.so.9: cannot open shared object file"), "libcudnn.so.9: cannot open shared object file"),
    (RuntimeError("CUDA failure 2: out of memory ; GPU=0\nand a trace"), "CUDA failure 2: out of memory ; GPU=0"),
    (RuntimeUnavailableError("not equal to the reference"), "not equal to the reference"),
]


@pytest.fixture
def artifact(tiny_artifact):
    return Artifact.open(tiny_artifact)


@pytest.fixture(autouse=True)
def gpu(monkeypatch):
    """A GPU shows; what is made for it is up to onnxruntime, unless a test says otherwise."""
    choose = module.choose_devices
    monkeypatch.setattr(
        module, "choose_devices", lambda wanted, artifact: choose(wanted, artifact) if wanted == "cpu" else (ON_CUDA,)
    )


class Failing(PaddedEngine):
    """An engine of which something fails on the GPU."""

    def __init__(self, artifact, step, error):
        super().__init__(artifact, ON_CPU)
        self.devices, self.closed = (ON_CUDA,), False
        self._step, self._error, self._runs = step, error, 0

    def run(self, variant, batch, outputs, *rest):
        self._runs += 1
        if self._step == ("probe" if self._runs <= 2 else "warm-up"):
            raise self._error
        return super().run(variant, batch, outputs, *rest)

    def close(self):
        super().close()
        self.closed = True


@pytest.fixture
def failing(monkeypatch):
    """Lets a step fail on the GPU; gives the engines that were made there."""
    make, made = module.make_engine, []

    def at(step, error):
        def make_engine(artifact, devices, **options):
            if devices[0].execution_provider == CPU:
                return make(artifact, devices, **options)
            if step == "load":
                raise error
            made.append(Failing(artifact, step, error))
            return made[-1]

        monkeypatch.setattr(module, "make_engine", make_engine)
        return made

    return at


def test_auto_serves_on_the_cpu_and_says_why_in_one_line(tiny_artifact, caplog):
    """This machine's own onnxruntime refuses the GPU."""
    with caplog.at_level(logging.WARNING), running(tiny_artifact, device="auto") as server:
        with Client(server.target) as client:
            assert np.isfinite(client.embed("a bank")).all()
        announce_all(server.app.registry.models, ServerConfig(), server.app.port)
        assert server.model.engine.info.execution_provider == CPU
    (line,) = [record.getMessage() for record in caplog.records if "NO CUDA" in record.getMessage()]
    assert line.startswith("NO CUDA, RUNNING ON CPU: onnxruntime ")
    assert "cannot put weights on cuda:0: " in line
    assert line.endswith(" (--device cpu to accept, cuda to refuse)")
    assert line.isprintable()


def test_cuda_refuses_in_one_line(artifact):
    with pytest.raises(RuntimeUnavailableError, match=r"device cuda: .* cannot put weights on cuda:0: ") as caught:
        load_engine(artifact, device="cuda")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("error", "cause"), CAUSES, ids=[type(error).__name__ for error, _ in CAUSES])
@pytest.mark.parametrize("step", ["load", "probe", "warm-up"])
def test_whatever_fails_is_said(artifact, failing, step, error, cause):
    made = failing(step, error)
    engine = load_engine(artifact, device="auto")
    assert engine.info.execution_provider == CPU
    assert engine.info.fell_back.endswith(cause)
    engine.release()
    with pytest.raises(RuntimeUnavailableError) as caught:
        load_engine(artifact, device="cuda")
    assert str(caught.value).startswith("device cuda: ")
    assert str(caught.value).endswith(cause)
    assert all(one.closed for one in made)


def test_a_tokenizer_that_cannot_be_used_is_no_fault_of_the_gpu(artifact, failing, monkeypatch):
    failing("none", None)

    def refuse(*_args, **_options):
        raise TokenizerError("tokenizer.json: nothing in it")

    monkeypatch.setattr(loading, "Tokenizer", refuse)
    with pytest.raises(TokenizerError, match="nothing in it"):
        loading.load_models([artifact], lambda one: load_engine(one, device="auto"), 1)


def test_what_runs_on_the_gpu_stays_there(artifact, failing):
    failing("none", None)
    engine = load_engine(artifact, device="auto")
    assert engine.engine.devices == (ON_CUDA,)
    assert Variant.EMBED in engine.engine.sessions
    engine.release()


@pytest.mark.parametrize(("cores", "given", "threads"), [(1, 0, 2), (2, 0, 2), (8, 0, 2), (8, 3, 3)])
def test_runs_on_a_cpu_leave_no_cores_to_tokenizer_threads(artifact, monkeypatch, cores, given, threads):
    assert tokenizer_threads(artifact, monkeypatch, cores, given, "cpu") == threads


@pytest.mark.parametrize(("cores", "given", "threads"), [(1, 0, 2), (8, 0, 8), (64, 0, 16), (64, 40, 40)])
def test_runs_on_a_gpu_leave_all_cores_to_tokenizer_threads(artifact, monkeypatch, cores, given, threads):
    monkeypatch.setattr(module, "make_engine", lambda artifact, devices, **_: OnGpu(artifact))
    assert tokenizer_threads(artifact, monkeypatch, cores, given, "cuda") == threads


class OnGpu(PaddedEngine):
    """An engine that says of itself what one on a GPU says."""

    def __init__(self, artifact):
        super().__init__(artifact, ON_CPU)
        self.traits = replace(self.traits, lanes=1, shares_threads=False)


def tokenizer_threads(artifact, monkeypatch, cores, given, device):
    """How many threads an encoder is given on a machine of so many cores."""
    monkeypatch.setattr(module, "usable_cores", lambda: cores)
    made = []
    monkeypatch.setattr(loading, "TextEncoder", lambda *arguments: made.append(arguments[-1]))
    (model,) = loading.load_models([artifact], lambda one: load_engine(one, device=device), given)
    model.engine.release()
    return made.pop()


@pytest.mark.parametrize(("adapts", "shapes"), [(False, {(1, 8)}), (True, {(1, 8), (1, 64), (4, 32)})])
def test_each_graph_is_warmed_up_in_as_many_shapes_as_its_engine_asks_for(artifact, adapts, shapes):
    engine = PaddedEngine(artifact, ON_CPU, lone_threads=2)
    assert not engine.traits.adapts_to_shapes
    engine.traits = replace(engine.traits, adapts_to_shapes=adapts)
    seen, run = set(), engine.run

    def watched(variant, batch, outputs, selection=None, alone=False):
        seen.add((str(variant), alone, batch.input_ids.shape))
        return run(variant, batch, outputs, selection, alone)

    engine.run = watched
    module._warm_up(engine, artifact, module.policy_for(engine.traits, ServerConfig()))
    graphs = ((Variant.EMBED, False), (Variant.EMBED, True), (Variant.LAYERS, False))
    assert seen == {(str(variant), alone, shape) for variant, alone in graphs for shape in shapes}
