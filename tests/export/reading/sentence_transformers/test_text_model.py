import json

import numpy as np
import pytest
from tests.export.checkpoints import MODULE, make_dense, make_sentence_transformer

from polyseme.artifact import Activation, Pooling
from polyseme.export import CheckpointError, ExportError, UnsupportedError
from polyseme.export.reading.sentence_transformers.text_model import read_text_model

MEAN = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}


def refusal(directory, kind=ExportError):
    with pytest.raises(kind) as caught:
        read_text_model(directory, 32)
    assert str(caught.value).isprintable()
    return str(caught.value)


def write(path, document):
    path.write_text(json.dumps(document))


def test_a_bare_encoder_is_pooled_by_mean_and_says_so(tmp_path):
    model = read_text_model(tmp_path, 32)
    assert (
        model.pooling,
        model.pooling_assumed,
        model.normalizes,
        model.transformer.max_tokens,
    ) == (Pooling.MEAN, True, False, None)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        (MEAN, Pooling.MEAN),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, Pooling.CLS),
        ({"pooling_mode": "mean"}, Pooling.MEAN),
        ({"pooling_mode": ["mean"]}, Pooling.MEAN),
        ({"pooling_mode": "cls", **MEAN}, Pooling.CLS),
        ({"pooling_mode_cls_token": False}, Pooling.MEAN),
        ({}, Pooling.MEAN),
        ({"pooling_mode_max_tokens": True}, Pooling.MAX),
        ({"pooling_mode_mean_sqrt_len_tokens": True}, Pooling.MEAN_SQRT_LEN),
        ({"pooling_mode_lasttoken": True}, Pooling.LAST_TOKEN),
        ({"pooling_mode": "lasttoken"}, Pooling.LAST_TOKEN),
        ({"pooling_mode": "cls", "word_embedding_dimension": 32}, Pooling.CLS),
    ],
)
def test_pooling_is_what_the_folder_says(tmp_path, pooling, expected):
    make_sentence_transformer(tmp_path, "Transformer", "Pooling", **pooling)
    model = read_text_model(tmp_path, 32)
    assert (expected, False, False) == (model.pooling, model.pooling_assumed, model.normalizes)


@pytest.mark.parametrize(("kinds", "steps", "normalizes"), [
    (("Normalize", "Normalize"), [], True), (("Normalize", "Dense"), ["unit", "identity"], False),
    (("Dense", "Normalize"), ["identity"], True),
    (("Dense", "Normalize", "Dense"), ["identity", "unit", "identity"], False),
])  # fmt: skip
def test_modules_behind_the_pooling_keep_their_order(tmp_path, kinds, steps, normalizes):
    make_sentence_transformer(tmp_path, "Transformer", "Pooling", *kinds, **MEAN)
    for place, kind in enumerate(kinds, start=2):
        if kind == "Dense":
            make_dense(tmp_path / f"{place}_Dense", np.eye(32, dtype=np.float32), None, "linear.Identity")
    model = read_text_model(tmp_path, 32)
    assert ([layer.spec.activation.value for layer in model.dense], model.normalizes) == (steps, normalizes)


def test_normalize_is_obeyed(tmp_path):
    make_sentence_transformer(tmp_path, "Transformer", "Pooling", "Normalize", **MEAN)
    assert read_text_model(tmp_path, 32).normalizes


@pytest.mark.parametrize(
    "kinds",
    [("Transformer",), ("Transformer", "Dense"), ("Pooling", "Transformer"), (),
     ("Transformer", "Normalize", "Pooling"), ("Transformer", "Pooling", "Pooling")],
)  # fmt: skip
def test_other_modules_are_refused(tmp_path, kinds):
    make_sentence_transformer(tmp_path, *kinds, **MEAN)
    assert refusal(tmp_path, UnsupportedError).startswith(f"modules.json has {', '.join(kinds) or 'nothing'};")


@pytest.mark.parametrize(
    "pooling",
    [{"pooling_mode_max_tokens": True, **MEAN}, {"pooling_mode": []}, {"pooling_mode": "weightedmean"},
     {"pooling_mode": ["mean", "cls"]}, {"pooling_mode": None}, {"pooling_mode_weightedmean_tokens": True}],
)  # fmt: skip
def test_other_poolings_are_refused(tmp_path, pooling):
    make_sentence_transformer(tmp_path, "Transformer", "Pooling", **pooling)
    assert "1_Pooling pools by " in refusal(tmp_path, UnsupportedError)


def test_a_weighted_mean_is_refused_by_its_name(tmp_path):
    make_sentence_transformer(tmp_path, "Transformer", "Pooling", pooling_mode_weightedmean_tokens=True)
    assert "1_Pooling pools by weightedmean; one of cls, mean, max," in refusal(tmp_path, UnsupportedError)


def test_pooling_of_another_width_is_refused(tmp_path):
    make_sentence_transformer(tmp_path, "Transformer", "Pooling", **MEAN, word_embedding_dimension=64)
    assert refusal(tmp_path, CheckpointError) == "1_Pooling pools vectors of 64; the encoder's have 32"


@pytest.mark.parametrize("path", ["../elsewhere", "/etc"])
def test_a_module_elsewhere_is_refused(tmp_path, path):
    make_sentence_transformer(tmp_path, "Transformer", "Pooling", **MEAN)
    modules = [{"type": MODULE + "Transformer", "path": ""}, {"type": MODULE + "Pooling", "path": path}]
    write(tmp_path / "modules.json", modules)
    assert "leads out of the folder" in refusal(tmp_path, CheckpointError)


@pytest.mark.parametrize("modules", [{}, ["x"], [{"type": 1, "path": ""}], [{"type": "x"}], 3, None])
def test_modules_of_another_form_are_refused(tmp_path, modules):
    write(tmp_path / "modules.json", modules)
    assert "modules.json" in refusal(tmp_path)


def test_modules_that_are_no_json_are_refused(tmp_path):
    (tmp_path / "modules.json").write_text("[")
    assert "modules.json cannot be read" in refusal(tmp_path)


@pytest.fixture
def folder(tmp_path):
    make_sentence_transformer(tmp_path, "Transformer", "Pooling", **MEAN)
    return tmp_path


def test_the_length_is_what_the_folder_says(folder):
    write(folder / "sentence_bert_config.json", {"max_seq_length": 77, "do_lower_case": False})
    assert read_text_model(folder, 32).transformer.max_tokens == 77


@pytest.mark.parametrize("limit", [0, 2, -1, "77", 77.0, True])
def test_a_length_without_sense_is_refused(folder, limit):
    write(folder / "sentence_bert_config.json", {"max_seq_length": limit})
    assert "max_seq_length: expected an integer of 3 or more" in refusal(folder)


@pytest.mark.parametrize(("says", "expected"), [(True, True), (False, False), (None, False)])
def test_lower_casing_is_what_the_folder_says(folder, says, expected):
    write(folder / "sentence_bert_config.json", {"max_seq_length": 77, "do_lower_case": says})
    assert read_text_model(folder, 32).transformer.lower_cases is expected


def test_lower_casing_that_is_no_answer_is_refused(folder):
    write(folder / "sentence_bert_config.json", {"do_lower_case": "no"})
    assert "do_lower_case: expected true or false, got 'no'" in refusal(folder, CheckpointError)


def test_prompts_are_kept(folder):
    prompts = {"query": "query: ", "passage": ""}
    write(folder / "config_sentence_transformers.json", {"prompts": prompts, "default_prompt_name": "query"})
    model = read_text_model(folder, 32)
    assert ({**prompts, "document": ""}, "query") == (model.prompts, model.default_prompt_name)


def test_prompts_that_every_model_has_are_empty_unless_it_says_otherwise(folder):
    """`query` and `document`, as sentence-transformers has them; null is empty too."""
    assert read_text_model(folder, 32).prompts == {"query": "", "document": ""}
    write(folder / "config_sentence_transformers.json", {"prompts": {"document": "doc: ", "x": None}})
    assert read_text_model(folder, 32).prompts == {"query": "", "document": "doc: ", "x": ""}
    write(folder / "config_sentence_transformers.json", {"default_prompt_name": "document"})
    assert read_text_model(folder, 32).default_prompt_name == "document"


@pytest.mark.parametrize(
    "config",
    [{"prompts": ["x"]}, {"prompts": {"q": 1}}, {"prompts": {"q": "\ud800"}}, {"default_prompt_name": "q"},
     {"prompts": {"q": ""}, "default_prompt_name": "p"}, {"prompts": {"q": ""}, "default_prompt_name": ["q"]}],
)  # fmt: skip
def test_prompts_of_another_form_are_refused(folder, config):
    write(folder / "config_sentence_transformers.json", config)
    assert "config_sentence_transformers.json" in refusal(folder, CheckpointError)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, True),
        ({"include_prompt": True}, True),
        ({"include_prompt": False}, False),
        ({"include_prompt": None}, False),
    ],
)
def test_prompts_may_be_left_out_of_the_pooling(tmp_path, said, expected):
    make_sentence_transformer(tmp_path, "Transformer", "Pooling", **MEAN, **said)
    write(tmp_path / "config_sentence_transformers.json", {"prompts": {"query": "query: "}})
    assert read_text_model(tmp_path, 32).pools_prompt is expected


def test_empty_prompts_may_be_left_out_of_the_mean(tmp_path):
    make_sentence_transformer(tmp_path, "Transformer", "Pooling", **MEAN, include_prompt=False)
    write(tmp_path / "config_sentence_transformers.json", {"prompts": {"query": "", "passage": None}})
    model = read_text_model(tmp_path, 32)
    assert (model.prompts, model.pools_prompt) == ({"query": "", "document": "", "passage": ""}, True)


@pytest.mark.parametrize(("said", "expected"), [
    ("dot", "dot"), ("euclidean", "euclidean"), ("manhattan", "manhattan"), ("cosine", "cosine"), (None, "cosine"),
])  # fmt: skip
def test_likeness_is_what_the_folder_says(folder, said, expected):
    write(folder / "config_sentence_transformers.json", {"similarity_fn_name": said})
    assert read_text_model(folder, 32).similarity == expected


@pytest.mark.parametrize("said", ["hamming", ["dot"], 1])
def test_likeness_that_is_not_known_is_refused(folder, said):
    write(folder / "config_sentence_transformers.json", {"similarity_fn_name": said})
    assert refusal(folder, UnsupportedError).startswith("config_sentence_transformers.json similarity_fn_name ")


def test_no_length_to_cut_to_is_said(folder):
    assert read_text_model(folder, 32).matryoshka_dims == ()


@pytest.mark.parametrize(
    ("name", "said", "expected"),
    [
        ("config_sentence_transformers.json", {"truncate_dim": 16}, (16,)),
        ("config_sentence_transformers.json", {"truncate_dim": 64}, ()),
        ("config_sentence_transformers.json", {"truncate_dim": None}, ()),
        ("config_sentence_transformers.json", {"truncate_dim": 8, "matryoshka_dims": [32, 16, 8, 16]}, (8, 16, 32)),
        ("config.json", {"matryoshka_dimensions": [32, 4]}, (4, 32)),
    ],
)
@pytest.mark.parametrize("bare", [True, False])
def test_lengths_to_cut_to_are_ascending(folder, name, said, expected, bare):
    write(folder / name, said)
    if bare:
        (folder / "modules.json").unlink()
    model = read_text_model(folder, 32, "all")
    assert (model.matryoshka_dims, model.dimensions, model.dense) == (expected, 32, ())


def test_vectors_are_cut_to_the_length_that_the_folder_says(folder):
    write(folder / "config_sentence_transformers.json", {"truncate_dim": 8, "matryoshka_dims": [32, 16, 4]})
    model = read_text_model(folder, 32)
    assert (model.dimensions, model.matryoshka_dims, model.normalizes) == (8, (4, 8), False)
    (cut,) = model.dense
    np.testing.assert_array_equal(cut.weight, np.eye(32, 8))
    write(folder / "config_sentence_transformers.json", {"truncate_dim": 64})
    assert (read_text_model(folder, 32).dimensions, read_text_model(folder, 32).dense) == (32, ())


def test_a_normalize_before_the_cut_stays_before_it(tmp_path):
    make_sentence_transformer(tmp_path, "Transformer", "Pooling", "Normalize", **MEAN)
    write(tmp_path / "config_sentence_transformers.json", {"truncate_dim": 8})
    model = read_text_model(tmp_path, 32)
    assert [layer.spec.activation for layer in model.dense] == [Activation.UNIT, Activation.IDENTITY]
    assert not model.normalizes
    assert read_text_model(tmp_path, 32, "all").normalizes


@pytest.mark.parametrize("said", [0, -1, True, "16", 16.0, [16]])
def test_a_cut_without_sense_is_refused(folder, said):
    write(folder / "config_sentence_transformers.json", {"truncate_dim": said})
    assert refusal(folder, CheckpointError).startswith("config_sentence_transformers.json truncate_dim: got ")


@pytest.mark.parametrize("said", [0, 33, -1, True, "16", 16.0, [16, None], {"16": 1}, [[16]], list(range(1, 66))])
def test_lengths_without_sense_are_refused(folder, said):
    write(folder / "config_sentence_transformers.json", {"matryoshka_dims": said})
    assert refusal(folder, CheckpointError).startswith("config_sentence_transformers.json matryoshka_dims: ")


@pytest.mark.parametrize(
    "name",
    ["weighted_pooling.Pooling", "custom_st.Transformer", "x.Dense", "sentence_transformers.models.LayerNorm",
     "sentence_transformers.sparse_encoder.models.MLMTransformer", "sentence_transformers.models.Other.Pooling",
     "evil.sentence_transformers.models.Pooling", "sentence_transformers.Pooling", "Pooling"],
)  # fmt: skip
def test_a_class_of_another_is_refused_by_its_name(folder, name):
    modules = [{"type": MODULE + "Transformer", "path": ""}, {"type": name, "path": "1_Pooling"}]
    write(folder / "modules.json", modules)
    assert refusal(folder, UnsupportedError).startswith(f"modules.json: {name} is not supported; ")


@pytest.mark.parametrize(
    "pooling",
    ["sentence_transformers.models.Pooling", "sentence_transformers.models.Pooling.Pooling",
     "sentence_transformers.sentence_transformer.modules.pooling.Pooling"],
)  # fmt: skip
def test_a_class_is_known_by_each_of_its_names(folder, pooling):
    transformer = "sentence_transformers.base.modules.transformer.Transformer"
    write(folder / "modules.json", [{"type": transformer, "path": ""}, {"type": pooling, "path": "1_Pooling"}])
    assert read_text_model(folder, 32).pooling is Pooling.MEAN


def test_modules_of_one_name_are_refused(folder):
    modules = [{"type": MODULE + kind, "path": "", "name": "0"} for kind in ("Transformer", "Pooling")]
    write(folder / "modules.json", modules)
    assert refusal(folder, CheckpointError) == "modules.json: two modules are called '0'"


def test_dropout_changes_nothing(tmp_path):
    make_sentence_transformer(tmp_path, "Transformer", "Pooling", "Dropout", "Normalize", "Dropout", **MEAN)
    model = read_text_model(tmp_path, 32)
    assert (model.dense, model.normalizes) == ((), True)


@pytest.mark.parametrize("kind", ["SparseEncoder", "CrossEncoder", "MultiVectorEncoder", 3])
def test_models_of_another_kind_are_refused(folder, kind):
    write(folder / "config_sentence_transformers.json", {"model_type": kind})
    assert refusal(folder, UnsupportedError).startswith(f"config_sentence_transformers.json model_type {kind!r} is not")
    write(folder / "config_sentence_transformers.json", {"model_type": "SentenceTransformer"})
    assert read_text_model(folder, 32).pooling is Pooling.MEAN


def test_a_normalize_of_tokens_is_refused(tmp_path):
    make_sentence_transformer(tmp_path, "Transformer", "Pooling", "Normalize", **MEAN)
    (tmp_path / "2_Normalize").mkdir()
    write(tmp_path / "2_Normalize/config.json", {"module_input_name": "token_embeddings"})
    assert refusal(tmp_path, UnsupportedError) == "2_Normalize module_input_name 'token_embeddings' is not supported"


def test_a_bare_encoder_that_was_trained_to_go_on_is_pooled_by_its_last_token(tmp_path):
    write(tmp_path / "config.json", {"architectures": ["RobertaForCausalLM"]})
    assert (read_text_model(tmp_path, 32).pooling, read_text_model(tmp_path, 32).pooling_assumed) == (
        Pooling.LAST_TOKEN,
        True,
    )
    write(tmp_path / "config.json", {"architectures": ["RobertaForCausalLM"], "is_causal": False})
    assert read_text_model(tmp_path, 32).pooling is Pooling.MEAN


def test_a_pooling_option_that_is_not_known_is_refused(tmp_path):
    make_sentence_transformer(tmp_path, "Transformer", "Pooling", **MEAN, layer=3)
    assert refusal(tmp_path, UnsupportedError) == "1_Pooling layer is not supported"
