import json

import pytest

from polyseme.export import CheckpointError, ExportError, UnsupportedError
from polyseme.export.reading.sentence_transformers.transformer_module import read_transformer_module

NAME = "sentence_bert_config.json"
NAMES = [f"sentence_{kind}_config.json"
         for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")]  # fmt: skip


def read(folder, name=NAME, **config):
    (folder / name).write_text(json.dumps(config))
    return read_transformer_module(folder)


def test_a_folder_without_the_file_says_nothing(tmp_path):
    module = read_transformer_module(tmp_path)
    assert (module.max_tokens, module.lower_cases, module.tokenizer) == (None, False, {})


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_known_by_each_of_its_names(tmp_path, name):
    assert read(tmp_path, name, max_seq_length=77).max_tokens == 77


def test_the_first_file_that_says_anything_is_taken(tmp_path):
    read(tmp_path, NAMES[0])
    read(tmp_path, NAMES[2], max_seq_length=99)
    assert read(tmp_path, NAMES[1], max_seq_length=88).max_tokens == 88


@pytest.mark.parametrize(("config", "expected"), [
    ({"max_seq_length": 77}, 77),
    ({"max_seq_length": 77, "tokenizer_args": {"model_max_length": 55}}, 55),
    ({"processor_kwargs": {"model_max_length": 55}}, 55),
    ({"max_seq_length": 77, "processing_kwargs": {"text": {"max_length": 33}, "common": {"max_length": 44}}}, 44),
    ({"max_seq_length": 77, "processing_kwargs": {"common": {"max_length": 44, "padding": True}}}, 44),
    ({"max_seq_length": None}, None),
])  # fmt: skip
def test_the_limit_is_that_of_sentence_transformers(tmp_path, config, expected):
    assert read(tmp_path, **config).max_tokens == expected


def test_options_of_the_tokenizer_are_passed_on(tmp_path):
    options = {"do_lower_case": False, "strip_accents": True, "use_fast": True, "token": None}
    assert read(tmp_path, tokenizer_args=options).tokenizer == {"do_lower_case": False, "strip_accents": True}
    assert read(tmp_path, tokenizer_args=None, max_seq_length=9).tokenizer == {}


def test_what_newer_versions_write_is_known(tmp_path):
    text = {"method": "forward", "method_output_name": "last_hidden_state"}
    config = {"transformer_task": "feature-extraction", "modality_config": {"text": text}, "unpad_inputs": False,
              "module_output_name": "token_embeddings", "model_args": {"torch_dtype": "float16"},
              "config_kwargs": {"use_cache": False}, "query_length": None}  # fmt: skip
    assert read(tmp_path, **config).max_tokens is None


def test_limits_of_queries_alone_are_named(tmp_path):
    module = read(tmp_path, query_length=16, document_length=None)
    assert (module.max_tokens, module.left_out) == (None, (f"{NAME} query_length",))


@pytest.mark.parametrize(("config", "kind", "why"), [
    ({"new_option": 1}, UnsupportedError, "new_option 1 is not supported"),
    ({"query_expansion": {"length": 32}}, UnsupportedError, "query_expansion {'length': 32} is not supported"),
    ({"transformer_task": "fill-mask"}, UnsupportedError, "transformer_task 'fill-mask' is not supported"),
    ({"module_output_name": "x"}, UnsupportedError, "module_output_name 'x' is not supported"),
    ({"modality_config": {"message": {}}}, UnsupportedError, "modality_config {'message': {}} is not supported"),
    ({"tokenizer_name_or_path": "x"}, UnsupportedError, "tokenizer_name_or_path 'x' is not supported"),
    ({"tokenizer_args": {"cls_token": "x"}}, UnsupportedError, "tokenizer_args: cls_token is not supported"),
    ({"config_args": {"hidden_act": "relu"}}, UnsupportedError, "config_args: hidden_act is not supported"),
    ({"model_kwargs": {"variant": "x"}}, UnsupportedError, "model_kwargs: variant is not supported"),
    ({"processing_kwargs": {"text": {"add_special_tokens": False}}}, UnsupportedError,
     "processing_kwargs text: add_special_tokens False is not supported"),
    ({"processing_kwargs": {"text": {"truncation": False}}}, UnsupportedError, "text: truncation False is not"),
    ({"processing_kwargs": []}, None, ""),
    ({"processing_kwargs": 3}, CheckpointError, "processing_kwargs: expected a JSON object, got int"),
    ({"processing_kwargs": {"text": 3}}, CheckpointError, "processing_kwargs text: expected a JSON object"),
    ({"tokenizer_args": 3}, CheckpointError, "tokenizer_args: expected a JSON object, got int"),
    ({"tokenizer_args": {"model_max_length": 1}}, CheckpointError,
     "tokenizer_args model_max_length: expected an integer of 3 or more, got 1"),
])  # fmt: skip
def test_what_would_not_be_computed_is_refused(tmp_path, config, kind, why):
    if kind is None:
        assert read(tmp_path, **config).max_tokens is None
        return
    with pytest.raises(ExportError) as caught:
        read(tmp_path, **config)
    assert (type(caught.value), str(caught.value).startswith(f"{NAME} ")) == (kind, True)
    assert why in str(caught.value)
