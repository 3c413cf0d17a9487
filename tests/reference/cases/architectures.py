"""Encoders: each family, its sizes, and the fields of config.json."""

from tests.reference.cases.registry import EITHER, REFUSED, case
from tests.reference.making.folders import base

for family in ("bert", "distilbert", "roberta", "xlm-roberta", "camembert", "mpnet", "modernbert"):

    @case(f"architecture/{family}", family)
    def families(path, family):
        """a family, without a fault; texts have <pad> in them"""
        base(path, family)


for positions in (8, 16, 48, 511, 512):

    @case(f"size/positions-{positions}", max_position_embeddings=positions)
    def of_positions(path, **sizes):
        """few positions, or many"""
        base(path, **sizes)


@case("size/roberta-positions-10", "roberta", max_position_embeddings=10)
@case("size/mpnet-positions-50", "mpnet", max_position_embeddings=50)
@case("size/modernbert-positions-48", "modernbert", max_position_embeddings=48)
@case("size/distilbert-positions-48", "distilbert", max_position_embeddings=48)
@case("size/one-layer", num_hidden_layers=1)
@case("size/three-layers", num_hidden_layers=3)
@case("size/one-head", num_attention_heads=1)
@case("size/heads-of-one", num_attention_heads=16)
@case("size/odd-heads", hidden_size=15, num_attention_heads=3)
@case("size/heads-of-five", hidden_size=20, num_attention_heads=4)
@case("size/width-8", hidden_size=8, num_attention_heads=2)
@case("size/wide-inside", intermediate_size=257)
@case("size/narrow-inside", intermediate_size=3)
@case("size/one-token-type", type_vocab_size=1)
@case("size/roberta-two-token-types", "roberta", type_vocab_size=2)
@case("size/more-rows-than-tokens", vocab_size=1000)
@case("size/modernbert-one-layer", "modernbert", num_hidden_layers=1)
def sizes(path, model_type="bert", **sizes):
    """a size that few models have"""
    base(path, model_type, **sizes)


@case("size/fewer-rows-than-tokens", expected=REFUSED)
def fewer_rows(path):
    """the tokenizer has ids beyond the word table"""
    base(path, vocab_size=50)


@case("config/eps", layer_norm_eps=1e-3)
@case("config/gelu-python", hidden_act="gelu_python")
@case("config/chunked", chunk_size_feed_forward=4)
@case("config/dropout", hidden_dropout_prob=0.5, attention_probs_dropout_prob=0.5)
@case("config/labels", num_labels=3, problem_type="regression", architectures=["BertForSequenceClassification"])
@case("config/silent-activation", hidden_act=None)
@case("config/no-eps", layer_norm_eps=0.0)
@case("config/padding-id", pad_token_id=7)
@case("config/no-padding-id", pad_token_id=None)
@case("config/auto-map", auto_map={"AutoModel": "modeling_mine.MyModel"}, expected=EITHER)
@case("config/name", _name_or_path="somebody/bert", transformers_version="4.1.0")
@case("config/dtype-float16", dtype="float16", tolerance=5e-3)  # transformers rounds the weights to it, ours keeps them
def fields(path, **fields):
    """a field of config.json"""
    base(path, **fields)


@case("config/roberta-padding-id", "roberta", pad_token_id=3)
@case("config/roberta-no-padding-id", "roberta", pad_token_id=None)
@case("config/roberta-eps-silent", "roberta", layer_norm_eps=None)
@case("config/modernbert-layer-types", "modernbert", layer_types=["sliding_attention", "full_attention"])
@case("config/modernbert-thetas", "modernbert", global_rope_theta=500.0, local_rope_theta=100.0)
@case(
    "config/modernbert-rope-parameters",
    "modernbert",
    rope_parameters={
        "full_attention": {"rope_type": "default", "rope_theta": 300.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
    },
)
@case("config/modernbert-window", "modernbert", local_attention=4)
@case("config/modernbert-window-odd", "modernbert", local_attention=5)
@case("config/modernbert-eps", "modernbert", norm_eps=1e-3)
@case("config/modernbert-activation", "modernbert", hidden_activation="gelu")
@case("config/distilbert-sinusoidal", "distilbert", sinusoidal_pos_embds=True)
@case("config/camembert-padding-id", "camembert", pad_token_id=5)
@case("config/xlm-roberta-padding-id-0", "xlm-roberta", pad_token_id=0)
@case("config/modernbert-pooling", "modernbert", classifier_pooling="mean", deterministic_flash_attn=True)
def fields_of_others(path, family, **fields):
    """a field of config.json, of another family"""
    base(path, family, **fields)


@case("config/relative-positions", position_embedding_type="relative_key", expected=REFUSED)
@case("config/gelu-new", hidden_act="gelu_new", expected=REFUSED)
@case("config/relu", hidden_act="relu", expected=REFUSED)
@case("config/decoder", is_decoder=True, expected=REFUSED)
@case("config/cross-attention", add_cross_attention=True, is_decoder=True, expected=REFUSED)
@case("config/quantized", quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True}, expected=REFUSED)
@case("config/causal", is_causal=True, expected=REFUSED)
@case("config/pruned-heads", pruned_heads={"0": [1]}, expected=EITHER)
@case(
    "config/unknown-family",
    model_type="bert",
    architectures=["BertModel"],
    max_position_embeddings=None,
    expected=REFUSED,
)
def refused_fields(path, **fields):
    """a field of config.json that changes what is computed"""
    max_positions = fields.pop("max_position_embeddings", 64)
    folder = base(path).change("config.json", **fields)
    if max_positions is None:
        folder.change("config.json", max_position_embeddings=None)


@case("config/modernbert-rope-scaling", "modernbert", rope_scaling={"rope_type": "linear", "factor": 2.0},
      expected=REFUSED)  # fmt: skip
@case("config/modernbert-sliding-window", "modernbert", sliding_window=2, expected=REFUSED)
@case("config/distilbert-other-heads", "distilbert", num_attention_heads=2, expected=REFUSED)
@case(
    "config/modernbert-older-rope-type",
    "modernbert",
    rope_parameters={"full_attention": {"type": "linear", "factor": 2.0}, "sliding_attention": {"type": "default"}},
    expected=REFUSED,
)
def other_names(path, family, **fields):
    """a second name for what config.json says too, and says otherwise"""
    base(path, family, **fields)


@case("config/modernbert-theta-of-both", "modernbert")
def theta_of_both(path, family):
    """rope_parameters without an angle, and global_rope_theta beside it"""
    parts = {"full_attention": {"rope_type": "default"}, "sliding_attention": {"rope_theta": 50.0}}
    base(path, family, global_rope_theta=77.0, rope_parameters=parts)


@case("config/modernbert-sliding-window-agrees", "modernbert", sliding_window=4)
@case("config/distilbert-heads-agree", "distilbert", num_attention_heads=4)
def names_that_agree(path, family, **fields):
    """a second name for what config.json says too"""
    base(path, family, **{"local_attention": 8, **fields} if family == "modernbert" else fields)
