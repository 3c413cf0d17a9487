"""A request for a local server: the source and settings, checked. Programs that ask for the same share a server."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from polyseme.client.errors import InvalidArgumentError, MissingDependencyError

_EXPORTED: Final = ("hf:", "package:")
_WEIGHTS: Final = (".json", ".safetensors")
_KEY_LETTERS: Final = 16
# The server is reached by a private socket, and by nothing else.
_NOT_FOR_IT: Final = (
    "host", "port", "listen", "users_lock", "tls_cert", "tls_key", "tls_client_ca", "token_file", "trusted_proxies",
)  # fmt: skip
_FILES: Final = ("cache", "config", "metrics_token_file")  # settings that are paths
_CONFIG: Final = "--config="


@dataclass(frozen=True, slots=True)
class Request:
    """A source, and settings.

    Attributes:
        source: a directory's path without links, or as it was given.
        flags: of `polyseme serve`, for the settings.
    """

    source: str
    flags: tuple[str, ...]

    @property
    def key(self) -> str:
        """A name for all that makes a server another one: artifact, version, interpreter, settings.

        Raises:
            InvalidArgumentError: the source cannot be read.
        """
        try:
            stamp = list(_stamp(self.source))
        except OSError as error:
            raise InvalidArgumentError(f"source cannot be read: {error.strerror}", field="source") from error
        files = [_hash(Path(flag.removeprefix(_CONFIG))) for flag in self.flags if flag.startswith(_CONFIG)]
        parts = [_version(), sys.executable, self.source, stamp, sorted(self.flags), files]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_KEY_LETTERS]


def request_for(source: str | os.PathLike[str], settings: Mapping[str, str | float | bool]) -> Request:
    """Check what is asked for.

    Args:
        source: a directory that `polyseme export` wrote, "hf:ID[@REVISION]" or "package:NAME".
        settings: of `polyseme serve`.

    Raises:
        InvalidArgumentError: the source is no path or name, or a setting is not for such a server.
        MissingDependencyError: the packages of a server are not installed.
    """
    if not isinstance(source, str | os.PathLike) or not os.fspath(source):
        got = repr(source) if source == "" else type(source).__name__
        raise InvalidArgumentError(f"source must be a directory, 'hf:ID' or 'package:NAME', got {got}", field="source")
    text = os.fsdecode(source)
    _refuse_what_no_command_takes("source", text, field="source")
    is_exported = text.startswith(_EXPORTED)
    _refuse_missing_packages(is_exported=is_exported)
    flags = tuple(flag for name, value in settings.items() for flag in _flag(name, value))
    return Request(text if is_exported else os.path.realpath(text), flags)


def _refuse_what_no_command_takes(what: str, text: str, *, field: str) -> None:
    """Refuse what cannot be an argument of a process."""
    try:
        is_passable = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        is_passable = False
    if not is_passable:
        raise InvalidArgumentError(f"{what} holds a NUL, or is no Unicode", field=field)


def _flag(name: str, value: Any) -> Iterator[str]:  # noqa: ANN401  any argument of a caller
    _refuse_what_no_command_takes("a setting's name", name, field="settings")
    if any(other.startswith(name.replace("-", "_")) for other in _NOT_FOR_IT):  # the command takes the start of a name
        raise InvalidArgumentError(f"{name} is no setting of a local server: it has a private socket", field=name)
    if not isinstance(value, str | int | float):
        raise InvalidArgumentError(f"{name} must be text, a number or a bool, got {type(value).__name__}", field=name)
    _refuse_what_no_command_takes(name, str(value), field=name)
    flag = "--" + name.replace("_", "-")
    if not isinstance(value, bool):
        yield f"{flag}={Path(str(value)).absolute() if name in _FILES else value}"
    elif value:
        yield flag


def _refuse_missing_packages(*, is_exported: bool) -> None:
    extra = "server,export" if is_exported else "server"
    for module in ("onnxruntime", *(["onnx"] if is_exported else [])):
        if importlib.util.find_spec(module) is None:
            raise MissingDependencyError(
                f"a local server needs {module}, which is not installed: pip install 'polyseme[{extra}]'"
            )


def _hash(file: Path) -> str:
    """Give the hash of a file's content; empty where it cannot be read, which the server says better."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _version() -> str:
    try:
        return metadata.version("polyseme")
    except metadata.PackageNotFoundError:
        return ""


def _stamp(source: str) -> Iterator[tuple[str | int, ...]]:
    """Give what changes when an artifact, or the model in a package, is replaced."""
    if source.startswith("hf:"):
        return
    if source.startswith("package:"):
        for folder in _folders(source.removeprefix("package:")):
            for path in sorted(folder.rglob("*")):
                if path.suffix in _WEIGHTS:
                    status = path.stat()
                    yield str(path), status.st_size, status.st_mtime_ns
        return
    for manifest in sorted([*Path(source).glob("manifest.json"), *Path(source).glob("*/manifest.json")]):
        yield str(manifest), hashlib.sha256(manifest.read_bytes()).hexdigest()


def _folders(package: str) -> list[Path]:
    """Find a package without importing it."""
    if Path(package).is_dir():
        return [Path(package)]
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    return [Path(place) for place in (spec.submodule_search_locations if spec else None) or ()]
