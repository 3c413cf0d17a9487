import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from tests.client.fake_server import tensor_of

from polyseme.client import InvalidReplyError, decode_tensor
from polyseme.v1 import tensor_pb2
from polyseme.v1.tensor_pb2 import Tensor

DTYPES = [value for value in tensor_pb2.DataType.values() if value]
ARRAYS = arrays(
    np.float32,
    array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=9),
    elements=st.floats(-1000, 1000, width=32, allow_subnormal=False),
)


def _tolerance(array: np.ndarray, dtype: int) -> float:
    """Half a step of what each type can hold, for |x| <= 1000."""
    largest = float(np.abs(array).max(initial=0))
    steps = {
        tensor_pb2.DATA_TYPE_FLOAT16: 2**-11,
        tensor_pb2.DATA_TYPE_BFLOAT16: 2**-7,
        tensor_pb2.DATA_TYPE_INT8: 1 / 253,
    }
    return largest * steps.get(dtype, 0) + (1e-7 if dtype == tensor_pb2.DATA_TYPE_FLOAT16 else 0)


@given(ARRAYS, st.sampled_from([dtype for dtype in DTYPES if dtype != tensor_pb2.DATA_TYPE_BINARY]))
def test_decode_tensor_gives_what_was_encoded(array, dtype):
    if array.shape[-1] == 0 and dtype == tensor_pb2.DATA_TYPE_INT8:
        return  # rows without elements have no scale to choose
    decoded = decode_tensor(tensor_of(array, dtype))
    assert decoded.shape == array.shape
    assert np.abs(decoded - array).max(initial=0) <= _tolerance(array, dtype)


@given(ARRAYS)
def test_decode_tensor_gives_packed_bits(array):
    bits = np.unpackbits(decode_tensor(tensor_of(array, tensor_pb2.DATA_TYPE_BINARY)), axis=-1, count=array.shape[-1])
    assert np.array_equal(bits, array > 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_decode_tensor_gives_an_array_of_its_own(dtype):
    decoded = decode_tensor(tensor_of(np.ones((2, 9), np.float32), dtype))
    assert decoded.flags.owndata
    assert decoded.flags.writeable
    assert decoded.flags.c_contiguous
    assert decoded.dtype == (np.uint8 if dtype == tensor_pb2.DATA_TYPE_BINARY else np.float32)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, -0.0, 1e-45])
def test_decode_tensor_keeps_special_values(special):
    array = np.array([special], np.float32)
    assert decode_tensor(tensor_of(array)).tobytes() == array.tobytes()


def test_decode_tensor_reads_bfloat16_as_the_upper_half():
    tensor = Tensor(dtype=tensor_pb2.DATA_TYPE_BFLOAT16, shape=[3], data=b"\x80\x3f\x20\xc1\xc0\x7f")
    one, minus_ten, nan = decode_tensor(tensor)
    assert (one, minus_ten) == (1.0, -10.0)
    assert np.isnan(nan)


def test_decode_tensor_scales_each_row():
    scales = np.array([0.5, 2.0], "<f4").tobytes()
    tensor = Tensor(dtype=tensor_pb2.DATA_TYPE_INT8, shape=[2, 2], data=b"\x01\xff\x7f\x80", scales=scales)
    assert decode_tensor(tensor).tolist() == [[0.5, -0.5], [254.0, -256.0]]


def test_decode_tensor_reads_binary_from_the_most_significant_bit():
    tensor = Tensor(dtype=tensor_pb2.DATA_TYPE_BINARY, shape=[1, 9], data=b"\x80\x80")
    assert decode_tensor(tensor).tolist() == [[128, 128]]


F32 = tensor_pb2.DATA_TYPE_FLOAT32
BAD = {
    "no dtype": Tensor(shape=[1], data=b"1234"),
    "unknown dtype": Tensor(dtype=99, shape=[1], data=b"1234"),  # type: ignore[arg-type]
    "no axes": Tensor(dtype=F32, data=b"1234"),
    "too many axes": Tensor(dtype=F32, shape=[1] * 9, data=b"1234"),
    "negative axis": Tensor(dtype=F32, shape=[-1, -1], data=b"1234"),
    "short": Tensor(dtype=F32, shape=[2], data=b"1234567"),
    "long": Tensor(dtype=F32, shape=[2], data=b"123456789"),
    "huge": Tensor(dtype=F32, shape=[1 << 62, 4]),
    "huge and empty": Tensor(dtype=F32, shape=[0, 1 << 62, 1 << 62]),
    "no scales": Tensor(dtype=tensor_pb2.DATA_TYPE_INT8, shape=[2, 2], data=b"1234"),
    "short scales": Tensor(dtype=tensor_pb2.DATA_TYPE_INT8, shape=[2, 2], data=b"1234", scales=b"1234567"),
    "stray scales": Tensor(dtype=F32, shape=[1], data=b"1234", scales=b"1234"),
    "binary not padded": Tensor(dtype=tensor_pb2.DATA_TYPE_BINARY, shape=[2, 9], data=b"123"),
}


@pytest.mark.parametrize("tensor", BAD.values(), ids=BAD)
def test_decode_tensor_refuses(tensor):
    with pytest.raises(InvalidReplyError, match=r"^tensor "):
        decode_tensor(tensor)


@given(
    st.sampled_from([*DTYPES, 0, 99]),
    st.lists(st.integers(-2, 1 << 62) | st.integers(0, 4), max_size=9),
    st.binary(max_size=64),
    st.binary(max_size=16),
)
def test_decode_tensor_raises_nothing_else(dtype, shape, data, scales):
    with contextlib.suppress(InvalidReplyError):
        decode_tensor(Tensor(dtype=dtype, shape=shape, data=data, scales=scales))
