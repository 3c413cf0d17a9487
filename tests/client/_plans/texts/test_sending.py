import pytest

from polyseme.client import InvalidArgumentError, Limits, UnavailableError
from polyseme.client._plans.catalog import Catalog
from polyseme.client._plans.texts.sending import TextCalls, check_text_bytes, message_bytes, send_texts
from polyseme.client._transport.channel import MAX_MESSAGE_BYTES


def _limits(**limits: int) -> Limits:
    return Limits(**{"max_texts": 0, "max_text_bytes": 0, "max_message_bytes": 0, "max_spans": 0, **limits})


def _work(texts: int) -> TextCalls:
    return TextCalls(
        path="/s/M",
        model="",
        timeout=None,
        text_bytes=[1] * texts,
        overhead_bytes=0,
        encode=lambda rows, several: bytes(rows),
        receive=lambda rows, reply: None,
        reply_bytes=lambda model, size: 1,
    )


def test_message_bytes_is_the_smaller_of_both_sides():
    assert message_bytes(_limits(max_message_bytes=7)) == 7
    assert message_bytes(_limits(max_message_bytes=1 << 30)) == MAX_MESSAGE_BYTES
    assert message_bytes(_limits()) == MAX_MESSAGE_BYTES


def test_check_text_bytes_names_the_first_text_over_the_limit():
    with pytest.raises(InvalidArgumentError, match=r"^a\[1\] has 8 bytes of UTF-8; limit 7 \(max_text_bytes\)$"):
        check_text_bytes([7, 8, 9], _limits(max_text_bytes=7), "a")


def test_check_text_bytes_passes_where_the_server_names_no_limit():
    check_text_bytes([1 << 30], _limits())


def test_send_texts_raises_the_refusal_where_the_limits_cannot_be_had():
    plan = send_texts(_work(2), Catalog())
    assert next(plan).path == "/s/M"
    assert plan.throw(InvalidArgumentError("too many")).path.endswith("/GetModel")
    with pytest.raises(InvalidArgumentError, match="too many"):
        plan.throw(UnavailableError("gone"))


def test_send_texts_does_not_ask_for_limits_because_of_one_text():
    plan = send_texts(_work(1), Catalog())
    next(plan)
    with pytest.raises(InvalidArgumentError, match="too long"):
        plan.throw(InvalidArgumentError("too long"))
