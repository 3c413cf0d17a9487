"""The settings: names, defaults, limits, help. Parsed once, passed as an object.

`settings_file.py` reads files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from polyseme.server.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting, as it is offered: `--name` on the command line, `POLYSEME_NAME` in the environment.

    Attributes:
        help: what it does, with its unit.
        least: smallest value, for numbers.
        most: largest value, for numbers.
        choices: all values, for closed sets; else examples of values that match `pattern`.
        pattern: regular expression that values match.
    """

    help: str
    least: float = 0
    most: float = float("inf")
    choices: tuple[str, ...] = ()
    pattern: str = ""


def _setting(default: Any, help_text: str, **limits: Any) -> Any:  # noqa: ANN401
    return field(default=default, metadata={"setting": Setting(help_text, **limits)})


_DEVICES: Final = ("auto", "cpu", "cuda", "cuda:0,1", "tensorrt")
_DEVICE: Final = r"auto|cpu|cuda(:\d{1,3}(,\d{1,3})*)?|tensorrt(:\d{1,3})?"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """The settings of a server. 0 stands for `chosen for the device` where the help says auto."""

    host: str = _setting(
        "127.0.0.1", "address to listen on; 0.0.0.0: every IPv4 address; default: only this machine can call"
    )
    port: int = _setting(
        50051, "gRPC port; 0: any free one; -1: none, only the socket of --listen", least=-1, most=65535
    )
    listen: str = _setting(
        "",
        "Unix socket to listen on as well as --port, with a path of at most 107 bytes; in plaintext; only the server's "
        "user can connect; empty: none",
        choices=("unix:/run/polyseme.sock",),
        pattern=r"(unix:(?!//[^/])[^\0\n]+)?",
    )
    users_lock: str = _setting(
        "", "lock file; the server exits when no process holds a shared flock(2) on it; empty: none"
    )
    metrics_port: int = _setting(9000, "Prometheus port; 0: no metrics", most=65535)
    default_model: str = _setting("", "model for calls that name none, as NAME[@VERSION]; empty: the first one")
    device: str = _setting("auto", "device that runs the model", choices=_DEVICES, pattern=_DEVICE)
    tensorrt_cache: str = _setting("", "folder that keeps TensorRT's engines, which take minutes to build; empty: none")
    runners: int = _setting(
        0,
        "threads that run the model; 0: one for each usable core; a CPU has one more for short calls beside long texts",
        most=256,
    )
    intra_op_threads: int = _setting(1, "threads within one run of the model", least=1, most=256)
    lone_threads: int = _setting(
        0,
        "threads within one run while nothing else waits or runs, on a CPU; above --intra-op-threads they take memory "
        "(docs/memory.md); 0: one for each usable core, at most 4",
        most=256,
    )
    tokenizer_threads: int = _setting(
        0,
        "threads that tokenize, for each model; 0: one for each usable core that runs leave idle, 2 to 16",
        most=256,
    )
    max_batch_tokens: int = _setting(0, "most tokens of a batch, padding included; 0: auto", most=1 << 24)
    max_batch_texts: int = _setting(0, "most texts of a batch; 0: auto", most=1 << 16)
    max_queue_tokens: int = _setting(0, "most tokens that wait; further calls are refused; 0: auto", most=1 << 30)
    max_wait_ms: float = _setting(
        0.0, "milliseconds that a batch waits for more texts while a runner is free", most=1000
    )
    max_run_s: float = _setting(120.0, "exit if one batch runs longer than this many seconds; 0: no limit", most=86400)
    max_texts: int = _setting(1024, "most texts in one call", least=1, most=1 << 20)
    max_text_bytes: int = _setting(256 << 10, "most bytes of UTF-8 in one text", least=1, most=64 << 20)
    max_spans: int = _setting(1024, "most spans and words of one text", least=1, most=1 << 20)
    max_message_bytes: int = _setting(16 << 20, "most bytes of one gRPC message", least=1 << 10, most=1 << 30)
    max_concurrent_calls: int = _setting(
        4096,
        "most calls at once; up to twice as many from callers that have less than half of their share",
        least=1,
        most=1 << 20,
    )
    max_memory: str = _setting(
        "auto",
        "most memory of the process, without mapped weights; auto: 3/4 of the control group's limit or the machine's",
        choices=("auto", "512MiB", "4GiB"),
        pattern=r"auto|[1-9]\d{0,5}(MiB|GiB)",
    )
    max_transfer_s: float = _setting(
        300.0, "seconds within which a request must arrive whole and a reply must be taken", least=1, most=86400
    )
    max_connections: int = _setting(
        0,
        "most connections at once; 0: 1024, or fewer, so that what gRPC receives unasked fills half of memory at most",
        most=1 << 20,
    )
    max_streams: int = _setting(
        256, "most calls at once on one connection; callers hold back more", least=1, most=1 << 20
    )
    drain_delay_s: float = _setting(
        1.0, "seconds after SIGTERM between reporting NOT_SERVING and refusing calls", most=600
    )
    grace_s: float = _setting(30.0, "seconds that calls under way have to end after SIGTERM", most=3600)
    tls_cert: str = _setting("", "PEM file of the server's certificate, followed by intermediate certificates")
    tls_key: str = _setting("", "PEM file of the certificate's key")
    tls_client_ca: str = _setting(
        "", "PEM file of authorities; callers must show a certificate that one of them signed"
    )
    token_file: str = _setting("", "file of tokens, one a line; calls must carry one as `authorization: Bearer TOKEN`")
    trusted_proxies: str = _setting(
        "", "proxies whose x-forwarded-for is trusted: addresses or networks, separated by commas; empty: none"
    )
    metrics_tls: bool = _setting(False, "serve metrics over TLS, with the certificates of gRPC")
    metrics_token_file: str = _setting(
        "", "file of tokens, one a line; reading metrics needs one, as calls do with --token-file"
    )
    reflection: bool = _setting(False, "serve gRPC reflection")
    protocols: str = _setting(
        "",
        "contracts of other servers to speak beside polyseme.v1, separated by commas; tei: that of "
        "text-embeddings-inference; kserve: KServe's and Triton's; empty: none",
        choices=("tei", "kserve", "tei,kserve"),
        pattern=r"((tei|kserve)(,(tei|kserve))*)?",
    )
    log_level: str = _setting("info", "lowest level that is logged", choices=("debug", "info", "warning", "error"))
    log_format: str = _setting("text", "form of a log line: text, or a JSON object", choices=("text", "json"))
    access_log: bool = _setting(False, "log a line for each call that ends, except health checks that succeed")

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
    """The settings of a file.

    Attributes:
        name: of the file, for messages.
        values: by name of the setting, spelled as in the environment.
    """

    name: str
    values: Mapping[str, str]


def given_settings(
    flags: Mapping[str, str | None], environment: Mapping[str, str], file: SettingsFile | None = None
) -> dict[str, tuple[str, str]]:
    """Give the value of each setting that is set, as it was spelled, and its source."""
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
    """Give the environment variable of a setting: POLYSEME_ and its name in capitals."""
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
