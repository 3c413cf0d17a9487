"""Random weights of tiny models, by the names that transformers gives them."""

import numpy as np

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32}
_DISTILBERT = {"hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads",
               "intermediate_size": "hidden_dim"}  # fmt: skip


def config(model_type, vocab_size, **changes):
    """A config.json; None removes a field."""
    fields = {"model_type": model_type, "vocab_size": vocab_size, **SIZES}
    if model_type == "distilbert":
        fields = {_DISTILBERT.get(name, name): value for name, value in fields.items()}
        fields |= {"activation": "gelu", "max_position_embeddings": 64, "pad_token_id": 0}
    elif model_type == "modernbert":
        fields |= {"max_position_embeddings": 64, "local_attention": 8, "global_attn_every_n_layers": 2,
                   "pad_token_id": 1, "cls_token_id": 0, "bos_token_id": 0, "sep_token_id": 2,
                   "eos_token_id": 2}  # fmt: skip
    elif model_type == "bert":
        fields |= {"hidden_act": "gelu", "max_position_embeddings": 64, "type_vocab_size": 2, "pad_token_id": 0}
    else:
        fields |= {"hidden_act": "gelu", "max_position_embeddings": 66, "type_vocab_size": 1, "pad_token_id": 1,
                   "bos_token_id": 0, "eos_token_id": 2, "layer_norm_eps": 1e-5}  # fmt: skip
    if model_type == "mpnet":
        fields |= {"relative_attention_num_buckets": 32}
        del fields["type_vocab_size"]
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def random_weights(config, seed=0, scale=0.4):
    """Float32 arrays by name."""
    draw = np.random.default_rng([seed, *config["model_type"].encode()])

    def normal(*shape):
        return (draw.standard_normal(shape) * scale).astype(np.float32)

    weights = {}
    for name, shape in _shapes(config).items():
        weights[name] = 1 + normal(*shape) if "norm" in name.lower() and name.endswith("weight") else normal(*shape)
    return weights


def _shapes(config):
    makers = {"distilbert": _distilbert, "modernbert": _modernbert, "mpnet": _mpnet}
    return makers.get(config["model_type"], _bert)(config)


def _linear(name, size_in, size_out):
    return {f"{name}.weight": (size_out, size_in), f"{name}.bias": (size_out,)}


def _norm(name, size):
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def _bert(config):
    h, i = config["hidden_size"], config["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], h),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], h),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], h),
        **_norm("embeddings.LayerNorm", h),
    }
    for number in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{number}."
        for part in ("query", "key", "value"):
            shapes |= _linear(f"{at}attention.self.{part}", h, h)
        shapes |= _linear(at + "attention.output.dense", h, h) | _norm(at + "attention.output.LayerNorm", h)
        shapes |= _linear(at + "intermediate.dense", h, i) | _linear(at + "output.dense", i, h)
        shapes |= _norm(at + "output.LayerNorm", h)
    return shapes | _linear("pooler.dense", h, h)


def _mpnet(config):
    h = config["hidden_size"]
    names = {"attention.self.query": "attention.attn.q", "attention.self.key": "attention.attn.k",
             "attention.self.value": "attention.attn.v", "attention.output.dense": "attention.attn.o",
             "attention.output.LayerNorm": "attention.LayerNorm"}  # fmt: skip
    shapes = {}
    for name, shape in _bert({**config, "type_vocab_size": 1}).items():
        for old, new in names.items():
            name = name.replace(old, new)
        shapes[name] = shape
    del shapes["embeddings.token_type_embeddings.weight"]
    heads = config["num_attention_heads"]
    return (
        shapes
        | {"encoder.relative_attention_bias.weight": (config["relative_attention_num_buckets"], heads)}
        | (_linear("pooler.dense", h, h))
    )


def _distilbert(config):
    h, i = config["dim"], config["hidden_dim"]
    shapes = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], h),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], h),
        **_norm("embeddings.LayerNorm", h),
    }
    for number in range(config["n_layers"]):
        at = f"transformer.layer.{number}."
        for part in ("q_lin", "k_lin", "v_lin", "out_lin"):
            shapes |= _linear(f"{at}attention.{part}", h, h)
        shapes |= _norm(at + "sa_layer_norm", h) | _linear(at + "ffn.lin1", h, i) | _linear(at + "ffn.lin2", i, h)
        shapes |= _norm(at + "output_layer_norm", h)
    return shapes


def _modernbert(config):
    h, i = config["hidden_size"], config["intermediate_size"]
    shapes = {
        "embeddings.tok_embeddings.weight": (config["vocab_size"], h),
        "embeddings.norm.weight": (h,),
        "final_norm.weight": (h,),
    }
    for number in range(config["num_hidden_layers"]):
        at = f"layers.{number}."
        if number:
            shapes[at + "attn_norm.weight"] = (h,)
        shapes |= {at + "attn.Wqkv.weight": (3 * h, h), at + "attn.Wo.weight": (h, h), at + "mlp_norm.weight": (h,),
                   at + "mlp.Wi.weight": (2 * i, h), at + "mlp.Wo.weight": (h, i)}  # fmt: skip
    return shapes
