"""SOURCE to a directory with a checkpoint: a directory, `hf:ID[@REVISION]`, or `package:NAME`."""

from __future__ import annotations

import importlib.util
import queue
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, TypeVar

from polyseme.export.errors import SourceError

_ALTERNATIVES: Final = "give a local directory, or package:NAME of an installed package that carries a model"
_PROBE_S: Final = 8.0  # seconds for a hub to connect, or to send
_GIVE_UP_S: Final = 12.0  # seconds for the whole question: looking up a name and waiting for a proxy obey no timeout
T = TypeVar("T")
# No pickles, not even to disk; no weights of other frameworks.
SUFFIXES: Final = (".json", ".safetensors", ".txt", ".jinja")
"""The endings of the names of all files that export may read."""
_COMMIT: Final = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A checkpoint that was found, and a name for it.

    Attributes:
        spec: SOURCE as the manifest gives it: without a path of the machine that exports.
        name: a model name that suits it.
        note: a line for people, where the checkpoint is not what they may expect.
    """

    directory: Path
    spec: str
    name: str
    note: str = ""


def locate(source: str) -> Located:
    """Find the directory that holds config.json and the weights.

    Raises:
        SourceError: there is none, there are several, or a hub cannot be reached.
    """
    if not source.removeprefix("package:"):
        raise SourceError("SOURCE is empty: give a directory, hf:ID[@REVISION] or package:NAME")
    if source.startswith("hf:"):
        return _from_hub(source)
    if source.startswith("package:"):
        return _from_package(source)
    directory = Path(source)
    if not directory.is_dir():
        raise SourceError(f"SOURCE {source[:200]!r} is not a directory; for a model of a hub write hf:ID")
    name = ascii(directory.resolve().name)[1:-1]
    return Located(directory=directory, spec=f"directory:{name}", name=name)


def _from_hub(source: str) -> Located:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HFValidationError

    repository, _, revision = source.removeprefix("hf:").partition("@")
    cached = _cached(repository, revision) if _COMMIT.fullmatch(revision) else None
    if cached is not None:  # a commit does not change
        return cached
    try:
        # One short question first: the download below would try for minutes where there is no network.
        sha = _answered(lambda: HfApi().model_info(repository, revision=revision or None, timeout=_PROBE_S).sha)
        directory = snapshot_download(repository, revision=sha, allow_patterns=[f"*{suffix}" for suffix in SUFFIXES])
    except HFValidationError as error:
        raise SourceError(f"{source[:200]!r} is not a model id: write hf:OWNER/NAME") from error
    except Exception as error:  # the client's transport errors share no base with its own
        cached = _cached(repository, revision)
        if cached is not None:
            return cached
        raise SourceError(f"{source[:200]} cannot be fetched ({type(error).__name__}); {_ALTERNATIVES}") from error
    return Located(directory=Path(directory), spec=f"hf:{repository}@{sha}", name=repository.rpartition("/")[2])


def _cached(repository: str, revision: str) -> Located | None:
    """Find a model in the cache of the hub's client; None where it has no weights of it."""
    from huggingface_hub import snapshot_download

    try:
        directory = Path(snapshot_download(repository, revision=revision or None, local_files_only=True))
    except Exception:  # the client has an error of its own for each way in which a model is missing
        return None
    if not any(directory.rglob("*.safetensors")):
        return None
    note = f"{repository}@{directory.name[:12]} is from the hub's cache"
    if not (directory / "modules.json").is_file():
        note += ", which has no modules.json: if the model has one, how it pools is not known here"
    return Located(
        directory=directory,
        spec=f"hf:{repository}@{directory.name}",
        name=repository.rpartition("/")[2],
        note=note,
    )


def _answered(question: Callable[[], T]) -> T:
    """Ask on a thread, which is left behind where it hangs.

    Raises:
        TimeoutError: no answer in _GIVE_UP_S.
    """
    answers: queue.SimpleQueue[tuple[T, None] | tuple[None, Exception]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put((question(), None))
        except Exception as error:
            answers.put((None, error))

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer, error = answers.get(timeout=_GIVE_UP_S)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]  # an answer comes without an error


def _from_package(source: str) -> Located:
    name = source.removeprefix("package:")
    roots = _package_roots(name)
    if not roots:
        raise SourceError(f"package {name[:100]!r} is not installed here, and is not a directory")
    below = {directory for root in roots for directory in _checkpoints_below(root)}
    # One inside another is a part of it: a Dense module has config.json and weights too.
    found = sorted(directory for directory in below if below.isdisjoint(directory.parents))
    if not found:
        raise SourceError(f"package {name[:100]!r} has no folder with config.json and *.safetensors")
    if len(found) > 1:
        places = ", ".join("/".join(directory.parts[-3:]) for directory in found[:5])
        raise SourceError(f"package {name[:100]!r} has {len(found)} checkpoints ({places}): give one as a directory")
    return Located(directory=found[0], spec=f"package:{Path(name).name}", name=Path(name).name)


def _package_roots(name: str) -> list[Path]:
    """Folders of a package, without importing it: by import name, by distribution name, or an unpacked folder."""
    if Path(name).is_dir():
        return [Path(name)]
    try:
        if name.isidentifier() and (spec := importlib.util.find_spec(name)) is not None:
            return [Path(location) for location in spec.submodule_search_locations or ()]
        files = metadata.distribution(name).files or []
    except (metadata.PackageNotFoundError, ValueError):
        return []
    return sorted({Path(str(file.locate())).parent for file in files if file.name == "config.json"})


def _checkpoints_below(root: Path) -> list[Path]:
    """Folders with weights, and those of modules, below which the weights may lie."""
    encoders = [path.parent for path in root.rglob("config.json") if any(path.parent.glob("*.safetensors"))]
    return [*encoders, *(path.parent for path in root.rglob("modules.json"))]
