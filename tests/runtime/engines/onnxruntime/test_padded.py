"""The padded engine on the CPU, narrow and wide."""

import numpy as np
import pytest

from polyseme.artifact import Artifact, Precision, Variant
from polyseme.artifact.graphs import NORMALIZED, POOLED, TOKEN_VECTORS
from polyseme.runtime.batches.selection import every_state
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine

ON_CPU = Device(execution_provider=CPU, precision=Precision.FP32)
LENGTHS = (1, 2, 3, 5, 8, 13, 21, 34, 55)
BATCHES = [[[7] * (length - 1) + [9 + length]] for length in LENGTHS]
BATCHES += [[[2, 7, 8, 3], [2, 9, 3], [2, *range(5, 60), 3]]]


@pytest.fixture(scope="module")
def artifact(tiny_artifact):
    return Artifact.open(tiny_artifact)


@pytest.fixture
def wide(artifact):
    return PaddedEngine(artifact, ON_CPU, lone_threads=2)


@pytest.mark.parametrize("threads", [2, 4])
@pytest.mark.parametrize("name", ["tiny_artifact", "minilm_artifact"])
def test_a_vector_has_the_same_bits_narrow_and_wide(name, threads, request):
    artifact = Artifact.open(request.getfixturevalue(name))
    engine = PaddedEngine(artifact, ON_CPU, lone_threads=threads)
    for texts in BATCHES:
        batch = engine.collate(texts)
        narrow, alone = (engine.run(Variant.EMBED, batch, [POOLED, NORMALIZED], None, alone) for alone in (False, True))
        for mine, other in zip(narrow, alone, strict=True):
            np.testing.assert_array_equal(mine, other)


def test_texts_that_are_alone_take_the_wide_session(wide):
    batch = wide.collate(BATCHES[-1])
    narrow = wide.sessions.pop(Variant.EMBED)
    wide.run(Variant.EMBED, batch, [POOLED], None, True)
    with pytest.raises(KeyError):
        wide.run(Variant.EMBED, batch, [POOLED], None, False)
    wide.sessions[Variant.EMBED] = narrow
    wide.run(Variant.EMBED, batch, [POOLED], None, False)


def test_layers_have_one_session(wide):
    batch = wide.collate(BATCHES[-1])
    one, other = (wide.run(Variant.LAYERS, batch, [TOKEN_VECTORS], every_state(batch, 2), alone) for alone in (0, 1))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("intra", "lone"), [(1, 1), (2, 2), (2, 1), (0, 4)])
def test_without_more_threads_there_is_no_wide_session(artifact, intra, lone):
    engine = PaddedEngine(artifact, ON_CPU, intra_op_threads=intra, lone_threads=lone)
    del engine.sessions[Variant.EMBED]
    with pytest.raises(KeyError):
        engine.run(Variant.EMBED, engine.collate(BATCHES[0]), [POOLED], None, True)


def test_a_closed_engine_keeps_no_session(wide):
    wide.close()
    for alone in (False, True):
        with pytest.raises(KeyError):
            wide.run(Variant.EMBED, wide.collate(BATCHES[0]), [POOLED], None, alone)
