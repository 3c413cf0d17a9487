"""The programs under examples/ in other languages: how they are built and run, and what they must print."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from polyseme.client import Client
from polyseme.client.tensor import decode_tensor
from polyseme.v1 import common_pb2, embedding_service_pb2, tensor_pb2

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache/callers"  # what the languages download and build; nothing is written beside the sources

# What every program asks for: a text, and a word in it.
SUBJECTS = [
    ("We sat on the bank of the river.", "bank"),
    (
        "The family \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 sat on the bank \U0001f3de\ufe0f "
        "of the river.",
        "bank",
    ),
    ("Un caf\u00e9 au lait.", "caf\u00e9"),
    ("Deux cafe\u0301s, un cafe\u0301.", "cafe\u0301s"),
    (
        "\u6211\u4eec\u5750\u5728\u6cb3\u5cb8\u4e0a,\u770b\u7740\u94f6\u884c\u3002",
        "\u6cb3\u5cb8",
    ),
    (
        "\u05d9\u05e9\u05d1\u05e0\u05d5 \u05e2\u05dc \u05d2\u05d3\u05ea \u05d4\u05e0\u05d4\u05e8.",
        "\u05d2\u05d3\u05ea",
    ),
]
TEXTS = [text for text, _ in SUBJECTS]
QUESTION, QUERY = "Where did we sit?", "by the water"  # what they ask of the texts, and sort them by

_NO_NETWORK = re.compile(
    "dial tcp|no such host|i/o timeout|TLS handshake|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT"
    "|Could not transfer|Unknown host|Temporary failure in name resolution"
)


@dataclass(frozen=True)
class Program:
    """A program that was built."""

    command: list[str]
    directory: Path
    environment: dict[str, str]

    def run(self, *arguments):
        return subprocess.run(
            [*self.command, *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
        )

    def answers(self, server, dtype="float32"):
        """What it prints with --json: vectors of texts, and words with their vectors."""
        done = self.run("--target", server.target, "--dtype", dtype, "--json")
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        vectors = [_floats(vector) for vector in document["embeddings"]]
        return vectors, [{**word, "vector": _floats(word["vector"])} for word in document["words"]]


def need(*tools):
    """Skip where the toolchain is not on the path."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def environment(**variables):
    return {**os.environ, **{name: str(value) for name, value in variables.items()}}


def build(command, directory, variables):
    """Run a step of a build; skips where the language's registry cannot be reached, else fails."""
    done = subprocess.run(command, cwd=directory, env=variables, capture_output=True, encoding="utf-8", timeout=600)
    output = done.stdout + done.stderr
    if done.returncode and (found := _NO_NETWORK.search(output)):
        pytest.skip(f"{command[0]}: its package registry cannot be reached ({found[0]})")
    assert done.returncode == 0, output
    return done.stdout


def copied(language):
    """A copy of an example where its build may write, with the contract where the example looks for it."""
    place = CACHE / "copies" / language  # of its own: languages are built side by side
    for part in (f"examples/{language}", "proto"):
        ignored = shutil.ignore_patterns("node_modules", "target", "__pycache__")
        shutil.copytree(ROOT / part, place / part, ignore=ignored, dirs_exist_ok=True)
    return place / "examples" / language


def buf():
    """The buf of the development environment."""
    for directory in (Path(sys.executable).parent, ROOT / ".venv/bin"):
        if (directory / "buf").is_file():
            return str(directory / "buf")
    return pytest.skip("buf is not installed; `make venv` installs it")


def compare(program, server, unit, dtype):
    """What a program decodes is, bit for bit, what the SDK decodes; its offsets are those of its own strings."""
    got_texts, got_words = program.answers(server, dtype)
    assert [vector.tobytes() for vector in got_texts] == _texts_by_sdk(server, dtype)
    assert len(got_words) == len(SUBJECTS)
    for (text, word), got in zip(SUBJECTS, got_words, strict=True):
        start = text.index(word)
        assert got["text"] == word
        assert got["start"] == unit(text[:start])
        assert got["end"] == unit(text[: start + len(word)])
        assert got["vector"].tobytes() == _word_by_sdk(server, text, word, dtype)


def predicted(program, server, kind):
    """What a program prints of one kind of head: entities, classes, answers or ranking."""
    done = program.run("--target", server.target, f"--{kind}", server.model.manifest.name, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)[kind]


def compare_entities(program, server, unit):
    """What a program reads is what the SDK reads: the same parts of the texts, counted as the language counts them."""
    with Client(server.target) as client:
        want = [tagged.entities for tagged in client.entities(TEXTS)]
    for text, entities, found in zip(TEXTS, want, predicted(program, server, "entities"), strict=True):
        assert found == [{**_counted(text, one, unit), "group": one.group} for one in entities]
    for text, entities in zip(TEXTS, want, strict=True):
        assert unit(text) == len(text) or any(unit(text[: one.end]) != one.end for one in entities)


def compare_answers(program, server, unit):
    """The best answer of each text, as the SDK reads it, counted as the language counts it."""
    with Client(server.target) as client:
        want = [answered.answers[0] for answered in client.answer([QUESTION] * len(TEXTS), TEXTS)]
    got = predicted(program, server, "answers")
    assert got == [_counted(text, one, unit) for text, one in zip(TEXTS, want, strict=True)]
    assert any(unit(text[: one.end]) != one.end for text, one in zip(TEXTS, want, strict=True))


def compare_classes(program, server):
    """The best label of each text, as the SDK reads it."""
    with Client(server.target) as client:
        want = client.classify(TEXTS)
    got = predicted(program, server, "classes")
    assert got == [{"label": one.label, "score": pytest.approx(one.score, rel=1e-6)} for one in want]


def compare_ranking(program, server):
    """The order of the texts, as the SDK reads it."""
    with Client(server.target) as client:
        want = client.rerank(QUERY, TEXTS)
    got = predicted(program, server, "ranking")
    assert got == [{"index": one.index, "score": pytest.approx(one.score, rel=1e-6)} for one in want]


def _counted(text, span, unit):
    return {
        "text": text[span.start : span.end],
        "start": unit(text[: span.start]),
        "end": unit(text[: span.end]),
        "score": pytest.approx(span.score, rel=1e-6),
    }


def _texts_by_sdk(server, dtype):
    """The same request: in another batch the last bits may differ."""
    request = embedding_service_pb2.EmbedRequest(texts=TEXTS, dtype=_dtype(dtype))
    vectors = decode_tensor(server.embedding.Embed(request, timeout=300).embeddings)
    if dtype == "float32":
        with Client(server.target) as client:
            assert client.embed(TEXTS).tobytes() == vectors.tobytes()
    return [vector.tobytes() for vector in vectors]


def _word_by_sdk(server, text, word, dtype):
    start = text.index(word)
    request = embedding_service_pb2.EmbedSpansRequest(
        inputs=[{"text": text, "spans": [common_pb2.Span(start=start, end=start + len(word))]}], dtype=_dtype(dtype)
    )
    return decode_tensor(server.embedding.EmbedSpans(request, timeout=300).texts[0].vectors)[0].tobytes()


def _dtype(name):
    return tensor_pb2.DataType.Value(f"DATA_TYPE_{name.upper()}")


def _floats(vector):
    return np.frombuffer(base64.b64decode(vector), "<f4")


@contextmanager
def refusing(server, *errors):
    """The server refuses the next calls, one error each, then serves."""
    gate, left = server.app._admission, list(errors)
    check = gate.check

    def refuse(caller):
        if left:
            raise left.pop(0)
        check(caller)

    gate.check = refuse
    try:
        yield left
    finally:
        gate.check = check


def utf8_bytes(text):
    return len(text.encode())


def utf16_code_units(text):
    return len(text.encode("utf-16-le")) // 2
