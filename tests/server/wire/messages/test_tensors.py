import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from polyseme.server.wire.messages.tensors import WireType, encode

rows = hnp.arrays(
    np.float32,
    st.tuples(st.integers(0, 5), st.integers(1, 20)),
    elements=st.floats(-60000, 60000, width=32),
)


@given(rows)
def test_encode_float32_is_exact(vectors):
    data, scales = encode(vectors, WireType.FLOAT32)
    assert scales == b""
    np.testing.assert_array_equal(vectors, np.frombuffer(data, "<f4").reshape(vectors.shape))


@given(rows)
def test_encode_float16_rounds_to_nearest(vectors):
    data, _ = encode(vectors, WireType.FLOAT16)
    np.testing.assert_array_equal(vectors.astype(np.float16), np.frombuffer(data, "<f2").reshape(vectors.shape))


def test_encode_float16_never_overflows_to_infinity():
    data, _ = encode(np.array([[1e6, -1e6]], np.float32), WireType.FLOAT16)
    assert np.frombuffer(data, "<f2").tolist() == [65504.0, -65504.0]


def nearest_bfloat16(value):
    """The closer of the two neighbours that a binary32 has among the values of 16 bits; of equally close, the even."""
    below = np.float32(value).view(np.uint32) >> 16
    neighbours = [np.uint32(n << 16).view(np.float32) for n in (int(below), int(below) + 1)]
    distances = [abs(float(n) - float(value)) for n in neighbours]
    if distances[0] == distances[1]:
        return int(below) + (int(below) & 1)
    return int(below) + (distances[1] < distances[0])


@given(rows)
def test_encode_bfloat16_rounds_to_nearest_even(vectors):
    data, _ = encode(vectors, WireType.BFLOAT16)
    assert [nearest_bfloat16(v) for v in vectors.ravel()] == np.frombuffer(data, "<u2").tolist()


@given(rows)
def test_encode_int8_is_within_half_a_step(vectors):
    data, scales = encode(vectors, WireType.INT8)
    steps = np.frombuffer(scales, "<f4")[:, None]
    values = np.frombuffer(data, np.int8).reshape(vectors.shape) * steps
    # Half a step, and what float32 division adds.
    assert (np.abs(values - vectors) <= steps * 0.5001 + 1e-30).all()


def test_encode_int8_uses_the_whole_range():
    data, scales = encode(np.array([[-2, 1, 0], [0, 0, 0]], np.float32), WireType.INT8)
    assert np.frombuffer(data, np.int8).tolist() == [-127, 64, 0, 0, 0, 0]
    np.testing.assert_allclose([2 / 127, 0], np.frombuffer(scales, "<f4"), rtol=1e-6)


def test_encode_binary_packs_most_significant_bit_first():
    vectors = np.array([[1, -1, 0, 2, 0, 0, 0, 1, 5]], np.float32)
    assert bytes([0b10010001, 0b10000000]) == encode(vectors, WireType.BINARY)[0]
