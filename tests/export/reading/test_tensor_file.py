import random
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.export.checkpoints import read_parts, write_parts, write_weights

from polyseme.export import CheckpointError
from polyseme.export.reading.tensor_file import TensorFile

VALUES = {"a": np.array([[1.0, -2.5], [0.0, 3.25]], np.float32), "b": np.array([7.0], np.float32)}


@pytest.fixture
def path(tmp_path):
    save_file(VALUES, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def refusal(path):
    with pytest.raises(CheckpointError) as caught:
        TensorFile(path)
    message = str(caught.value)
    assert message.startswith(path.name)
    assert message.isprintable()
    assert len(message) < 300
    return message


def test_what_the_library_wrote_is_read(path):
    file = TensorFile(path)
    assert set(VALUES) == set(file.entries)
    for name, values in VALUES.items():
        np.testing.assert_array_equal(file.read(name), values)


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16"])
def test_every_float_becomes_float32(path, dtype):
    write_weights(path, VALUES, dtype)
    values = TensorFile(path).read("a")
    assert np.float32 == values.dtype
    np.testing.assert_array_equal(values, VALUES["a"])


def test_bfloat16_keeps_the_upper_half_of_a_float32(path):
    write_weights(path, {"a": np.array([1.2345678], np.float32)}, "BF16")
    expected = np.array([0x3F9E0000], np.uint32).view(np.float32)
    np.testing.assert_array_equal(TensorFile(path).read("a"), expected)


def test_integers_are_no_weights(path):
    write_weights(path, VALUES, "I32")
    with pytest.raises(CheckpointError, match="weight a is I32; one of F64, F32, F16, BF16 is needed"):
        TensorFile(path).read("a")


def test_what_float32_cannot_hold_becomes_infinite(path):
    write_weights(path, {"a": np.array([1e300])}, "F64")
    assert np.isinf(TensorFile(path).read("a")).all()


@pytest.mark.parametrize("size", [0, 7, 8, 9, 100, -1])
def test_a_truncated_file_is_refused(path, size):
    path.write_bytes(path.read_bytes()[:size])
    assert "corrupt or incomplete" in refusal(path)


@pytest.mark.parametrize("length", [1 << 63, (1 << 64) - 1, 100_000_001, 10_000])
def test_an_absurd_header_length_is_refused(path, length):
    path.write_bytes(struct.pack("<Q", length) + path.read_bytes()[8:])
    assert f"a header of {length} bytes" in refusal(path)


HEADERS = {
    "no JSON": b'{"a":',
    "no object": b"[1]",
    "no text": b"\xff\xfe\xfd",
    "deep": b"[" * 100_000,
    "a key twice": b'{"a":{},"a":{}}',
    "no fields": b'{"a":{}}',
    "null": b'{"a":null}',
    "many digits": b'{"a":' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_bad_header_is_refused(path, header):
    write_parts(path, header, b"")
    refusal(path)


FIELDS = {
    "overlap": ({"data_offsets": [4, 8]}, "begins at byte 4, the one before ends at 16"),
    "hole": ({"data_offsets": [20, 24]}, "begins at byte 20, the one before ends at 16"),
    "beyond the end": ({"data_offsets": [1 << 40, (1 << 40) + 4]}, "lies at 1099511627776..1099511627780 of 24"),
    "backwards": ({"data_offsets": [20, 16]}, "lies at 20..16"),
    "negative": ({"data_offsets": [-4, 0]}, "no integers of 0 or more"),
    "floats": ({"data_offsets": [16.0, 20.0]}, "no integers of 0 or more"),
    "three": ({"data_offsets": [16, 18, 20]}, "no integers of 0 or more"),
    "huge": ({"shape": [1 << 47] * 8}, "lies at 16..20"),
    "overflow": ({"shape": [1 << 64]}, "no integers of 0 or more"),
    "too many axes": ({"shape": [1] * 9}, "no integers of 0 or more"),
    "wrong size": ({"shape": [2]}, "of 8 bytes lies at 16..20"),
    "unknown dtype": ({"dtype": "X9"}, "unknown dtype 'X9'"),
    "wrong dtype": ({"dtype": "F16"}, "of 2 bytes lies at 16..20"),
    "no dtype": ({"dtype": ["F32"]}, "unknown dtype"),
}


@pytest.mark.parametrize(("changes", "why"), FIELDS.values(), ids=FIELDS)
def test_a_tensor_out_of_place_is_refused(path, changes, why):
    write_weights(path, VALUES)
    header, data = read_parts(path)
    header["b"].update(changes)
    write_parts(path, header, data + bytes(4))
    assert why in refusal(path)


def test_bytes_behind_the_last_tensor_are_refused(path):
    path.write_bytes(path.read_bytes() + b"1234")
    assert "4 bytes behind the last tensor" in refusal(path)


def test_flipped_bits_in_the_header_never_crash(path):
    content = path.read_bytes()
    places = random.Random(1)
    refusals = []
    for _ in range(300):
        flipped = bytearray(content)
        flipped[places.randrange(len(content) - 20)] ^= 1 << places.randrange(8)
        path.write_bytes(flipped)
        try:
            TensorFile(path)
        except CheckpointError as error:
            refusals.append(str(error))
    assert len(refusals) > 200, "what passes is a letter of a tensor's name, which is then missed"
    assert all(map(str.isprintable, refusals))


def test_a_name_that_steers_a_terminal_is_escaped(path):
    write_parts(path, {"\x1b[2J" * 100: {}}, b"")
    assert "'\\x1b[2J" in refusal(path)
