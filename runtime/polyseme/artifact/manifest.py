"""manifest.json: the description of an artifact, and the hashes that prove it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from polyseme.artifact.entries import FileEntry, ModelSpec, Precision, PrecisionEntry, ProbeEntry, Source
from polyseme.artifact.errors import CorruptArtifactError, InvalidManifestError
from polyseme.artifact.fields import Fields
from polyseme.artifact.prediction_heads import refuse_files
from polyseme.artifact.reading import checked_name, read_files, read_model, read_precisions, read_probe

SCHEMA_VERSION: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The content of manifest.json.

    Attributes:
        precisions: files by precision; at least one.
        files: every file of the artifact but manifest.json.
        builder: versions of the programs that built it.
        parity: the differences from the reference that export measured; for people.
        probe: the texts by which start-up checks a device.
    """

    name: str
    model: ModelSpec
    precisions: Mapping[Precision, PrecisionEntry]
    files: Mapping[str, FileEntry]
    source: Source
    builder: Mapping[str, str]
    parity: Mapping[str, Any]
    probe: ProbeEntry | None = None

    @property
    def version(self) -> str:
        """12 hexadecimal digits that change when the model does, and not when only the report about it does."""
        identity = {k: self._as_json()[k] for k in ("name", "model", "precisions", "files")}
        return hashlib.sha256(_canonical(identity)).hexdigest()[:12]

    @property
    def sha256(self) -> str:
        """SHA-256 of the canonical JSON, in hexadecimal."""
        return hashlib.sha256(_canonical(self._as_json())).hexdigest()

    def to_json(self) -> bytes:
        """Write manifest.json, its own hash included."""
        document = {**self._as_json(), "sha256": self.sha256}
        return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"

    @classmethod
    def from_json(cls, content: bytes) -> Manifest:
        """Read and check manifest.json.

        Raises:
            InvalidManifestError: not JSON, another schema, or an impossible value.
            CorruptArtifactError: the document's own hash does not match.
        """
        try:
            return cls._from_document(_parse(content))
        except RecursionError as error:
            raise InvalidManifestError("manifest.json is nested too deeply") from error

    @classmethod
    def _from_document(cls, document: dict[str, Any]) -> Manifest:
        fields = Fields(document, "")
        version = fields.integer("schema_version", most=1 << 31)
        if version != SCHEMA_VERSION:
            raise InvalidManifestError(
                f"manifest schema_version is {version}; this polyseme reads {SCHEMA_VERSION}: export again"
            )
        claimed = fields.sha256("sha256")
        got = hashlib.sha256(_canonical({k: v for k, v in document.items() if k != "sha256"})).hexdigest()
        if got != claimed:
            raise CorruptArtifactError(
                f"manifest.json: SHA-256 is {got[:12]}..., it says {claimed[:12]}...: changed after export"
            )
        manifest = _read(fields)
        if manifest.sha256 != claimed:  # what was not read has no part in what this artifact is
            raise InvalidManifestError(f"manifest.json has fields that schema {SCHEMA_VERSION} does not know")
        return manifest

    def _as_json(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "model": self.model.as_json(),
            "precisions": {p.value: entry.as_json() for p, entry in self.precisions.items()},
            "files": {name: asdict(entry) for name, entry in self.files.items()},
            "source": asdict(self.source),
            "builder": dict(self.builder),
            "parity": dict(self.parity),
            **({} if self.probe is None else {"probe": self.probe.as_json()}),
        }


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def _parse(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(
            content, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_refuse_twice
        )
    except ValueError as error:
        raise InvalidManifestError(f"manifest.json is not JSON: {type(error).__name__}") from error
    if not isinstance(document, dict):
        raise InvalidManifestError("manifest.json: expected an object")
    return document


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(digits)
    return value


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice")
    return document


def _read(fields: Fields) -> Manifest:
    files, model = read_files(fields.object("files")), read_model(fields.object("model"))
    refuse_files(model.heads, {name: entry.size for name, entry in files.items()})
    source = fields.object("source")
    return Manifest(
        name=checked_name(fields.text("name")),
        model=model,
        precisions=read_precisions(fields.object("precisions"), files),
        files=files,
        source=Source(spec=source.text("spec"), sha256=source.sha256("sha256")),
        builder=fields.texts("builder"),
        parity=fields.any_object("parity"),
        probe=read_probe(fields.object("probe"), model, files) if "probe" in fields.names() else None,
    )
