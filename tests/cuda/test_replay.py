"""Captured batches: what is captured, and what a replay does, in which order and at which addresses."""

import re

import pytest
from tests.cuda.fake import wrong
from tests.cuda.texts import texts

from polyseme.artifact import Variant
from polyseme.artifact.graphs import NORMALIZED
from polyseme.runtime.engines.onnxruntime.packed import BUCKET_TOKENS, PackedEngine

pytestmark = pytest.mark.cuda


@pytest.fixture(scope="module")
def made(runtime, minilm):
    """An engine of one lane, and the journal of how it was made."""
    from polyseme.artifact import Precision
    from polyseme.runtime.engines.device import Device
    from polyseme.runtime.engines.onnxruntime.devices import CUDA

    device = Device(execution_provider=CUDA, precision=Precision.FP16, flash=True)
    with runtime.journal() as lines:
        engine = PackedEngine(minilm, [device], lanes_per_device=1)
    yield engine, lines
    engine.close()


def embed(engine, *lengths):
    return engine.run(Variant.EMBED, engine.collate(texts(*lengths)), [NORMALIZED])[0]


def work_of(lines, mark):
    """Kernels and products, in order, of lines that begin with a mark."""
    found = (re.match(rf"{re.escape(mark)}(?:launch )?(\S+)", line) for line in lines)
    return [match[1] for match in found if match and (match[1].startswith("_Z") or match[1] == "product")]


def test_each_bucket_is_captured_once_and_nothing_spoils_it(made):
    _, lines = made
    assert lines.count("[capture] begin capture, mode global") == len(BUCKET_TOKENS)
    assert len([line for line in lines if line.startswith("end capture")]) == len(BUCKET_TOKENS)
    assert wrong(lines) == []


def test_nothing_is_copied_or_allocated_while_captured(made):
    _, lines = made
    captured = [line for line in lines if line.startswith("[capture] ")]
    assert not [line for line in captured if re.search("Malloc|Free|Memcpy|Synchronize|cublasCreate", line)]


def test_what_is_captured_is_what_runs_eagerly(made, runtime, minilm):
    """Of 16 tokens in several texts, as in the smallest bucket."""
    engine, lines = made
    first = lines.index("[capture] begin capture, mode global")
    captured = work_of(lines[first : lines.index("[capture] begin capture, mode global", first + 1)], "[capture] ")
    eager = PackedEngine(minilm, engine.devices, lanes_per_device=1, buckets=())
    embed(eager, 3, 13)
    with runtime.journal() as lines:
        embed(eager, 3, 13)
    assert work_of(lines, "") == captured
    eager.close()


def test_a_replay_is_one_copy_one_launch_one_copy(made, runtime):
    engine, _ = made
    embed(engine, 3)
    with runtime.journal() as lines:
        embed(engine, 3)
    steps = [line.split(" ")[:2] for line in lines if not line.startswith(("[replay]", "cudaStreamSynchronize"))]
    assert steps == [["cudaMemcpy", "H2D"], ["cudaGraphLaunch,", "84"], ["cudaMemcpy", "D2H"]]
    assert wrong(lines) == []


def test_every_replay_of_a_bucket_reads_and_writes_where_it_was_captured(made, runtime):
    """A replay takes no new address: inputs must be copied to where they were, and outputs read from there."""
    engine, _ = made
    places = {}
    for _ in range(3):
        for tokens in (3, 20, 50, 100, 200, 500, 1000):
            with runtime.journal() as lines:
                embed(engine, *[tokens // 5] * 5 if tokens > 5 else [tokens])
            copies = re.findall(r"cudaMemcpy (H2D|D2H) \d+ to (\S+) from (\S+)", "\n".join(lines))
            ((_, written, _), (_, _, read)) = copies
            places.setdefault(tokens, set()).add((written, read))
    assert [len(seen) for seen in places.values()] == [1] * 7
    assert len({place for seen in places.values() for pair in seen for place in pair}) == 2 * 7


def test_graphs_stay_valid_while_other_batches_come_and_go(made, runtime):
    engine, _ = made
    for lengths in ([256] * 20, [3], [150] * 50, [40, 40], [256] * 64):
        with runtime.journal() as lines:
            embed(engine, *lengths)
        assert wrong(lines) == []


def test_other_contents_of_a_shape_are_copied_before_each_replay(made, runtime):
    """Kernels compute nothing here; that what they would read is new is what can be seen."""
    engine, _ = made
    staging = next(iter(engine._lanes[0].sessions[Variant.EMBED]._prepared.values())).staging
    ((host, on_device),) = staging._buffers.values()
    for first in (7, 8):
        engine.run(Variant.EMBED, engine.collate([[first, 9, 10]]), [NORMALIZED])
        assert host[0] == first
        assert on_device.numpy()[0] == first
