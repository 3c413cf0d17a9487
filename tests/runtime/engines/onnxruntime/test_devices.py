"""Where sessions run on this machine, and why not elsewhere; onnxruntime's answers about GPUs are put in its mouth."""

import os
import re
from dataclasses import replace

import pytest

from polyseme.artifact import Artifact, Precision
from polyseme.runtime.engines.device import Device
from polyseme.runtime.engines.onnxruntime import devices as module
from polyseme.runtime.engines.onnxruntime.devices import CPU, CUDA, TENSORRT, choose_device
from polyseme.runtime.errors import RuntimeUnavailableError

ON_CPU = Device(execution_provider=CPU, precision=Precision.FP32)


@pytest.fixture(scope="module")
def artifact(tiny_artifact):
    return Artifact.open(tiny_artifact)


def only(artifact, precision):
    """The same artifact as if it had one precision."""
    manifest = artifact.manifest
    return Artifact(artifact.directory, replace(manifest, precisions={precision: manifest.precisions[precision]}))


@pytest.fixture
def machine(monkeypatch):
    """Sets what onnxruntime can do and whether an NVIDIA device shows; collects calls of preload_dlls."""
    loaded = []

    def describe(*, provider, device):
        monkeypatch.setattr(module.ort, "get_available_providers", lambda: [CUDA, CPU] if provider else [CPU])
        monkeypatch.setattr(module.os.path, "exists", lambda path: device and path.startswith("/dev/"))
        monkeypatch.setattr(module.ort, "preload_dlls", lambda **_: loaded.append(True))
        return loaded

    return describe


@pytest.mark.parametrize("wanted", ["auto", "cuda"])
def test_choose_device_takes_cuda_in_fp16(artifact, machine, wanted):
    loaded = machine(provider=True, device=True)
    assert Device(execution_provider=CUDA, precision=Precision.FP16) == choose_device(wanted, artifact)
    assert loaded == [True]


@pytest.mark.parametrize("wanted", ["auto", "cuda"])
def test_choose_device_takes_cuda_in_fp32_where_there_is_no_fp16(artifact, machine, wanted):
    machine(provider=True, device=True)
    expected = Device(execution_provider=CUDA, precision=Precision.FP32)
    assert expected == choose_device(wanted, only(artifact, Precision.FP32))


@pytest.mark.parametrize("device", [True, False])
@pytest.mark.parametrize("provider", [True, False])
def test_choose_device_cpu_is_cpu_whatever_there_is(artifact, machine, provider, device):
    loaded = machine(provider=provider, device=device)
    assert choose_device("cpu", artifact) == ON_CPU
    assert loaded == [], "the libraries of a GPU are not loaded for nothing"


def test_choose_device_runs_fp16_on_the_cpu_where_there_is_nothing_else(artifact, machine):
    machine(provider=False, device=False)
    alone = only(artifact, Precision.FP16)
    expected = Device(execution_provider=CPU, precision=Precision.FP16)
    assert expected == choose_device("cpu", alone) == choose_device("auto", alone)


def test_choose_device_auto_says_why_it_fell_back(artifact, machine):
    machine(provider=True, device=False)
    device = choose_device("auto", artifact)
    assert (device.execution_provider, device.precision) == (CPU, Precision.FP32)
    assert device.fell_back == "onnxruntime has the CUDA provider, but this machine shows no NVIDIA device"


@pytest.mark.parametrize("device", [True, False])
def test_choose_device_auto_is_silent_where_no_gpu_was_meant(artifact, machine, device):
    machine(provider=False, device=device)
    assert choose_device("auto", artifact) == ON_CPU


def test_choose_device_cuda_is_never_replaced(artifact, machine):
    machine(provider=False, device=True)
    with pytest.raises(RuntimeUnavailableError, match=r"device cuda: .* pip install 'polyseme\[gpu\]'"):
        choose_device("cuda", artifact)
    machine(provider=True, device=False)
    with pytest.raises(RuntimeUnavailableError, match=r"device cuda: .* shows no NVIDIA device"):
        choose_device("cuda", artifact)


@pytest.mark.parametrize("wanted", ["tensorrt", "tensorrt:0"])
def test_choose_device_takes_tensorrt_where_it_is_wanted_alone(artifact, machine, monkeypatch, wanted):
    machine(provider=True, device=True)
    with pytest.raises(RuntimeUnavailableError, match=rf"device {wanted}: this onnxruntime has no TensorRT provider"):
        choose_device(wanted, artifact)
    monkeypatch.setattr(module.ort, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
    device = choose_device(wanted, artifact)
    assert (device.execution_provider, device.precision, device.kind) == (TENSORRT, Precision.FP16, "cuda")
    assert choose_device("auto", artifact).execution_provider == CUDA


def installed(folder, *names):
    """A folder on the path in which packages of these names say that they lie."""
    for name in names:
        (folder / f"{name}-1.0.dist-info").mkdir(parents=True)
        (folder / f"{name}-1.0.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
    return str(folder)


@pytest.mark.parametrize("wanted", ["cpu", "auto", "cuda"])
def test_choose_device_refuses_two_builds_over_each_other(artifact, monkeypatch, tmp_path, wanted):
    monkeypatch.syspath_prepend(installed(tmp_path, "onnxruntime", "onnxruntime_gpu"))
    with pytest.raises(RuntimeUnavailableError, match="both onnxruntime and onnxruntime-gpu are installed"):
        choose_device(wanted, artifact)


def test_choose_device_takes_two_builds_in_folders_of_their_own(artifact, monkeypatch, tmp_path):
    """The first on the path runs, as PYTHONPATH was meant."""
    monkeypatch.syspath_prepend(installed(tmp_path / "a", "onnxruntime"))
    monkeypatch.syspath_prepend(installed(tmp_path / "b", "onnxruntime_gpu"))
    assert choose_device("cpu", artifact) == ON_CPU


def test_choose_device_takes_one_build_found_twice(artifact, monkeypatch, tmp_path):
    """A build may show up twice, under any spelling."""
    monkeypatch.syspath_prepend(installed(tmp_path / "a", "onnxruntime_gpu"))
    monkeypatch.syspath_prepend(installed(tmp_path / "b", "ONNXRuntime-GPU"))
    assert choose_device("cpu", artifact) == ON_CPU


def test_a_device_keeps_why_it_was_taken():
    assert ON_CPU.because("no memory") == replace(ON_CPU, fell_back="no memory")


def test_onnxruntime_is_told_to_send_nothing_to_its_maker():
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


@pytest.mark.parametrize("wanted", ["auto", "cuda"])
def test_choose_device_says_which_libraries_are_missing_and_what_brings_them(
    artifact, machine, monkeypatch, wanted, capsys
):
    machine(provider=True, device=True)

    def preload(**_):
        for name in ("libcublasLt.so.13", "libcublas.so.13", "libcufft.so.12"):
            print(f"Failed to load {name}: {name}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(module.ort, "preload_dlls", preload)
    reason = (
        "cannot load libcublasLt.so.13, libcublas.so.13: pip install 'polyseme[gpu]', which brings CUDA's libraries"
    )
    if wanted == "auto":
        assert reason in choose_device("auto", artifact).fell_back
    else:
        with pytest.raises(RuntimeUnavailableError, match=re.escape(reason)):
            choose_device("cuda", artifact)
    assert capsys.readouterr().out == ""


def test_choose_device_takes_cuda_without_libraries_that_it_may_not_need(artifact, machine, monkeypatch):
    machine(provider=True, device=True)
    monkeypatch.setattr(module.ort, "preload_dlls", lambda **_: print("Failed to load libcudnn.so.9: no such file"))
    assert choose_device("cuda", artifact).execution_provider == CUDA


def test_choose_device_falls_back_where_libraries_cannot_even_be_looked_for(artifact, machine, monkeypatch):
    machine(provider=True, device=True)

    def preload():
        raise RuntimeError("Invalid parameter of directory=x")

    monkeypatch.setattr(module.ort, "preload_dlls", preload)
    assert choose_device("auto", artifact).fell_back.endswith("load CUDA's libraries: Invalid parameter of directory=x")


def test_choose_device_looks_for_libraries_in_every_folder_of_packages(artifact, machine, monkeypatch, tmp_path):
    """An environment that sees the system's packages: onnxruntime here, NVIDIA's there."""
    machine(provider=True, device=True)
    for folder in ("cu13/lib", "cudnn/lib", "cu13/include"):
        (tmp_path / "nvidia" / folder).mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    folders = []

    def preload(directory=None):
        folders.append(directory)
        if len(folders) == 1:
            print("Failed to load libcublas.so.13: cannot open shared object file")

    monkeypatch.setattr(module.ort, "preload_dlls", preload)
    assert choose_device("cuda", artifact).execution_provider == CUDA
    there = [str(tmp_path / "nvidia" / folder) for folder in ("cu13/lib", "cudnn/lib")]
    assert (folders[0], folders[-1]) == (None, None)
    assert set(there) <= set(folders[1:-1])
