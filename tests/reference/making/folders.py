"""A checkpoint on disk, made file by file, without torch: what a case changes, it says."""

import hashlib
import json
from pathlib import Path

import numpy as np
from tests.export.checkpoints import write_weights
from tests.reference.making import tokenizers
from tests.reference.making.vocabularies import MPNET_SPECIAL, byte_pairs, unigrams, word_pieces
from tests.reference.making.weights import config, random_weights

ST = "sentence_transformers.models."
KINDS = {
    "bert": (word_pieces, tokenizers.bert, {"tokenizer_class": "BertTokenizer"}),
    "distilbert": (word_pieces, tokenizers.bert, {"tokenizer_class": "DistilBertTokenizer"}),
    "roberta": (byte_pairs, tokenizers.roberta, {"tokenizer_class": "RobertaTokenizer"}),
    "xlm-roberta": (unigrams, tokenizers.xlm_roberta, {"tokenizer_class": "XLMRobertaTokenizer"}),
    "camembert": (unigrams, tokenizers.xlm_roberta, {"tokenizer_class": "XLMRobertaTokenizer"}),
    "modernbert": (
        byte_pairs,
        tokenizers.roberta,
        {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>"},
    ),
    "mpnet": (None, None, {"tokenizer_class": "MPNetTokenizer"}),
}


class Folder:
    """One checkpoint."""

    def __init__(self, path):
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)

    def write(self, name, content):
        """A file: bytes, text, or a document to be JSON."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, (bytes, str)):
            content = json.dumps(content, ensure_ascii=False)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self

    def read(self, name):
        return json.loads((self.path / name).read_text(encoding="utf-8"))

    def change(self, name, **fields):
        """Fields of a JSON file, which may not be there yet; None removes."""
        there = self.read(name) if (self.path / name).is_file() else {}
        return self.write(name, {key: value for key, value in {**there, **fields}.items() if value is not None})

    def remove(self, *names):
        for name in names:
            (self.path / name).unlink()
        return self

    def move(self, folder, *names):
        """Files into a folder within."""
        for name in names:
            (self.path / folder).mkdir(exist_ok=True)
            (self.path / name).rename(self.path / folder / name)
        return self

    def weights(self, weights, name="model.safetensors", dtype="F32"):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_weights(path, weights, dtype)
        return self

    def sentence_transformer(self, *modules, pooling="mean", **settings):
        """modules.json: a transformer, a pooling of some mode, and more modules as (type, folder)."""
        kinds = [(ST + "Transformer", ""), (ST + "Pooling", "1_Pooling"), *modules]
        entries = [{"idx": i, "name": str(i), "path": path, "type": kind} for i, (kind, path) in enumerate(kinds)]
        self.write("modules.json", entries)
        width = self.read("config.json").get("hidden_size") or self.read("config.json")["dim"]
        self.write("1_Pooling/config.json", {"word_embedding_dimension": width, "pooling_mode": pooling, **settings})
        return self

    def dense(self, folder, size_in, size_out, activation="torch.nn.modules.activation.Tanh", *, bias=True, **settings):
        draw = np.random.default_rng([size_in, size_out])
        fields = {"in_features": size_in, "out_features": size_out, "bias": bias, "activation_function": activation}
        self.write(f"{folder}/config.json", {**fields, **settings})
        weights = {"linear.weight": (draw.standard_normal((size_out, size_in)) * 0.3).astype(np.float32)}
        if bias:
            weights["linear.bias"] = (draw.standard_normal(size_out) * 0.3).astype(np.float32)
        return self.weights(weights, f"{folder}/model.safetensors")

    def sha256(self):
        """Of every file's name and bytes."""
        digest = hashlib.sha256()
        for path in sorted(self.path.rglob("*")):
            if path.is_file():
                digest.update(f"{path.relative_to(self.path).as_posix()}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
        return digest.hexdigest()


def base(path, model_type="bert", *, seed=0, **changes):
    """A checkpoint without a fault: config.json, weights, tokenizer.json and tokenizer_config.json."""
    folder = Folder(path)
    if model_type == "mpnet":
        vocabulary = word_pieces(MPNET_SPECIAL, more=("<mask>",))
        document = tokenizers.mpnet(vocabulary)
    else:
        make_vocabulary, make_document, _ = KINDS[model_type]
        vocabulary = make_vocabulary()
        document = make_document(vocabulary)
    fields = config(model_type, changes.pop("vocab_size", len(vocabulary)), **changes)
    folder.write("config.json", fields)
    folder.write("tokenizer.json", document)
    folder.write("tokenizer_config.json", KINDS[model_type][2])
    return folder.weights(random_weights(fields, seed))
