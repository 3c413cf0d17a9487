"""What start-up judges a device by."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from tests.artifact.samples import seal

from polyseme.artifact import Artifact, CorruptArtifactError, InvalidManifestError, Precision, Variant
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime.devices import CPU
from polyseme.runtime.engines.onnxruntime.padded import PaddedEngine
from polyseme.runtime.errors import RuntimeUnavailableError
from polyseme.runtime.verification.proof import prove


@pytest.fixture
def artifact(tiny_artifact):
    return Artifact.open(tiny_artifact)


def engine(artifact, precision=Precision.FP32):
    return PaddedEngine(artifact, Device(execution_provider=CPU, precision=precision))


def test_export_leaves_what_the_reference_made_of_a_few_texts(artifact):
    probe = artifact.probe()
    tokens = sum(map(len, probe.texts))
    assert len(probe.texts) > 3
    assert tokens <= 128
    assert (probe.states.shape, probe.pooled.shape) == ((3, tokens, 32), (len(probe.texts), 32))
    np.testing.assert_allclose(np.linalg.norm(probe.pooled, axis=1), 1, rtol=1e-6)
    first = probe.states[-1, : len(probe.texts[0])].mean(axis=0)
    np.testing.assert_allclose(first / np.linalg.norm(first), probe.pooled[0], atol=1e-6)


@pytest.mark.parametrize(("precision", "noise"), [(Precision.FP32, 1e-9), (Precision.FP16, 1e-4)])
def test_this_machine_is_proven(artifact, precision, noise):
    proof = prove(engine(artifact, precision), artifact)
    assert 1 - noise < proof.token_cosine <= 1.0000001
    assert 1 - noise < proof.pooled_cosine <= 1.0000001


@pytest.mark.parametrize("value", [1.5, np.nan])
def test_a_device_that_computes_something_else_is_refused(artifact, monkeypatch, value):
    judged = engine(artifact)
    run = judged.sessions[Variant.LAYERS].run

    def spoil(*arguments):
        (states,) = run(*arguments)
        states[2, 3, 5] = value  # one number of one token in layer 1
        return [states]

    monkeypatch.setattr(judged.sessions[Variant.LAYERS], "run", spoil)
    with pytest.raises(
        RuntimeUnavailableError,
        match=r"CPUExecutionProvider in fp32 is not equal to the reference: layer 1, cosine .* limit 0.99999",
    ):
        prove(judged, artifact)


def test_pooled_vectors_are_judged_too(artifact, monkeypatch):
    judged = engine(artifact)
    run = judged.sessions[Variant.EMBED].run
    monkeypatch.setattr(judged.sessions[Variant.EMBED], "run", lambda *a: [run(*a)[0] + np.float32(1e-2)])
    with pytest.raises(RuntimeUnavailableError, match=r"of a text; limit 0.999999"):
        prove(judged, artifact)


def test_a_device_that_fails_is_refused_and_says_why(artifact, monkeypatch):
    judged = engine(artifact)

    def fail(*_):
        raise RuntimeError("libcudnn.so is missing\nand much more")

    monkeypatch.setattr(judged.sessions[Variant.EMBED], "run", fail)
    with pytest.raises(RuntimeUnavailableError, match=r"cannot run tiny in fp32: libcudnn\.so is missing$"):
        prove(judged, artifact)


@pytest.fixture
def folder(tiny_artifact, tmp_path):
    return shutil.copytree(tiny_artifact, tmp_path / "tiny")


def reseal(folder, change):
    document = json.loads((folder / "manifest.json").read_bytes())
    change(document)
    entry = document["files"]["probe.bin"]
    entry.update(
        size=(folder / "probe.bin").stat().st_size,
        sha256=hashlib.sha256((folder / "probe.bin").read_bytes()).hexdigest(),
    )
    (folder / "manifest.json").write_bytes(seal(document))
    return folder


def test_an_artifact_without_a_probe_is_served_unproven(folder):
    artifact = Artifact.open(reseal(folder, lambda document: document.pop("probe")))
    assert artifact.probe() is None
    assert prove(engine(artifact), artifact) is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda d: d["probe"].update(texts=[]), "probe.texts: expected texts of 1 or more ids"),
        (lambda d: d["probe"].update(texts=[{"ids": []}]), "probe.texts: expected texts of 1 or more ids"),
        (lambda d: d["probe"].update(texts=[{"ids": [10**6]}]), "integers within 0..88"),
        (lambda d: d["probe"].update(texts=[{"ids": [1]}]), "probe.bin has .* bytes; its texts need "),
        (lambda d: d["probe"].update(file="other.bin"), "probe.file: 'other.bin' is not in files"),
        (lambda d: d["probe"].update(texts="x"), "probe.texts"),
    ],
)
def test_a_probe_that_makes_no_sense_is_refused(folder, change, why):
    with pytest.raises(InvalidManifestError, match=why):
        Artifact.open(reseal(folder, change))


def test_a_changed_probe_is_noticed(folder):
    values = np.memmap(folder / "probe.bin", "<f4", mode="r+")
    values[7] += 1
    values.flush()
    with pytest.raises(CorruptArtifactError, match=r"probe\.bin"):
        Artifact.open(folder)
