import traceback

import pytest

from polyseme.artifact import CorruptArtifactError
from polyseme.server.errors import EngineError
from polyseme.server.observe.exceptions import redacted

TEXT = "canaryxyzzy"


def printed(error):
    try:
        raise error  # noqa: TRY301
    except BaseException as raised:
        return "".join(traceback.format_exception(redacted(raised)))


class Panic(BaseException):
    """As pyo3's is none of Exception."""


@pytest.mark.parametrize(
    "error",
    [
        ValueError(TEXT),
        KeyError(TEXT),
        UnicodeEncodeError("utf-8", TEXT, 0, 1, "no"),
        SyntaxError(TEXT, (TEXT, 1, 1, TEXT)),
        Panic(TEXT),
        ExceptionGroup(TEXT, [ValueError(TEXT), TypeError(TEXT)]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_message_that_may_hold_text_is_withheld(error):
    error.add_note(TEXT)
    lines = printed(error)
    assert TEXT not in lines
    assert type(error).__name__ in lines
    assert "in printed\n" in lines, "where it was raised"


@pytest.mark.parametrize(
    "error", [EngineError("server stopped"), CorruptArtifactError("a: 3 bytes"), OSError(28, "No space left", "a/b")]
)
def test_our_own_messages_are_kept(error):
    assert str(error) in printed(error)


def test_onnxruntimes_messages_are_kept(tiny_artifact, tmp_path):
    from onnxruntime import InferenceSession

    (tmp_path / "no.onnx").write_bytes(b"no graph")
    with pytest.raises(Exception, match="Load model") as caught:
        InferenceSession(str(tmp_path / "no.onnx"))
    assert "Load model" in printed(caught.value)


def test_twice_is_as_once():
    once = redacted(EngineError("server stopped"))
    assert redacted(once) is once


def test_a_ring_of_causes_ends():
    first, second = ValueError(TEXT), TypeError(TEXT)
    first.__cause__, second.__cause__ = second, first
    assert TEXT not in printed(first)
