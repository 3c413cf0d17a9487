import pytest

from polyseme.artifact import HeadKind, ScoreFunction
from polyseme.export import CheckpointError, UnsupportedError
from polyseme.export.reading.label_maps import head_kind, read_labels, score_function

CLASSIFIES = HeadKind.CLASSIFICATION


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["BertForSequenceClassification"], HeadKind.CLASSIFICATION),
        (["XLMRobertaForTokenClassification"], HeadKind.TOKEN_CLASSIFICATION),
        (["MPNetForQuestionAnswering"], HeadKind.QUESTION_ANSWERING),
        (["BertModel"], None), (["BertForMaskedLM"], None), ([], None), (None, None), ([7], None), ("Bert", None),
    ],
)  # fmt: skip
def test_the_class_says_what_a_head_predicts(names, kind):
    assert head_kind({"architectures": names}) is kind


def test_labels_in_the_order_of_their_numbers():
    assert read_labels({"id2label": {"1": "b", "0": "a"}}) == ("a", "b")
    assert read_labels({}) == ("LABEL_0", "LABEL_1")
    assert read_labels({"num_labels": 1}) == ("LABEL_0",)


@pytest.mark.parametrize("count", [0, 10_001, "2", True])
def test_a_number_of_labels_without_sense_is_refused(count):
    with pytest.raises(CheckpointError, match=r"config.json num_labels: got .*; limits 1..10000"):
        read_labels({"num_labels": count})


@pytest.mark.parametrize(
    ("config", "labels", "scores"),
    [
        ({}, 1, ScoreFunction.SIGMOID),
        ({}, 2, ScoreFunction.SOFTMAX),
        ({"problem_type": "single_label_classification"}, 1, ScoreFunction.SIGMOID),
        ({"problem_type": "multi_label_classification"}, 2, ScoreFunction.SIGMOID),
        ({"problem_type": "regression"}, 2, ScoreFunction.IDENTITY),
        ({"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, 1, ScoreFunction.IDENTITY),
        ({"sentence_transformers": {"activation_fn": "torch.nn.Identity"}}, 1, ScoreFunction.IDENTITY),
        ({"sbert_ce_default_activation_function": "torch.nn.Identity"}, 3, ScoreFunction.SOFTMAX),
    ],
)
def test_how_logits_become_scores(config, labels, scores):
    assert score_function(config, CLASSIFIES, labels) is scores


def test_the_newest_file_has_the_last_word():
    older = {"sbert_ce_default_activation_function": "torch.nn.Sigmoid"}
    newer = {"activation_fn": "torch.nn.modules.linear.Identity"}
    assert score_function(older, CLASSIFIES, 1, newer) is ScoreFunction.IDENTITY


def test_tokens_have_one_label_of_several():
    config = {"problem_type": "multi_label_classification"}
    assert score_function(config, HeadKind.TOKEN_CLASSIFICATION, 3) is ScoreFunction.SOFTMAX


@pytest.mark.parametrize("config", [{"problem_type": ["x"]}, {"problem_type": "ranking"}])
def test_what_is_not_known_is_refused(config):
    with pytest.raises(UnsupportedError, match=r"config\.json problem_type"):
        score_function(config, CLASSIFIES, 2)
