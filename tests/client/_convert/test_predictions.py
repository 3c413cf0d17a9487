"""Replies that do not fit their request are refused."""

import numpy as np
import pytest

from polyseme.client import InvalidReplyError
from polyseme.client._convert.predictions import answered, classifications, ranked, tagged_texts
from polyseme.client.models import Head
from polyseme.v1 import common_pb2, tensor_pb2
from polyseme.v1 import prediction_service_pb2 as pb

HEAD = Head(name="a", kind="token_classification", labels=("O", "B-P"), score_function="softmax", groups=("P",))
INFO = pb.InputInfo(tokens=3, original_tokens=3, windows=1)


def scores(*values, shape=None):
    array = np.array(values, "<f4")
    shape = array.shape if shape is None else shape
    return tensor_pb2.Tensor(dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=shape, data=array.tobytes())


def classified(tensor, infos=1):
    return classifications(pb.ClassifyResponse(scores=tensor, inputs=[INFO] * infos), 1, HEAD)


def tagged(start=0, end=2, label=1, group=0, tensor=None, texts=1):
    entity = pb.Entity(span=common_pb2.Span(start=start, end=end), text="ab", label=label, group=group, tokens=[1])
    text = pb.TaggedText(entities=[entity], scores=scores(0.5) if tensor is None else tensor, info=INFO)
    return tagged_texts(pb.TagTokensResponse(texts=[text] * texts), [2], HEAD)


def spans(end=2, none=0.1, questions=1, tensor=None):
    span = pb.AnswerSpan(span=common_pb2.Span(start=0, end=end), text="ab", tokens=[3])
    one = pb.Answered(answers=[span], scores=scores(0.5) if tensor is None else tensor, info=INFO)
    return answered(pb.AnswerResponse(questions=[one] * questions, none_scores=scores(none)), [2])


def order(indices, values, texts=("a", "b"), infos=2):
    message = pb.RerankResponse(indices=indices, scores=scores(*values), inputs=[INFO] * infos)
    return ranked(message, texts, 2)


def test_replies_that_fit():
    (one,) = classified(scores(0.25, 0.75, shape=(1, 2)))
    assert (one.label, one.score, one.info.windows) == ("B-P", 0.75, 1)
    (text,) = tagged()
    assert (text.entities[0].label, text.entities[0].group, text.entities[0].score) == ("B-P", "P", 0.5)
    (found,) = spans()
    assert (found.best.text, found.none_score) == ("ab", pytest.approx(0.1))
    assert [(one.index, one.text) for one in order([1, 0], [0.9, 0.1])] == [(1, "b"), (0, "a")]


@pytest.mark.parametrize(
    "lie",
    [
        lambda: classified(scores(0.25, 0.75)),
        lambda: classified(scores(0.25, np.nan, shape=(1, 2))),
        lambda: classified(scores(0.25, 0.5, 0.25, shape=(1, 3))),
        lambda: classified(scores(0.25, 0.75, shape=(1, 2)), infos=2),
        lambda: tagged(end=3),
        lambda: tagged(start=2, end=1),
        lambda: tagged(label=2),
        lambda: tagged(group=1),
        lambda: tagged(texts=2),
        lambda: tagged(tensor=scores(0.5, 0.5)),
        lambda: spans(end=3),
        lambda: spans(none=np.inf),
        lambda: spans(questions=2),
        lambda: spans(tensor=scores()),
        lambda: order([0], [0.9]),
        lambda: order([0, 0], [0.9, 0.1]),
        lambda: order([0, 2], [0.9, 0.1]),
        lambda: order([0, 1], [0.9]),
        lambda: order([0, 1], [0.9, 0.1], infos=1),
    ],
)
def test_lies_are_refused(lie):
    with pytest.raises(InvalidReplyError):
        lie()
