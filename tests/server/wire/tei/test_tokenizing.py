"""Tokens through tei.v1, with offsets in bytes, and back to text."""

import grpc
import pytest
from tests.server.running import CANARY, refused

from polyseme.protocols.tei import tei_pb2 as pb
from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as v1

Code = grpc.StatusCode
TEXT = "a café 🙂 [SEP] no."


def test_tokens_are_those_of_v1_with_offsets_in_bytes(tei):
    reply = tei.tokenize.Tokenize(pb.EncodeRequest(inputs=TEXT, add_special_tokens=True), timeout=300)
    request = v1.TokenizeRequest(texts=[TEXT], offset_unit=common_pb2.OFFSET_UNIT_UTF8_BYTE)
    want = tei.server.embedding.Tokenize(request, timeout=300).texts[0].tokens
    assert [one.id for one in reply.tokens] == list(want.ids)
    assert [one.special for one in reply.tokens] == list(want.special)
    whole = TEXT.encode()
    for token, start, stop in zip(reply.tokens, want.starts, want.ends, strict=True):
        if token.special:
            assert not token.HasField("start")
            assert token.text in ("[CLS]", "[SEP]")
        else:
            assert (token.start, token.stop) == (start, stop)
            assert whole[token.start : token.stop].decode() == token.text
    assert [one.text for one in reply.tokens][-3:] == ["o", ".", "[SEP]"]


def test_special_tokens_are_put_there_only_if_the_caller_says_so(tei):
    reply = tei.tokenize.Tokenize(pb.EncodeRequest(inputs="a b"), timeout=300)
    assert [one.text for one in reply.tokens] == ["a", "b"]


def test_ids_become_text(tei):
    ids = [one.id for one in tei.tokenize.Tokenize(pb.EncodeRequest(inputs="a b"), timeout=300).tokens]
    whole = pb.DecodeRequest(ids=[2, *ids, 3])
    assert tei.tokenize.Decode(whole, timeout=300).text == "[CLS] a b [SEP]"
    whole.skip_special_tokens = True
    assert tei.tokenize.Decode(whole, timeout=300).text == "a b"
    assert tei.tokenize.Decode(pb.DecodeRequest(), timeout=300).text == ""


def test_streams_answer_in_order(tei):
    texts = [f"a{' b' * n}" for n in range(20)]
    replies = list(tei.tokenize.TokenizeStream((pb.EncodeRequest(inputs=text) for text in texts), timeout=300))
    assert [len(reply.tokens) for reply in replies] == list(range(1, 21))
    decoded = tei.tokenize.DecodeStream(
        (pb.DecodeRequest(ids=[token.id for token in reply.tokens]) for reply in replies), timeout=300
    )
    assert [reply.text for reply in decoded] == texts


def test_what_cannot_be_served_is_invalid_and_named_as_the_contract_does(tei):
    def tokenize(**fields):
        return lambda: tei.tokenize.Tokenize(pb.EncodeRequest(**fields), timeout=300)

    def decode(ids):
        return lambda: tei.tokenize.Decode(pb.DecodeRequest(ids=ids), timeout=300)

    refused(tokenize(inputs=CANARY * 400), Code.INVALID_ARGUMENT, "inputs has 4400 bytes; limit 4096")
    refused(tokenize(inputs="a", prompt_name="b"), Code.INVALID_ARGUMENT, "prompt_name: tiny has no prompt")
    most = tei.server.model.spec.encoder.vocab_size - 1
    refused(decode([1, most + 1]), Code.INVALID_ARGUMENT, f"ids[1]: got {most + 1}; limits 0..{most}")
    refused(decode([1] * 70_000), Code.INVALID_ARGUMENT, "ids has 70000 entries; limit 65536")


@pytest.mark.parametrize("count", [9_000, 65_536])
def test_many_ids_become_text(tei, count):
    assert len(tei.tokenize.Decode(pb.DecodeRequest(ids=[5] * count), timeout=300).text) == 2 * count - 1
