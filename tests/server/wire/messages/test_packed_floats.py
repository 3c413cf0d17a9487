import numpy as np
import pytest

from polyseme.protocols.tei import tei_pb2 as pb
from polyseme.server.wire.messages.packed_floats import packed_floats


@pytest.mark.parametrize("count", [0, 1, 31, 32, 384, 5000])
def test_floats_are_those_that_protobuf_writes(count):
    values = np.random.default_rng(count).standard_normal(count).astype(np.float32)
    message = pb.EmbedResponse()
    message.MergeFromString(packed_floats(1, values))
    assert message == pb.EmbedResponse(embeddings=values.tolist())


def test_rows_of_other_memory_are_written_in_order():
    values = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
    message = pb.TokenEmbedding.FromString(packed_floats(1, values[1]))
    assert list(message.embeddings) == [4, 6]
