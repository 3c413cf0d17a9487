"""A small artifact without a model behind it: the format alone."""

import hashlib
import json

from polyseme.artifact import (
    EMBEDDING,
    ArtifactWriter,
    EmbeddingHead,
    EncoderSpec,
    Manifest,
    ModelSpec,
    Pooling,
    Precision,
    PrecisionEntry,
    Source,
    Variant,
    WeightEntry,
)

CONTENT = {
    "tokenizer.json": b"{}",
    "embed.fp32.onnx": b"embed",
    "layers.fp32.onnx": b"layers",
    "weights.fp32.bin": bytes(range(64)) * 2,
}


def spec(**changes):
    """A model's spec; `changes` are fields of its encoder, of its head, or its own."""
    encoder = {
        "architecture": "bert",
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 100,
        "max_position_embeddings": 32,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    }
    head = {"dimensions": 8, "pooling": Pooling.MEAN, "pooling_assumed": False, "normalizes": True}
    own = {"max_tokens": 16, "prompts": {"query": "query: "}, "default_prompt_name": "query"}
    for name, value in changes.items():
        kind = next((k, f) for k, f in ((EncoderSpec, encoder), (EmbeddingHead, head), (ModelSpec, own))
                    if name in k.__dataclass_fields__)  # fmt: skip
        kind[1][name] = value
    return ModelSpec(encoder=EncoderSpec(**encoder), heads={EMBEDDING: EmbeddingHead(**head)}, **own)


def manifest(files, **changes):
    entry = PrecisionEntry(
        graphs={variant: f"{variant.value}.fp32.onnx" for variant in Variant},
        weights="weights.fp32.bin",
        tensors=(
            WeightEntry(name="a", shape=(2, 3), offset=0),
            WeightEntry(name="b", shape=(4,), offset=64),
        ),
    )
    fields = {
        "name": "sample",
        "model": spec(),
        "precisions": {Precision.FP32: entry},
        "files": files,
        "source": Source(spec="directory:sample", sha256="0" * 64),
        "builder": {"polyseme": "0"},
        "parity": {"fp32": {"token_l2": 1e-6}},
    }
    return Manifest(**(fields | changes))


def write(target, *, replace=False, content=CONTENT, **changes):
    """An artifact at `target`."""
    with ArtifactWriter(target, replace=replace) as writer:
        for name, data in content.items():
            (writer.directory / name).write_bytes(data)
        return writer.commit(manifest({name: writer.entry(name) for name in content}, **changes))


def seal(document):
    """The bytes of a manifest whose own hash is right, whatever it says: what a hostile author would write."""
    document = {key: value for key, value in document.items() if key != "sha256"}
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    return json.dumps({**document, "sha256": hashlib.sha256(canonical).hexdigest()}).encode()
