"""Weights: names, types, files, and what lies beside them."""

import json

import numpy as np
from tests.export.checkpoints import read_weights
from tests.reference.cases.registry import EITHER, REFUSED, case
from tests.reference.making.folders import base
from tests.reference.making.weights import random_weights


def weights_of(folder):
    return random_weights(folder.read("config.json"))


for prefix in ("bert.", "0.auto_model.", "model.", "encoder.", "auto_model."):

    @case(f"weights/prefix-{prefix.strip('.').replace('.', '-')}", prefix,
          expected="equal" if prefix == "bert." else EITHER, like="architecture/bert")  # fmt: skip
    def prefixed(path, prefix):
        """names with something before them"""
        folder = base(path)
        folder.weights({prefix + name: values for name, values in weights_of(folder).items()})


@case("weights/prefix-roberta", "roberta")
@case("weights/prefix-xlm-roberta", "xlm-roberta")
@case("weights/prefix-mpnet", "mpnet")
@case("weights/prefix-distilbert", "distilbert")
@case("weights/prefix-modernbert", "modernbert")
def prefixed_families(path, family):
    """a model with a head: its names have the family's prefix"""
    prefix = {"xlm-roberta": "roberta", "modernbert": "model"}.get(family, family)
    folder = base(path, family)
    renamed = {f"{prefix}.{name}": values for name, values in weights_of(folder).items() if "pooler" not in name}
    folder.weights({**renamed, "classifier.weight": np.ones((2, 16), np.float32)})


@case("weights/gamma-beta")
def gamma_beta(path):
    """LayerNorm's parts as TensorFlow's times called them"""
    folder = base(path)
    folder.weights({
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): values
        for name, values in weights_of(folder).items()
    })  # fmt: skip


@case("weights/fp16", "F16")
@case("weights/bf16", "BF16")
@case("weights/fp64", "F64")
def other_types(path, dtype):
    """weights of another element type"""
    folder = base(path)
    folder.weights(weights_of(folder), dtype=dtype)


@case("weights/sharded")
def sharded(path):
    """two files and an index"""
    folder = base(path)
    weights, names = weights_of(folder), {}
    folder.remove("model.safetensors")
    for number, part in enumerate((list(weights)[::2], list(weights)[1::2]), start=1):
        name = f"model-0000{number}-of-00002.safetensors"
        folder.weights({key: weights[key] for key in part}, name)
        names |= dict.fromkeys(part, name)
    folder.write("model.safetensors.index.json", {"metadata": {"total_size": 1}, "weight_map": names})


@case("weights/no-pooler")
@case("weights/mlm-head", {"cls.predictions.bias": (3,), "cls.predictions.transform.dense.weight": (16, 16)})
@case("weights/colbert-linear", {"linear.weight": (8, 16)})
@case("weights/position-ids", {"embeddings.position_ids": (1, 64)})
def more_or_less(path, more=None):
    """no pooler, and weights of a head or buffer"""
    folder = base(path)
    weights = {name: values for name, values in weights_of(folder).items() if "pooler" not in name}
    folder.weights({**weights, **{name: np.zeros(shape, np.float32) for name, shape in (more or {}).items()}})


@case("weights/missing", expected=REFUSED)
def missing(path):
    """one weight is missing, which transformers makes up"""
    folder = base(path)
    weights = weights_of(folder)
    del weights["encoder.layer.1.output.dense.weight"]
    folder.weights(weights)


@case("weights/misshapen", expected=REFUSED)
def misshapen(path):
    """config.json describes another width"""
    base(path).change("config.json", intermediate_size=64)


@case("weights/more-layers", expected=REFUSED)
def more_layers(path):
    """weights of a third layer, which config.json has not"""
    folder = base(path, num_hidden_layers=3)
    folder.change("config.json", num_hidden_layers=2)


@case("weights/not-finite", expected=REFUSED)
def not_finite(path):
    """a weight that is not a number"""
    folder = base(path)
    weights = weights_of(folder)
    weights["encoder.layer.0.output.dense.bias"] = np.full(16, np.nan, np.float32)
    folder.weights(weights)


@case("weights/pickle-alone", expected=REFUSED)
def pickle_alone(path):
    """pytorch_model.bin and no safetensors"""
    base(path).remove("model.safetensors").write("pytorch_model.bin", b"PK\x03\x04")


@case("weights/lfs-pointer", expected=REFUSED)
def lfs_pointer(path):
    """a pointer of Git LFS in place of the weights"""
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 90868376\n"
    base(path).write("model.safetensors", text)


@case("weights/adapter-beside-base", expected=REFUSED)
def adapter(path):
    """an adapter_config.json, its weights, and the base model's weights beside them"""
    folder = base(path)
    folder.write("adapter_config.json", {
        "peft_type": "LORA", "task_type": "FEATURE_EXTRACTION", "r": 2, "lora_alpha": 8, "lora_dropout": 0.0,
        "target_modules": ["query", "value"], "base_model_name_or_path": "somebody/base", "bias": "none",
        "inference_mode": True, "fan_in_fan_out": False,
    })  # fmt: skip
    draw, tensors = np.random.default_rng(5), {}
    for layer in range(2):
        for part in ("query", "value"):
            at = f"base_model.model.encoder.layer.{layer}.attention.self.{part}.lora_"
            tensors[at + "A.weight"] = draw.standard_normal((2, 16)).astype(np.float32)
            tensors[at + "B.weight"] = draw.standard_normal((16, 2)).astype(np.float32)
    folder.weights(tensors, "adapter_model.safetensors")


@case("weights/two-files", expected=EITHER)
def two_files(path):
    """model.safetensors, and an index of other files beside it"""
    folder = base(path)
    other = {name: values + 1 for name, values in weights_of(folder).items()}
    folder.weights(other, "model-00001-of-00001.safetensors")
    index = dict.fromkeys(other, "model-00001-of-00001.safetensors")
    folder.write("model.safetensors.index.json", json.dumps({"metadata": {}, "weight_map": index}))
    assert read_weights(folder.path)


@case("weights/twice", expected=REFUSED)
def twice(path):
    """each weight with a prefix and without, of other values"""
    folder = base(path)
    weights = weights_of(folder)
    folder.weights({**weights, **{"bert." + name: values + 1 for name, values in weights.items()}})
