"""Two GPUs: each has weights, streams and memory of its own."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.cuda.fake import wrong
from tests.cuda.texts import texts

from polyseme.artifact import Layout, Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.runtime.engines.onnxruntime.devices import choose_devices
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.engines.registry import make_engine
from polyseme.runtime.errors import RuntimeUnavailableError

pytestmark = pytest.mark.cuda


def launches(lines, device):
    return sum(f" on device {device} " in line for line in lines)


def test_batches_run_on_both_gpus_and_never_on_the_wrong_one(runtime, minilm):
    devices = choose_devices("cuda:0,1", minilm)
    with runtime.journal() as lines:
        engine = make_engine(minilm, devices)
        assert engine.traits.lanes == 4
        batches = [engine.collate(texts(*lengths)) for lengths in ([3], [200] * 12)] * 16
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda batch: engine.run(Variant.EMBED, batch, [NORMALIZED]), batches))
        engine.close()
    assert wrong(lines) == []
    replays = len(re.findall("cudaGraphLaunch", "\n".join(lines)))
    assert replays >= 16
    assert launches(lines, 0) > 0
    assert launches(lines, 1) > 0


def test_each_gpu_has_the_weights(runtime, minilm):
    devices = choose_devices("cuda:0,1", minilm)
    weights = sum(tensor.nbytes for tensor in minilm.weights(devices[0].precision, Layout.PACKED).values())
    engine = make_engine(minilm, devices)
    assert min(runtime.used(0), runtime.used(1)) >= weights
    engine.close()


@pytest.mark.parametrize("number", [0, 1])
def test_one_gpu_leaves_the_other_alone(runtime, minilm, number):
    with runtime.journal() as lines:
        engine = make_engine(minilm, choose_devices(f"cuda:{number}", minilm))
        engine.run(Variant.EMBED, engine.collate(texts(*[250] * 10)), [NORMALIZED])
        engine.close()
    assert launches(lines, number) > 0
    assert launches(lines, 1 - number) == 0
    assert wrong(lines) == []


def test_padded_weights_lie_on_the_gpu_that_was_chosen(runtime, minilm):
    (device,) = choose_devices("cuda:1", minilm)
    with runtime.journal() as lines:
        PaddedEngine(minilm, device).close()
    assert wrong(lines) == []
    assert sum("cudaMemcpy H2D" in line for line in lines) >= len(minilm.weights(device.precision))


def test_a_gpu_that_is_not_there_is_refused(minilm):
    with pytest.raises(RuntimeUnavailableError, match=r"device cuda:0,5: there are GPUs 0\.\.1"):
        choose_devices("cuda:0,5", minilm)
