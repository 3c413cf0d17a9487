"""Prompts, and what else config_sentence_transformers.json says."""

from tests.reference.cases.registry import EITHER, REFUSED, case
from tests.reference.making.folders import ST, base

BOTH = {"query": "query: ", "passage": "[SEP] passage: "}


@case("prompt/named", {"prompts": BOTH}, prompts=("query", "passage"))
@case("prompt/default", {"prompts": BOTH, "default_prompt_name": "query"}, prompts=("query", "passage"))
@case("prompt/null", {"prompts": {"query": None, "document": "doc: "}}, prompts=("document",))
@case("prompt/empty", {"prompts": {"query": "", "document": ""}}, prompts=("query", "document"))
@case("prompt/assumed", {"prompts": {}}, prompts=("query", "document"))
@case("prompt/query-alone", {"prompts": {"query": "query: "}}, prompts=("query", "document"))
@case("prompt/default-null", {"prompts": BOTH, "default_prompt_name": None}, prompts=("query",))
@case("prompt/no-space", {"prompts": {"query": "quer"}}, prompts=("query",))
def prompts(path, config):
    """prompts of config_sentence_transformers.json"""
    base(path).sentence_transformer().write("config_sentence_transformers.json", config)


@case("prompt/default-unknown", expected=REFUSED)
def unknown_default(path):
    """default_prompt_name names no prompt"""
    config = {"prompts": BOTH, "default_prompt_name": "question"}
    base(path).sentence_transformer().write("config_sentence_transformers.json", config)


@case("prompt/excluded", {"prompts": BOTH}, "mean", prompts=("query", "passage"))
@case("prompt/excluded-cls", {"prompts": BOTH}, "cls", prompts=("query", "passage"))
@case("prompt/excluded-max", {"prompts": BOTH}, "max", prompts=("query", "passage"))
@case("prompt/excluded-last", {"prompts": BOTH}, "lasttoken", prompts=("query", "passage"))
@case("prompt/excluded-sqrt", {"prompts": BOTH}, "mean_sqrt_len_tokens", prompts=("query", "passage"))
@case("prompt/excluded-joined", {"prompts": {"query": "the ban"}}, "mean", prompts=("query",))
@case("prompt/excluded-long", {"prompts": {"query": "the bank of " * 40}}, "mean", prompts=("query",))
@case("prompt/excluded-cut", {"prompts": BOTH, "truncate_dim": 8}, "max", prompts=("query",))
@case("prompt/excluded-default", {"prompts": BOTH, "default_prompt_name": "query"}, "mean", prompts=("query",))
@case("prompt/excluded-empty", {"prompts": {"query": "", "document": ""}}, "mean", prompts=("query",))
@case("prompt/excluded-none", {"prompts": {}}, "mean")
def excluded(path, config, pooling):
    """include_prompt is false: the prompt's tokens have no part in the pooling"""
    folder = base(path).sentence_transformer(pooling=pooling, include_prompt=False)
    folder.write("config_sentence_transformers.json", config)


@case("prompt/excluded-dense", prompts=("query",))
def excluded_before_dense(path):
    """include_prompt is false, and dense layers follow the pooling"""
    folder = base(path).sentence_transformer(
        (ST + "Dense", "2_Dense"), (ST + "Normalize", "3_Normalize"), include_prompt=False
    )
    folder.dense("2_Dense", 16, 24).write("config_sentence_transformers.json", {"prompts": BOTH})


@case("prompt/excluded-bytes", "roberta", prompts=("query",))
@case("prompt/excluded-unigrams", "xlm-roberta", prompts=("query",))
def excluded_bytes(path, model_type):
    """include_prompt is false, over pieces that join a prompt and a text"""
    folder = base(path, model_type).sentence_transformer(include_prompt=False)
    folder.write("config_sentence_transformers.json", {"prompts": {"query": "query: "}})


@case("prompt/excluded-unnamed-end", {"pad_token": "[PAD]"}, expected=REFUSED)
@case("prompt/excluded-named-end", {"pad_token": "[PAD]", "sep_token": "[SEP]"}, prompts=("query",))
def excluded_end(path, named):
    """include_prompt is false; [SEP] is a special token in tokenizer.json, and tokenizer_config.json names it or not"""
    folder = base(path).sentence_transformer(include_prompt=False)
    folder.write("tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **named})
    folder.write("config_sentence_transformers.json", {"prompts": {"query": "query: "}})


for metric in ("cosine", "dot", "euclidean", "manhattan"):

    @case(f"setting/similarity-{metric}", metric)
    def similarity(path, metric):
        """similarity_fn_name"""
        base(path).sentence_transformer().write("config_sentence_transformers.json", {"similarity_fn_name": metric})


@case("setting/similarity-unknown", {"similarity_fn_name": "tanimoto"}, expected=EITHER)
@case("setting/similarity-null", {"similarity_fn_name": None})
@case("setting/truncate-dim", {"truncate_dim": 8})
@case("setting/truncate-dim-null", {"truncate_dim": None})
@case("setting/truncate-dim-beyond", {"truncate_dim": 99})
@case("setting/unknown-key", {"some_new_key": 1})
@case(
    "setting/requirements",
    {"requirements": {"sentence-transformers": ">=99"}},
    expected=EITHER,
    like="setting/versions",
)
@case("setting/prompt-of-a-number", {"prompts": {"query": 3}}, expected=EITHER)
@case("setting/versions", {"__version__": {"sentence_transformers": "99.0.0"}, "model_type": "SentenceTransformer"})
def settings(path, config):
    """other keys of config_sentence_transformers.json"""
    base(path).sentence_transformer((ST + "Normalize", "2_Normalize")).write(
        "config_sentence_transformers.json", config
    )
