"""What can be set, where it can be set, and within which limits. Parsed once, passed as an object.

`settings_file.py` reads files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from polyseme.server.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Setting:
    """How one setting is offered: `--name` on the command line, `POLYSEME_NAME` in the environment.

    Attributes:
        help: what it does, with its unit.
        least: smallest value, for numbers.
        most: largest value, for numbers.
        choices: the values there are, for closed sets; else examples of what fits `pattern`.
        pattern: what a value looks like.
    """

    help: str
    least: float = 0
    most: float = float("inf")
    choices: tuple[str, ...] = ()
    pattern: str = ""


def _setting(default: Any, help_text: str, **limits: Any) -> Any:  # noqa: ANN401
    return field(default=default, metadata={"setting": Setting(help_text, **limits)})


_DEVICES = ("auto", "cpu", "cuda", "cuda:0,1", "tensorrt")
_DEVICE = r"auto|cpu|cuda(:\d{1,3}(,\d{1,3})*)?|tensorrt(:\d{1,3})?"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """The settings of a server. 0 stands for `chosen for the device` where the help says auto."""

    host: str = _setting("127.0.0.1", "address to listen on; 0.0.0.0: all of IPv4; default: this machine alone")
    port: int = _setting(50051, "gRPC port; 0: any free one", most=65535)
    listen: str = _setting(
        "",
        "Unix socket to listen on beside --port, its path of at most 107 bytes; in plaintext, its file for the "
        "server's user alone; empty: none",
        choices=("unix:/run/polyseme.sock",),
        pattern=r"(unix:(?!//[^/])[^\0\n]+)?",
    )
    metrics_port: int = _setting(9000, "Prometheus port; 0: no metrics", most=65535)
    default_model: str = _setting("", "model of calls that name none, NAME[@VERSION]; empty: the first one")
    device: str = _setting("auto", "where the model runs", choices=_DEVICES, pattern=_DEVICE)
    tensorrt_cache: str = _setting("", "folder where TensorRT keeps what it builds, in minutes; empty: none")
    runners: int = _setting(0, "threads that run the model; 0: auto, the cores that may be used", most=256)
    intra_op_threads: int = _setting(1, "threads within one run of the model", least=1, most=256)
    tokenizer_threads: int = _setting(2, "threads that tokenize", least=1, most=256)
    max_batch_tokens: int = _setting(0, "tokens of a batch, padding counted; 0: auto", most=1 << 24)
    max_batch_texts: int = _setting(0, "texts of a batch; 0: auto", most=1 << 16)
    max_queue_tokens: int = _setting(0, "tokens that may wait; 0: auto", most=1 << 30)
    max_wait_ms: float = _setting(0.0, "milliseconds that a batch may wait for company", most=1000)
    max_run_s: float = _setting(120.0, "seconds of one batch that end the process; 0: any", most=86400)
    max_texts: int = _setting(1024, "texts in one call", least=1, most=1 << 20)
    max_text_bytes: int = _setting(256 << 10, "bytes of UTF-8 in one text", least=1, most=64 << 20)
    max_spans: int = _setting(1024, "spans and words of one text", least=1, most=1 << 20)
    max_message_bytes: int = _setting(16 << 20, "bytes of one gRPC message", least=1 << 10, most=1 << 30)
    max_concurrent_calls: int = _setting(4096, "calls under way at once", least=1, most=1 << 20)
    max_memory: str = _setting(
        "auto",
        "what the process may hold, mapped weights not counted; auto: 3/4 of the control group's limit or the machine",
        choices=("auto", "512MiB", "4GiB"),
        pattern=r"auto|[1-9]\d{0,5}(MiB|GiB)",
    )
    max_transfer_s: float = _setting(
        300.0, "seconds that a request may take to come, or a reply to be taken", least=1, most=86400
    )
    max_connections: int = _setting(
        0,
        "connections at once; 0: 1024, or fewer, so that what gRPC takes in unasked fills half of the memory at most",
        most=1 << 20,
    )
    max_streams: int = _setting(256, "calls at once on one connection; callers hold back more", least=1, most=1 << 20)
    drain_delay_s: float = _setting(1.0, "seconds between NOT_SERVING and refusing calls, at SIGTERM", most=600)
    grace_s: float = _setting(30.0, "seconds that calls under way may take at SIGTERM", most=3600)
    tls_cert: str = _setting("", "PEM file of the server's certificate, with those between it and its authority")
    tls_key: str = _setting("", "PEM file of its key")
    tls_client_ca: str = _setting("", "PEM file of the authorities that must have signed the callers' certificates")
    token_file: str = _setting("", "file of tokens, one a line; calls must carry one as `authorization: Bearer TOKEN`")
    trusted_proxies: str = _setting(
        "", "addresses or networks, comma-separated, of proxies that are believed who their callers are; empty: none"
    )
    metrics_tls: bool = _setting(False, "serve metrics over TLS, with the certificates of gRPC")
    metrics_token_file: str = _setting("", "as --token-file, for whoever reads metrics")
    reflection: bool = _setting(False, "serve gRPC reflection")
    log_level: str = _setting("info", "least level that is logged", choices=("debug", "info", "warning", "error"))
    log_format: str = _setting("text", "log lines as text, or each a JSON object", choices=("text", "json"))
    access_log: bool = _setting(False, "log a line for each call that ends, but for health checks that succeed")

    @classmethod
    def from_sources(
        cls,
        flags: Mapping[str, str | None],
        environment: Mapping[str, str] | None = None,
        file: SettingsFile | None = None,
    ) -> ServerConfig:
        """Read settings: flags before environment before file before default.

        Args:
            flags: values by field name as they were typed; None or absent where not given.
            environment: default: the process's.
            file: what a file says.

        Raises:
            ConfigError: a value is not of its type or out of its limits; names the source it came from.
        """
        given = given_settings(flags, os.environ if environment is None else environment, file)
        by_name = {setting.name: setting for setting in fields(cls)}
        return cls(**{name: _parse(value, by_name[name], origin) for name, (value, origin) in given.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """What a file of settings says.

    Attributes:
        name: of the file, for messages.
        values: by name of the setting, spelled as in the environment.
    """

    name: str
    values: Mapping[str, str]


def given_settings(
    flags: Mapping[str, str | None], environment: Mapping[str, str], file: SettingsFile | None = None
) -> dict[str, tuple[str, str]]:
    """Give the value of each setting that is set, as it was spelled, and the source that it came from."""
    given: dict[str, tuple[str, str]] = {}
    for setting in fields(ServerConfig):
        name, variable = setting.name, variable_of(setting.name)
        if flags.get(name) is not None:
            given[name] = str(flags[name]), "--" + name.replace("_", "-")
        elif environment.get(variable, "") != "":
            given[name] = environment[variable], variable
        elif file and name in file.values:
            given[name] = file.values[name], f"{file.name}: {name}"
    return given


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return "POLYSEME_" + name.upper()


def _parse(value: str, setting: Any, origin: str) -> Any:  # noqa: ANN401
    limits: Setting = setting.metadata["setting"]
    if isinstance(setting.default, bool):
        return _parse_bool(value, origin)
    if isinstance(setting.default, str):
        if limits.choices and not limits.pattern:
            value = value.lower()
        fits = re.fullmatch(limits.pattern, value) if limits.pattern else value in limits.choices
        if limits.choices and not fits:
            raise ConfigError(f"{origin}: got {value[:40]!r}; one of {', '.join(limits.choices)}")
        return value
    kind = type(setting.default)
    try:
        number = kind(value)
    except ValueError:
        raise ConfigError(
            f"{origin}: expected {'an integer' if kind is int else 'a number'}, got {value[:40]!r}"
        ) from None
    if not limits.least <= number <= limits.most:
        raise ConfigError(f"{origin}: got {value[:40]}; limits {limits.least}..{limits.most}")
    return number


def _parse_bool(value: str, origin: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    try:
        return known[value.lower()]
    except KeyError:
        raise ConfigError(f"{origin}: expected true or false, got {value[:40]!r}") from None
