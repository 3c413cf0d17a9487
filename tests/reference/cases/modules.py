"""What follows the encoder: modules.json, poolings, dense layers and others."""

import numpy as np
from tests.reference.cases.registry import EITHER, REFUSED, case
from tests.reference.making.folders import ST, base

DENSE, NORMALIZE = (ST + "Dense", "2_Dense"), (ST + "Normalize", "2_Normalize")
TORCH = "torch.nn.modules."
LEGACY = ("cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")

for mode in ("mean", "cls", "max", "mean_sqrt_len_tokens", "lasttoken"):

    @case(f"module/{mode}", mode)
    @case(f"module/{mode}-list", [mode])
    def one_pooling(path, mode):
        """a pooling, by its name or in a list of one"""
        base(path).sentence_transformer(pooling=mode)


@case("module/weightedmean", "weightedmean", expected=REFUSED)
@case("module/two-poolings", ["cls", "mean"], expected=REFUSED)
@case("module/unknown-pooling", "median", expected=REFUSED)
def other_poolings(path, mode):
    """a pooling that is not computed"""
    base(path).sentence_transformer(pooling=mode)


for key in LEGACY:

    @case(f"module/legacy-{key.replace('_', '-')}", key, expected=REFUSED if key.startswith("weighted") else "equal")
    def legacy(path, key):
        """a pooling by pooling_mode_*, as older versions wrote it"""
        folder = base(path).sentence_transformer()
        modes = {f"pooling_mode_{each}": each == key for each in LEGACY}
        folder.write("1_Pooling/config.json", {"word_embedding_dimension": 16, **modes})


@case("module/legacy-none")
def legacy_none(path):
    """pooling_mode_* are all false: sentence-transformers takes the mean"""
    folder = base(path).sentence_transformer()
    folder.write("1_Pooling/config.json", {"word_embedding_dimension": 16, "pooling_mode_cls_token": False})


@case("module/legacy-two", expected=REFUSED)
def legacy_two(path):
    """two of pooling_mode_* are true"""
    folder = base(path).sentence_transformer()
    fields = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}
    folder.write("1_Pooling/config.json", {"word_embedding_dimension": 16, **fields})


@case("module/width-by-its-new-name")
def new_width(path):
    """embedding_dimension, as sentence-transformers 5.4 calls it"""
    folder = base(path).sentence_transformer()
    folder.write("1_Pooling/config.json", {"embedding_dimension": 16, "pooling_mode": "cls", "include_prompt": True})


@case("module/unknown-pooling-key", expected=REFUSED)
def unknown_pooling_key(path):
    """a key in the pooling's config that nobody knows"""
    base(path).sentence_transformer(some_new_key=True)


@case("module/normalize", NORMALIZE)
@case("module/normalize-twice", NORMALIZE, (ST + "Normalize", "3_Normalize"), expected=EITHER)
@case("module/no-modules-json", None)
def normalized(path, *modules):
    """a Normalize module, or no modules.json at all"""
    if modules[0] is None:
        base(path)
    else:
        base(path).sentence_transformer(*modules)


@case("module/transformer-alone", expected=EITHER)
def transformer_alone(path):
    """modules.json without a pooling: sentence-transformers has no vectors, the mean is assumed and that is said"""
    folder = base(path)
    folder.write("modules.json", [{"idx": 0, "name": "0", "path": "", "type": ST + "Transformer"}])


for name in ("activation.Tanh", "activation.ReLU", "activation.GELU", "activation.Sigmoid", "linear.Identity"):

    @case(f"module/dense-{name.rpartition('.')[2].lower()}", TORCH + name)
    def dense(path, activation):
        """a Dense module with some activation"""
        base(path).sentence_transformer(DENSE).dense("2_Dense", 16, 24, activation)


@case("module/dense-no-bias", bias=False)
@case("module/dense-activation-silent", activation_function=None)
@case("module/dense-activation-untrusted", activation_function="my_module.Swish", expected=REFUSED)
@case("module/dense-residual", use_residual=True, expected=REFUSED)
@case("module/dense-other-input", module_input_name="token_embeddings", expected=REFUSED)
@case("module/dense-unknown-key", some_new_key=1, expected=EITHER)
def dense_options(path, **settings):
    """keys of a Dense module's config"""
    folder = base(path).sentence_transformer(DENSE, (ST + "Normalize", "3_Normalize")).dense("2_Dense", 16, 16)
    folder.change("2_Dense/config.json", **settings)
    if not settings.get("bias", True):
        folder.dense("2_Dense", 16, 16, bias=False)


@case("module/dense-of-zeros")
def dense_of_zeros(path):
    """Dense and ReLU that give zeros for every text, then Normalize"""
    folder = base(path).sentence_transformer(DENSE, (ST + "Normalize", "3_Normalize"))
    folder.dense("2_Dense", 16, 4, TORCH + "activation.ReLU")
    folder.weights({"linear.weight": np.zeros((4, 16), np.float32), "linear.bias": np.full(4, -1, np.float32)},
                   "2_Dense/model.safetensors")  # fmt: skip


@case("module/dense-twice")
def dense_twice(path):
    """two Dense modules"""
    folder = base(path).sentence_transformer(DENSE, (ST + "Dense", "3_Dense"))
    folder.dense("2_Dense", 16, 32).dense("3_Dense", 32, 8, TORCH + "linear.Identity")


@case("module/dense-misfit", expected=REFUSED)
def dense_misfit(path):
    """a Dense module of another width"""
    base(path).sentence_transformer(DENSE).dense("2_Dense", 32, 8)


@case("module/dropout", "Dropout", {"dropout": 0.3})
@case("module/layer-norm", "LayerNorm", {"dimension": 16}, expected=REFUSED)
@case("module/cnn", "CNN", {"in_embedding_dimension": 16, "out_channels": 16, "kernel_sizes": [1]}, expected=REFUSED)
@case(
    "module/word-weights", "WordWeights", {"vocab": [], "word_weights": {}, "unknown_word_weight": 1}, expected=REFUSED
)
def other_modules(path, kind, config):
    """another module of sentence-transformers' own"""
    folder = base(path).sentence_transformer((ST + kind, f"2_{kind}")).write(f"2_{kind}/config.json", config)
    if kind == "LayerNorm":
        weights = {"norm.weight": np.full(16, 2, np.float32), "norm.bias": np.ones(16, np.float32)}
        folder.weights(weights, "2_LayerNorm/model.safetensors")


@case("module/foreign-pooling", 1, "weighted_pooling.Pooling", expected=REFUSED)
@case("module/foreign-transformer", 0, "custom_st.Transformer", expected=REFUSED)
@case("module/foreign-dense", 2, "x.Dense", expected=REFUSED)
@case("module/foreign-normalize", 3, "mine.models.Normalize", expected=REFUSED)
@case("module/foreign-of-its-name", 1, "sentence_transformers_extra.models.Pooling", expected=REFUSED)
def foreign(path, place, kind):
    """a class of the checkpoint's own, whose last word is one of sentence-transformers'"""
    folder = base(path).sentence_transformer(DENSE, (ST + "Normalize", "3_Normalize")).dense("2_Dense", 16, 16)
    modules = folder.read("modules.json")
    modules[place]["type"] = kind
    folder.write("modules.json", modules)


@case("module/normalize-then-dense", ("Normalize", "Dense"))
@case("module/dense-normalize-dense", ("Dense", "Normalize", "Dense"))
def orders(path, kinds):
    """Dense and Normalize in some order"""
    modules = [(ST + kind, f"{number}_{kind}") for number, kind in enumerate(kinds, start=2)]
    folder = base(path).sentence_transformer(*modules)
    for kind, name in modules:
        if kind.endswith("Dense"):
            folder.dense(name, 16, 16)


@case("module/pooling-of-another-width", {"word_embedding_dimension": 384, "pooling_mode": "mean"}, expected=EITHER)
@case("module/pooling-without-a-width", {"pooling_mode": "mean"}, expected=EITHER, like="module/mean")
@case("module/pooling-without-a-config", None, expected=EITHER, like="module/mean")
def pooling_config(path, config):
    """what a pooling's config lacks, or has otherwise"""
    folder = base(path).sentence_transformer()
    if config is None:
        folder.remove("1_Pooling/config.json")
    else:
        folder.write("1_Pooling/config.json", config)


@case("module/keyword-arguments", expected=EITHER)
def keyword_arguments(path):
    """modules.json names keyword arguments of a module"""
    folder = base(path).sentence_transformer()
    modules = folder.read("modules.json")
    modules[0]["kwargs"] = ["task"]
    folder.write("modules.json", modules)


SIX = "sentence_transformers.base.modules.transformer.Transformer"


@case("module/types-of-version-6", SIX, "sentence_transformers.sentence_transformer.modules.pooling.Pooling")
@case("module/types-of-version-5", ST + "Transformer.Transformer", ST + "Pooling.Pooling")
@case("module/types-by-their-package", "sentence_transformers.models.Transformer",
      "sentence_transformers.sentence_transformer.modules.Pooling")  # fmt: skip
def types(path, transformer, pooling):
    """names that sentence-transformers gives its own classes"""
    folder = base(path).sentence_transformer(pooling="cls")
    modules = folder.read("modules.json")
    modules[0]["type"], modules[1]["type"] = transformer, pooling
    folder.write("modules.json", modules)


@case("module/transformer-in-a-folder", "0_Transformer")
@case("module/transformer-in-another-folder", "encoder")
def in_a_folder(path, name):
    """the encoder's files in a folder of their own"""
    folder = base(path).sentence_transformer().write("sentence_bert_config.json", {"max_seq_length": 12})
    folder.move(name, "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
                "sentence_bert_config.json")  # fmt: skip
    modules = folder.read("modules.json")
    modules[0]["path"] = name
    folder.write("modules.json", modules)


@case("module/path-out-of-the-folder", expected=REFUSED)
def out_of_the_folder(path):
    """a module's path leaves the folder"""
    folder = base(path).sentence_transformer()
    modules = folder.read("modules.json")
    modules[1]["path"] = "../1_Pooling"
    folder.write("modules.json", modules)


@case("module/router", expected=REFUSED)
def router(path):
    """a Router, which sends queries and documents different ways"""
    folder = base(path)
    folder.write("modules.json", [{"idx": 0, "name": "0", "path": "", "type": ST + "Router"}])
    folder.write("router_config.json", {"types": {}, "structure": {"query": [], "document": []}, "parameters": {}})


@case("module/multi-vector", "MultiVectorEncoder", expected=REFUSED)
@case("module/sparse", "SparseEncoder", expected=REFUSED)
@case("module/cross", "CrossEncoder", expected=REFUSED)
def other_archetypes(path, kind):
    """model_type of config_sentence_transformers.json names another kind of model"""
    base(path).sentence_transformer().write("config_sentence_transformers.json", {"model_type": kind})
