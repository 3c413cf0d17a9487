"""Requests, and what becomes of them on the way to a server that nobody means well with."""

from polyseme.v1 import common_pb2
from polyseme.v1 import embedding_service_pb2 as pb

REQUESTS = [
    ("EmbeddingService/Embed", pb.EmbedRequest(texts=["a", "b c"], dimensions=3, model=common_pb2.ModelRef(name="x"))),
    ("EmbeddingService/Tokenize", pb.TokenizeRequest(texts=["a b", ""])),
    (
        "EmbeddingService/Similarity",
        pb.SimilarityRequest(a=[pb.Operand(text="a b a", word={"text": "a", "occurrence": 2})], top_k=1, mode=3),
    ),
    (
        "EmbeddingService/EmbedTokens",
        pb.EmbedTokensRequest(texts=["a b", "c"], layers={"layers": [0, -1], "combine": 3}),
    ),
    (
        "EmbeddingService/EmbedSpans",
        pb.EmbedSpansRequest(
            inputs=[{"text": "a b a", "spans": [{"start": 2, "end": 3}], "words": [{"text": "a"}]}, {"text": "c"}],
            subtokens=3,
            offset_unit=2,
        ),
    ),
]


def mutated(data, draw):
    """A valid message with bytes flipped, cut, repeated or put in."""
    frame = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(frame) + 1)
        match draw.randrange(4):
            case 0 if at < len(frame):
                frame[at] ^= 1 << draw.randrange(8)
            case 1:
                del frame[at:]
            case 2:
                frame[at:at] = frame[at : at + draw.randint(1, 8)]
            case _:
                frame[at:at] = draw.randbytes(draw.randint(1, 4))
    return bytes(frame)
