"""Settings in a file: TOML, a line for each, named as the fields of `ServerConfig`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from polyseme.server.config import ServerConfig, SettingsFile
from polyseme.server.errors import ConfigError


def read_settings(path: Path) -> SettingsFile:
    """Read a file.

    Raises:
        ConfigError: the file cannot be read or is not TOML, or a name is no setting, or a value is of another type.
    """
    import difflib
    import tomllib

    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:  # of TOML, or of UTF-8
        raise ConfigError(f"{path} is not TOML: {error}") from error
    defaults = {setting.name: setting.default for setting in fields(ServerConfig)}
    for name, value in found.items():
        if name not in defaults:
            close = difflib.get_close_matches(name, defaults, 1)
            raise ConfigError(f"{path}: {name} is no setting{f'; {close[0]} is' if close else ''}")
        if not _fits(value, defaults[name]):
            kind = {bool: "true or false", str: "text in quotes"}.get(type(defaults[name]), "a number without quotes")
            raise ConfigError(f"{path}: {name} must be {kind}")
    return SettingsFile(name=str(path), values={name: _spelled(value) for name, value in found.items()})


def written(config: ServerConfig, origins: Mapping[str, str]) -> str:
    """Write all settings as such a file, with the source of each that is not a default behind it.

    Args:
        config: the settings.
        origins: sources by name of the setting.
    """
    lines = []
    for setting in fields(config):
        value = getattr(config, setting.name)
        number = f"{value:.15g}" if isinstance(value, float) else str(value)
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, bool | str) else number
        lines.append(f"{setting.name} = {text}{f'  # {origins[setting.name]}' if setting.name in origins else ''}\n")
    return "".join(lines)


def _fits(value: Any, default: Any) -> bool:  # noqa: ANN401  any TOML
    if isinstance(default, bool | str):
        return isinstance(value, type(default))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _spelled(value: bool | str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
