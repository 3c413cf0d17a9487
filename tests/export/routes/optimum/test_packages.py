"""What is said where the packages are not installed; runs without them."""

import logging
import warnings

import pytest

from polyseme.export import ExportError, ExportOptions, export_model
from polyseme.export.routes.optimum import packages

ALL = "torch, transformers, optimum, optimum-onnx: pip install 'polyseme[optimum]'"


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda _: None)


def refusal(*arguments):
    with pytest.raises(ExportError) as caught:
        packages.refuse_missing_packages(*arguments)
    return str(caught.value)


def test_all_that_is_missing_is_named_at_once(nothing_installed):
    assert f"it needs {ALL}" == refusal("it")
    assert "it needs torch, transformers: pip" in refusal("it", packages.COMPARING)


def test_optimum_without_its_exporter_is_not_enough(monkeypatch):
    def find_spec(name):
        if name == "optimum.exporters.onnx":
            raise ModuleNotFoundError("No module named 'optimum.exporters'")
        return name

    monkeypatch.setattr(packages.importlib.util, "find_spec", find_spec)
    assert refusal("it") == "it needs optimum-onnx: pip install 'polyseme[optimum]'"


def test_what_is_installed_is_not_asked_for(monkeypatch):
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: name)
    packages.refuse_missing_packages("it")


def test_export_asks_before_it_writes(nothing_installed, tiny_checkpoint, tmp_path):
    with pytest.raises(ExportError, match=f"^--exporter optimum needs {ALL.replace('[', '.').replace(']', '.')}$"):
        export_model(str(tiny_checkpoint), tmp_path / "out", ExportOptions(exporter="optimum"))
    assert list(tmp_path.iterdir()) == []


def test_native_needs_none_of_it(nothing_installed, tiny_checkpoint, tmp_path):
    artifact = export_model(str(tiny_checkpoint), tmp_path / "out", ExportOptions())
    assert artifact.manifest.builder["exporter"] == "native"
    assert artifact.manifest.parity["reference"] == "float64 numpy"


def test_quiet_ends_with_its_block():
    with warnings.catch_warnings(record=True) as heard, packages.quiet():
        warnings.warn("tracing", stacklevel=1)
        assert not logging.getLogger("optimum").isEnabledFor(logging.WARNING)
    assert heard == []
    assert logging.getLogger("optimum").isEnabledFor(logging.WARNING)
    with pytest.warns(UserWarning, match="afterwards"):
        warnings.warn("afterwards", stacklevel=1)
