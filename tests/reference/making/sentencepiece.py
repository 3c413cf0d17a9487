"""A model file of sentencepiece, written by hand. Source: sentencepiece_model.proto, ModelProto."""

import struct

from tests.reference.making.vocabularies import unigrams

_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3


def model_file():
    """The unigrams, with <unk>, <s> and </s> before them, as fairseq's models have them."""
    pieces = [("<unk>", 0.0, _UNKNOWN), ("<s>", 0.0, _CONTROL), ("</s>", 0.0, _CONTROL)]
    pieces += [(piece, score, _NORMAL) for piece, score in unigrams(special=(), last=())]
    content = b"".join(_message(1, _piece(*piece)) for piece in pieces)
    trainer = _varint(3 << 3) + _varint(1)  # model_type: UNIGRAM
    return content + _message(2, trainer) + _message(3, _message(1, b"identity"))


def _piece(text, score, kind):
    return _message(1, text.encode()) + _varint(2 << 3 | 5) + struct.pack("<f", score) + _varint(3 << 3) + _varint(kind)


def _message(field, content):
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])
