"""How long a text may be, and who says so."""

from tests.reference.cases.registry import EITHER, REFUSED, case
from tests.reference.making import tokenizers
from tests.reference.making.folders import base

NAMES = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")


def sentence_transformer(path, model_type="bert", *, limit=None, config=None, **changes):
    folder = base(path, model_type, **changes).sentence_transformer()
    if limit is not None:
        folder.change("tokenizer_config.json", model_max_length=limit)
    return folder if config is None else folder.write("sentence_bert_config.json", config)


for name in NAMES:

    @case(f"length/sentence-{name}", name)
    def by_sentence_config(path, kind):
        """one of the seven names of sentence_bert_config.json"""
        sentence_transformer(path).write(f"sentence_{kind}_config.json", {"max_seq_length": 12, "do_lower_case": False})


@case("length/both", limit=20, config={"max_seq_length": 12})
@case("length/smaller-tokenizer", limit=8, config={"max_seq_length": 12})
@case("length/tokenizer", limit=20)
@case("length/tokenizer-huge", limit=10**30)
@case("length/tokenizer-million", limit=10**6)
@case("length/tokenizer-beyond", limit=512)
@case("length/nobody")
@case("length/sentence-null", limit=20, config={"max_seq_length": None, "do_lower_case": False})
@case("length/sentence-beyond", config={"max_seq_length": 512})
@case("length/sentence-silent", limit=20, config={"do_lower_case": False})
@case("length/roberta-514", "roberta", limit=66)
@case("length/roberta-nobody", "roberta")
@case("length/roberta-beyond", "roberta", config={"max_seq_length": 66})
@case("length/modernbert-nobody", "modernbert")
def by(path, model_type="bert", limit=None, config=None):
    """model_max_length, max_seq_length, positions: which is least, and which counts"""
    sentence_transformer(path, model_type, limit=limit, config=config)


@case("length/bare", {"model_max_length": 20})
@case("length/bare-older-name", {"max_len": 20})
@case("length/bare-nobody", {})
def without_modules(path, config):
    """a bare encoder: model_max_length or positions"""
    base(path).change("tokenizer_config.json", **config)


@case("length/cut-in-tokenizer-json")
def cut_in_tokenizer_json(path):
    """a truncation in tokenizer.json, and no model_max_length"""
    truncation = {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}
    sentence_transformer(path).write("tokenizer.json", tokenizers.bert(truncation=truncation))


@case("length/cut-left", truncation_side="left", limit=20)
@case("length/padded-left", padding_side="left", limit=20)
def sides(path, limit, **sides):
    """truncation_side or padding_side is left: no question of what fits"""
    sentence_transformer(path, limit=limit).change("tokenizer_config.json", **sides)


for field in ("tokenizer_args", "processor_kwargs"):

    @case(f"length/{field}", field)
    def by_arguments(path, field):
        """model_max_length among the arguments that sentence_bert_config.json gives the tokenizer"""
        sentence_transformer(path, config={field: {"model_max_length": 12}, "do_lower_case": False})


@case("length/tokenizer-args-cased", tokenizer_args={"do_lower_case": False})
@case("length/processing-kwargs", processing_kwargs={"text": {"max_length": 12}})
@case("length/config-args", config_args={"num_hidden_layers": 1}, expected=EITHER)
@case("length/model-args", model_args={"dtype": "float16"}, expected=EITHER, tolerance=5e-3)
@case("length/model-args-attention", model_args={"attn_implementation": "eager"})
@case("length/transformer-task", transformer_task="fill-mask", expected=REFUSED)
@case("length/query-expansion", query_length=16, expected=EITHER)
@case("length/unknown-key", some_new_key=3, expected=REFUSED)
def arguments(path, **arguments):
    """other keys of sentence_bert_config.json"""
    sentence_transformer(path, config={"max_seq_length": 32, **arguments})


@case("length/unknown-key-of-nothing", expected=REFUSED)
def not_a_number(path):
    """max_seq_length is a text"""
    sentence_transformer(path, config={"max_seq_length": "many"})
