"""What a program says of one checkpoint: the same questions to the foreign programs and to ours."""

import base64
import hashlib
import json
from dataclasses import asdict, dataclass, field

import numpy as np

ENCODED = "LONG"  # the name of the text that is cut
_PER_DIGEST = 50


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Of one checkpoint.

    Attributes:
        limit: most tokens of a text that run.
        dimensions: of a text's vector.
        similarity: cosine, dot, euclidean or manhattan.
        prompts: those that are not empty.
        default_prompt: its name, or None.
        ids: per text of `texts.TEXTS`; None: that text cannot be tokenized.
        offsets: per text, in code points; None where the program has none.
        cut: ids of `texts.LONG`, cut at its end to the limit.
        digests: one for the ids and offsets of each 50 of `texts.many`.
        vectors: per text of `texts.VECTORS` [D], as the program gives it unasked; None: it has none.
        prompted: per prompt asked for, the vectors of `texts.PROMPTED`.
        states: every state of the first text's tokens, [L + 1, T, H].
    """

    limit: int
    dimensions: int
    similarity: str
    prompts: dict
    default_prompt: str | None
    ids: list
    offsets: list | None
    cut: list
    digests: list
    vectors: list
    prompted: dict = field(default_factory=dict)
    states: np.ndarray | None = None


def digests(tokenized):
    """Of (ids, offsets) of many texts, 8 hexadecimal digits for each 50."""
    some, found = [], []
    for one in tokenized:
        some.append(one)
        if len(some) == _PER_DIGEST:
            found.append(_digest(some))
            some = []
    return [*found, _digest(some)] if some else found


def pack(answers):
    """As it stands in a golden: arrays in base64."""
    document = asdict(answers)
    document["vectors"] = [_encode(vector) for vector in answers.vectors]
    document["prompted"] = {name: [_encode(v) for v in vectors] for name, vectors in answers.prompted.items()}
    document["states"] = None if answers.states is None else [list(answers.states.shape), _encode(answers.states)]
    return document


def unpack(document):
    """The reverse."""
    fields = dict(document)
    fields["vectors"] = [_decode(vector) for vector in fields["vectors"]]
    fields["prompted"] = {name: [_decode(v) for v in vectors] for name, vectors in fields["prompted"].items()}
    if fields["states"] is not None:
        shape, values = fields["states"]
        fields["states"] = _decode(values).reshape(shape)
    return Answers(**fields)


def _digest(values):
    return hashlib.sha256(json.dumps(values, separators=(",", ":")).encode()).hexdigest()[:8]


def _encode(values):
    return None if values is None else base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()


def _decode(text):
    return None if text is None else np.frombuffer(base64.b64decode(text), "<f4")
