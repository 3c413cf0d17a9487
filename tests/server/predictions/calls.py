"""A server of artifacts with heads, and calls that ask them."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from tests.export.encoders.architectures.test_heads import FP32, checkpoint
from tests.export.test_heads import over_encoder_of
from tests.server.running import running

from polyseme.export import export_model
from polyseme.v1 import common_pb2, model_service_pb2, tensor_pb2
from polyseme.v1 import prediction_service_pb2 as pb

NAMES = ("bert-classification", "bert-multi_label", "bert-regression", "bert-one_label", "cross-identity",
         "cross-sigmoid", "bert-token_classification", "bert-question_answering")  # fmt: skip
SHORT = ("bert-token_classification", "bert-question_answering")  # which take 64 tokens too, as the goldens have it


def export_heads(folder):
    """Export a model for each head, two more for short texts, and one with several heads."""
    for name in NAMES:
        export_model(str(checkpoint(name, folder)), folder / "out" / name, FP32)
    tagger, moods = (
        checkpoint(f"bert-{kind}", folder / "several") for kind in ("token_classification", "classification")
    )
    over_encoder_of(tagger, moods)
    more = {"moods": str(moods), "more": str(moods)}
    export_model(str(tagger), folder / "out/several", replace(FP32, name="several", more_heads=more))
    for name in SHORT:
        short = replace(FP32, name=f"{name}-64", max_tokens=64)
        export_model(str(checkpoint(name, folder / "short")), folder / "out" / f"{name}-64", short)
    names = (*NAMES, *(f"{name}-64" for name in SHORT), "several")
    return [folder / "out" / name for name in names]


@contextmanager
def serving_heads(head_artifacts, tiny_artifact):
    """Serve them, and a model without a head that predicts."""
    with running(*head_artifacts, tiny_artifact, max_texts=64, max_text_bytes=4096) as it:
        yield it


def of(name):
    return common_pb2.ModelRef(name=name)


def array(tensor):
    assert tensor.dtype == tensor_pb2.DATA_TYPE_FLOAT32
    return np.frombuffer(tensor.data, "<f4").reshape(tuple(tensor.shape))


def head(server, name):
    (one,) = server.models.GetModel(model_service_pb2.GetModelRequest(model=of(name)), timeout=300).model.heads
    return one


def classify(server, name, texts=(), timeout=300, **fields):
    return server.prediction.Classify(pb.ClassifyRequest(texts=texts, model=of(name), **fields), timeout=timeout)


def tag(server, texts, timeout=300, name="bert-token_classification", **fields):
    return server.prediction.TagTokens(pb.TagTokensRequest(texts=texts, model=of(name), **fields), timeout=timeout)


def answer(server, questions, timeout=300, name="bert-question_answering", **fields):
    asked = [pb.Question(question=question, context=context) for question, context in questions]
    return server.prediction.Answer(pb.AnswerRequest(questions=asked, model=of(name), **fields), timeout=timeout)


def rerank(server, query, texts, timeout=300, name="cross-identity", **fields):
    return server.prediction.Rerank(
        pb.RerankRequest(query=query, texts=texts, model=of(name), **fields), timeout=timeout
    )
