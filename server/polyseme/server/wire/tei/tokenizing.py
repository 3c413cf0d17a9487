"""tei.v1.Tokenize: a text to tokens, and token ids to a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from polyseme.protocols.tei import tei_pb2 as pb
from polyseme.runtime.text.offsets import OffsetTable, OffsetUnit
from polyseme.runtime.text.tokenizer import TokenizedText
from polyseme.server.errors import FieldPath
from polyseme.server.inference.decoding import decode
from polyseme.server.inference.queries import Decode, TextOptions
from polyseme.server.inference.validation import check_reply_bytes, check_texts, in_texts
from polyseme.server.models.registry import Models
from polyseme.server.wire.calls.call import Call
from polyseme.server.wire.calls.executions import Executions
from polyseme.server.wire.calls.ordered import OrderedStream
from polyseme.server.wire.calls.service import Method, StreamMethod
from polyseme.server.wire.messages.field_names import fields_named

_NAMES: Final[Mapping[FieldPath, FieldPath]] = {
    ("texts", 0): ("inputs",),
    ("text_options", "prompt_name"): ("prompt_name",),
}


class TokenizeService:
    """Answers calls for tokens of one text, and for the text of tokens."""

    descriptor = pb.DESCRIPTOR.services_by_name["Tokenize"]

    def __init__(self, executions: Executions) -> None:
        self._executions = executions

    @property
    def methods(self) -> Mapping[str, Method]:
        """The unary methods, by the name that the contract gives them."""
        return {"Tokenize": self.tokenize, "Decode": self.decode}

    @property
    def streams(self) -> Mapping[str, StreamMethod]:
        """The streams of them."""
        tokenize = OrderedStream(method=self.tokenize, executions=self._executions, reply_bytes=_nothing)
        back = OrderedStream(method=self.decode, executions=self._executions, reply_bytes=_nothing)
        return {"TokenizeStream": tokenize.answer, "DecodeStream": back.answer}

    async def tokenize(self, request: pb.EncodeRequest, call: Call) -> pb.EncodeResponse:
        """Answer Tokenize: the tokens of a text, uncut."""
        execution = self._executions.of(call)
        options = TextOptions(add_special_tokens=request.add_special_tokens, prompt_name=request.prompt_name)
        texts = [request.inputs]

        def build(tokens: TokenizedText) -> pb.EncodeResponse:
            reply = pb.EncodeResponse(tokens=_tokens(request.inputs, tokens))
            check_reply_bytes(reply.ByteSize(), execution.limits)
            return reply

        with fields_named(_NAMES):
            check_texts(texts, execution.limits, in_texts)
            (reply,) = await execution.tokenize(texts, options, build)
        return reply

    async def decode(self, request: pb.DecodeRequest, call: Call) -> pb.DecodeResponse:
        """Answer Decode: the text of token ids."""
        query = Decode(ids=request.ids, skip_special_tokens=request.skip_special_tokens)
        return pb.DecodeResponse(text=await decode(query, self._executions.of(call)))


def _tokens(text: str, tokenized: TokenizedText) -> Iterator[pb.SimpleToken]:
    """Describe tokens; those of a prompt and those that the model adds have no place in the text."""
    offset = OffsetTable(text, OffsetUnit.UTF8_BYTE).from_code_points
    ids = tokenized.ids.tolist()
    for number, token, special, (start, stop) in zip(
        ids, tokenized.tokens, tokenized.special, tokenized.offsets, strict=True
    ):
        if special or start == stop:
            yield pb.SimpleToken(id=number, text=token, special=special)
        else:
            yield pb.SimpleToken(id=number, text=text[start:stop], start=offset(start), stop=offset(stop))


def _nothing(_request: pb.EncodeRequest | pb.DecodeRequest, _models: Models) -> int:
    """Count no more than what is counted of every request: tokens are held as short as their text."""
    return 0
