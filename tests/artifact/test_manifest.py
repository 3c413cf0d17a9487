import copy
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.artifact.samples import manifest, seal, spec

from polyseme.artifact import (
    Activation,
    ArtifactError,
    CorruptArtifactError,
    DenseSpec,
    EmbeddingHead,
    EncoderSpec,
    FileEntry,
    InvalidManifestError,
    Manifest,
    ModelSpec,
    Pooling,
)

NAMES = ("tokenizer.json", "embed.fp32.onnx", "layers.fp32.onnx", "weights.fp32.bin")
FILES = {name: FileEntry(size=128, sha256="ab" * 32) for name in NAMES}
DOCUMENT = json.loads(manifest(FILES).to_json())
SURROGATE = "\ud800"


def changed(*path, value):
    """The document with one value replaced or added, its own hash made right again."""
    document = copy.deepcopy(DOCUMENT)
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return seal(document)


def removed(*path):
    document = copy.deepcopy(DOCUMENT)
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]
    return seal(document)


def refusal(content):
    with pytest.raises(ArtifactError) as caught:
        Manifest.from_json(content)
    message = str(caught.value)
    assert message.isprintable(), "one line, and nothing that steers a terminal"
    assert len(message) < 300
    return message


def test_a_sealed_document_is_read():
    assert Manifest.from_json(seal(DOCUMENT)) == manifest(FILES)


HEAD_WITHOUT_HASH = json.dumps({key: value for key, value in DOCUMENT.items() if key != "sha256"}).encode()
TENSOR = ("precisions", "fp32", "tensors", 0)
ENCODER = ("model", "encoder")
HEAD = ("model", "heads", "embedding")
DENSE = {"in_features": 8, "out_features": 8, "bias": True, "activation": "tanh"}
ENTRY = {"size": 1, "sha256": "0" * 64}
HOSTILE = {
    "traversal": (("files", "../x"), ENTRY, "'../x' is not a plain name"),
    "absolute": (("files", "/etc/passwd"), ENTRY, "'/etc/passwd' is not a plain name"),
    "backslash": (("files", "..\\x"), ENTRY, "is not a plain name"),
    "below": (("files", "a/b"), ENTRY, "'a/b' is not a plain name"),
    "hidden": (("files", ".x"), ENTRY, "'.x' is not a plain name"),
    "itself": (("files", "manifest.json"), ENTRY, "'manifest.json' is not a plain name"),
    "name of no model": (("name",), "../x", "'../x' is not a plain name"),
    "name with a line end": (("name",), "a\n", "cannot be printed"),
    "escape sequence": (("source", "spec"), "\x1b[2J", "manifest field source.spec has characters that cannot be"),
    "escape sequence in a key": (("builder", "\x1b[2J"), "1", "manifest key '\\x1b[2J' has characters that cannot"),
    "surrogate": (("model", "prompts", "query"), SURROGATE, "model.prompts.query has a lone surrogate"),
    "long text": (("model", "prompts", "query"), "x" * 65537, "65537 characters; limit 65536"),
    "text for number": (
        (*ENCODER, "hidden_size"),
        "8",
        "encoder.hidden_size: expected an integer, got str",
    ),
    "bool for number": (
        (*ENCODER, "hidden_size"),
        True,
        "encoder.hidden_size: expected an integer, got bool",
    ),
    "float for integer": (
        (*ENCODER, "hidden_size"),
        8.0,
        "encoder.hidden_size: expected an integer, got float",
    ),
    "null": ((*HEAD, "pooling"), None, "embedding.pooling: expected a string, got null"),
    "number for bool": (
        (*HEAD, "normalizes"),
        1,
        "embedding.normalizes: expected true or false, got int",
    ),
    "bool for epsilon": (
        (*ENCODER, "layer_norm_eps"),
        True,
        "encoder.layer_norm_eps: expected a number",
    ),
    "list for object": (("model",), [], "manifest field model: expected an object, got list"),
    "no width": ((*ENCODER, "hidden_size"), 0, "encoder.hidden_size: got 0; limits 1.."),
    "absurd width": ((*ENCODER, "hidden_size"), 10**4000, "encoder.hidden_size: got 1000"),
    "width and heads": ((*ENCODER, "num_attention_heads"), 3, "8 is no multiple of 3 heads"),
    "more tokens than positions": (("model", "max_tokens"), 33, "model.max_tokens: got 33; limit 32 positions"),
    "padding outside": ((*ENCODER, "pad_token_id"), 100, "encoder.pad_token_id: got 100; limits 0..99"),
    "unknown pooling": (
        (*HEAD, "pooling"),
        "sum",
        "embedding.pooling: got 'sum'; one of cls, mean, max",
    ),
    "dimensions without dense": (
        (*HEAD, "dimensions"),
        4,
        "embedding.dimensions: got 4; the vectors have 8",
    ),
    "dense of another width": (
        (*HEAD, "dense"),
        [{**DENSE, "in_features": 9}],
        "in_features: got 9; it is given 8",
    ),
    "dense that ends elsewhere": (
        (*HEAD, "dense"),
        [{**DENSE, "out_features": 9}],
        "got 8; the vectors have 9",
    ),
    "dense chain": (
        (*HEAD, "dense"),
        [{**DENSE, "out_features": 9}, DENSE],
        "dense[1].in_features: got 8; it is",
    ),
    "dense without output": (
        (*HEAD, "dense"),
        [{**DENSE, "out_features": 0}],
        "dense[0].out_features: got 0; limits",
    ),
    "unknown activation": (
        (*HEAD, "dense"),
        [{**DENSE, "activation": "magic"}],
        "activation: got 'magic'; one of id",
    ),
    "too many dense": ((*HEAD, "dense"), [DENSE] * 17, "embedding.dense: 17 entries; limit 16"),
    "matryoshka beyond": ((*HEAD, "matryoshka_dims"), [4, 9], "expected at most 64 integers within 1..8"),
    "matryoshka descending": (
        (*HEAD, "matryoshka_dims"),
        [8, 4],
        "matryoshka_dims: expected ascending lengths",
    ),
    "similarity unknown": (
        (*HEAD, "similarity"),
        "hamming",
        "embedding.similarity: got 'hamming'; one of cosine, dot,",
    ),
    "similarity no text": ((*HEAD, "similarity"), 1, "manifest field model.heads.embedding.similarity"),
    "prompts pooled by a number": ((*HEAD, "pools_prompt"), 0, "manifest field model.heads.embedding.pools_prompt"),
    "matryoshka of no number": (
        (*HEAD, "matryoshka_dims"),
        [True],
        "matryoshka_dims: expected at most 64 integers",
    ),
    "unknown prompt": (("model", "default_prompt_name"), "no", "default_prompt_name: not one of model.prompts"),
    "unknown head": (("model", "heads", "labels"), {"kind": "labels"}, "model.heads.labels: a head of kind 'labels'"),
    "unknown kind": ((*HEAD, "kind"), "labels", "model.heads.embedding: a head of kind 'labels'; known are"),
    "types and padding": (ENCODER, {**DOCUMENT["model"]["encoder"], "token_types": 2, "padding_idx": 1}, "token_types"),
    "types": ((*ENCODER, "token_types"), 3, "model.encoder.token_types: got 3; limits 2..2"),
    "graph of no name": (("precisions", "fp32", "graphs", "../x"), "embed.fp32.onnx", "'../x' is not a plain name"),
    "unlisted graph of another name": (("precisions", "fp32", "graphs", "more"), "x", "'x' is not in files"),
    "unknown precision": (("precisions", "int4"), {}, "precisions: got 'int4'"),
    "no precision": (("precisions",), {}, "precisions: at least one is needed"),
    "unlisted graph": (("precisions", "fp32", "graphs", "embed"), "x", "'x' is not in files"),
    "unlisted weights": (("precisions", "fp32", "weights"), "../w", "'../w' is not in files"),
    "tensor outside": ((*TENSOR, "offset"), 108, "manifest tensor 'a': bytes 108..132; weights.fp32.bin has 128"),
    "absurd offset": ((*TENSOR, "offset"), 1 << 41, "offset: got"),
    "negative offset": ((*TENSOR, "offset"), -4, "offset: got -4"),
    "crooked offset": ((*TENSOR, "offset"), 2, "manifest tensor 'a': bytes 2.."),
    "absurd shape": ((*TENSOR, "shape"), [1 << 31] * 8, "manifest tensor 'a': bytes 0.."),
    "empty shape": ((*TENSOR, "shape"), [0, 1 << 31], "shape: expected at most 8 integers within 1.."),
    "too many axes": ((*TENSOR, "shape"), [1] * 9, "shape: expected at most 8"),
    "a name twice": ((*TENSOR, "name"), "b", "tensors: a name stands twice"),
    "absurd file": (("files", "tokenizer.json", "size"), 1 << 41, "files.tokenizer.json.size: got"),
    "short hash": (("files", "tokenizer.json", "sha256"), "ab", "files.tokenizer.json.sha256: not a SHA-256"),
    "upper-case hash": (("files", "tokenizer.json", "sha256"), "AB" * 32, "not a SHA-256"),
    "unknown schema": (("schema_version",), 1, "schema_version is 1; this polyseme reads 5: export again"),
    "unknown field": (("evil",), 1, "has fields that schema 5 does not know"),
    "unknown field below": (("model", "evil"), 1, "has fields that schema 5 does not know"),
}


@pytest.mark.parametrize(("path", "value", "why"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_values_are_refused_in_one_line(path, value, why):
    assert why in refusal(changed(*path, value=value))


REQUIRED = {
    ("model",): set(ModelSpec.__dataclass_fields__),
    ENCODER: set(EncoderSpec.__dataclass_fields__) - {"padding_idx", "token_types"},
    HEAD: {"kind", *EmbeddingHead.__dataclass_fields__} - {"dense", "matryoshka_dims", "similarity", "pools_prompt"},
}


@pytest.mark.parametrize(("at", "field"), [(at, field) for at, fields in REQUIRED.items() for field in sorted(fields)])
def test_a_missing_field_is_named(at, field):
    assert f"manifest field {'.'.join(at)}.{field} is missing" == refusal(removed(*at, field))


@pytest.mark.parametrize("heads", [{}, {"other": DOCUMENT["model"]["heads"]["embedding"]}])
def test_a_model_without_a_head_for_texts_is_refused(heads):
    refusal(changed("model", "heads", value=heads))


@pytest.mark.parametrize("variant", ["embed", "layers"])
def test_a_missing_variant_is_named(variant):
    expected = f"manifest field precisions.fp32.graphs.{variant} is missing"
    assert expected == refusal(removed("precisions", "fp32", "graphs", variant))


@pytest.mark.parametrize("field", DOCUMENT)
def test_a_missing_part_is_named(field):
    assert f"manifest field {field} is missing" == refusal(removed(field) if field != "sha256" else HEAD_WITHOUT_HASH)


def test_the_tokenizer_must_be_hashed():
    assert refusal(removed("files", "tokenizer.json")) == "manifest field files: tokenizer.json is missing"


BEGINNING = json.dumps(DOCUMENT)[:-1].encode()
UNREADABLE = {
    "empty": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "NaN": BEGINNING + b',"x":NaN}',
    "infinity": BEGINNING + b',"x":-Infinity}',
    "beyond float": BEGINNING + b',"x":1e999}',
    "a key twice": BEGINNING + b',"name":"other"}',
    "5,000 digits": BEGINNING + b',"x":' + b"9" * 5000 + b"}",
    "no UTF-8": BEGINNING + b',"x":"\xff"}',
    "zero bytes": b"\0" * 100,
    **{f"{n} levels": BEGINNING + b',"x":' + b"[" * n + b"]" * n + b"}" for n in (800, 900, 1000, 100_000)},
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_not_plain_json_is_refused(content):
    refusal(content)


def test_a_changed_value_without_a_new_hash_is_corrupt():
    content = manifest(FILES).to_json().replace(b'"max_tokens": 16', b'"max_tokens": 15')
    with pytest.raises(CorruptArtifactError, match=r"manifest.json: SHA-256 is .*: changed after export"):
        Manifest.from_json(content)


def test_version_changes_with_the_files_and_not_with_the_report():
    one = manifest(FILES)
    other_report = manifest(FILES, parity={}, builder={"polyseme": "1"})
    other_weights = manifest({**FILES, "weights.fp32.bin": FileEntry(size=128, sha256="cd" * 32)})
    assert one.version == other_report.version
    assert one.sha256 != other_report.sha256
    assert one.version != other_weights.version


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
lines = st.text(st.characters(exclude_categories=["C", "Zl", "Zp", "Zs"]), max_size=20)
prompts = st.dictionaries(lines, texts, max_size=3)


@st.composite
def specs(draw):
    heads = draw(st.integers(1, 16))
    positions = draw(st.integers(3, 1 << 20))
    named = draw(prompts)
    sizes = [heads * draw(st.integers(1, 64)), *draw(st.lists(st.integers(1, 2048), max_size=3))]
    dense = tuple(
        DenseSpec(in_features=a, out_features=b, bias=draw(st.booleans()), activation=draw(st.sampled_from(Activation)))
        for a, b in pairwise(sizes)
    )
    return spec(
        hidden_size=sizes[0],
        dimensions=sizes[-1],
        dense=dense,
        similarity=draw(st.sampled_from(["cosine", "dot", "euclidean", "manhattan"])),
        pools_prompt=draw(st.booleans()),
        matryoshka_dims=tuple(sorted(draw(st.sets(st.integers(1, sizes[-1]), max_size=4)))),
        num_attention_heads=heads,
        num_hidden_layers=draw(st.integers(1, 1024)),
        vocab_size=draw(st.integers(101, 1 << 24)),
        pad_token_id=draw(st.integers(0, 100)),
        max_position_embeddings=positions,
        max_tokens=draw(st.integers(1, positions)),
        layer_norm_eps=draw(st.floats(0, 1)),
        pooling=draw(st.sampled_from(Pooling)),
        pooling_assumed=draw(st.booleans()),
        normalizes=draw(st.booleans()),
        prompts=named,
        default_prompt_name=draw(st.sampled_from(["", *named])),
        padding_idx=draw(st.none() | st.integers(0, 100)),
    )


@given(specs(), lines, st.dictionaries(lines, lines, max_size=3))
def test_every_manifest_comes_back_as_it_was_written(model, source, builder):
    original = manifest(FILES, model=model, builder=builder)
    original = manifest(FILES, model=model, builder=builder, source=type(original.source)(spec=source, sha256="1" * 64))
    read = Manifest.from_json(original.to_json())
    assert original == read
    assert original.to_json() == read.to_json()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


def paths(value, path=()):
    """Every place in a document."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield from paths(below, (*path, key))


@given(st.sampled_from(sorted(paths(DOCUMENT), key=repr)), json_values)
def test_any_value_in_any_place_is_read_or_refused(path, value):
    try:
        read = Manifest.from_json(changed(*path, value=value))
    except ArtifactError as error:
        refused = error
    else:
        assert Manifest.from_json(read.to_json()) == read
        return
    assert str(refused).isprintable()


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(content):
    with pytest.raises(ArtifactError):
        Manifest.from_json(content)


def test_invalid_is_told_from_corrupt():
    with pytest.raises(InvalidManifestError):
        Manifest.from_json(changed(*ENCODER, "hidden_size", value=0))
