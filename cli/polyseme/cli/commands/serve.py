"""polyseme serve: serve artifacts over gRPC."""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from polyseme.cli.arguments.variables import unread_variables
from polyseme.cli.errors import CliError
from polyseme.cli.output.lines import one_line

if TYPE_CHECKING:
    from polyseme.server.config import ServerConfig

EXTRA: Final = "server"

_MODEL_NAME: Final = re.compile(r"\w[\w.-]*(?P<of_owner>/\w[\w.-]*)?", re.ASCII)  # NAME, or OWNER/NAME on a hub


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one flag for each setting of the server; each is also an environment variable."""
    from polyseme.server.config import ServerConfig, Setting, variable_of

    parser.add_argument(
        "sources",
        metavar="DIR",
        nargs="*",
        help="directory of an artifact made by `polyseme export`, or folder of several; or hf:ID[@REVISION] or "
        "package:NAME, which is exported first, unless it was before; MODEL=hf:ID gives it a name; at least one",
    )
    parser.add_argument(
        "--cache",
        metavar="FOLDER",
        default=os.environ.get("POLYSEME_CACHE") or None,
        help="folder that keeps the artifacts of what is exported first [$XDG_CACHE_HOME/polyseme; POLYSEME_CACHE]",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=os.environ.get("POLYSEME_CONFIG") or None,
        help="TOML file of settings: max_texts = 512, and so on; flags and variables override it [POLYSEME_CONFIG]",
    )
    parser.add_argument("--print-config", action="store_true", help="print all settings as such a file, and exit")
    for field in dataclasses.fields(ServerConfig):
        setting: Setting = field.metadata["setting"]
        flag = "--" + field.name.replace("_", "-")
        known = f" ({', '.join(setting.choices)})" if setting.choices else ""
        text = f"{setting.help}{known} [{field.default}; {variable_of(field.name)}]".replace("%", "%%")
        if field.type == "bool":
            parser.add_argument(flag, action="store_const", const="true", help=text)
        else:
            parser.add_argument(flag, metavar="X", help=text)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    from polyseme.cli.cache import source_of
    from polyseme.server.config import ServerConfig, given_settings
    from polyseme.server.errors import ConfigError
    from polyseme.server.settings_file import read_settings, written

    try:
        file = read_settings(Path(args.config)) if args.config else None
        config = ServerConfig.from_sources(vars(args), file=file)
    except ConfigError as error:
        raise CliError(str(error), 2) from error
    if args.print_config:
        given = given_settings(vars(args), os.environ, file)
        sys.stdout.write(written(config, {name: one_line(origin) for name, (_, origin) in given.items()}))
        return 0
    if not args.sources:
        raise CliError("nothing to serve: name a directory that `polyseme export` wrote, hf:ID or package:NAME", 2)
    try:
        if any(map(source_of, args.sources)):
            _serve_exported(args, config)
        return _serve(args.sources, config)
    except ConfigError as error:
        raise CliError(str(error), 2) from error


def _serve_exported(args: argparse.Namespace, config: ServerConfig) -> NoReturn:
    """Export what is no directory, and begin anew with directories: in a process that has not the exporter's memory."""
    from polyseme.cli.cache import default_folder, exported, source_of
    from polyseme.server.lifecycle.signals import unwinding_signals
    from polyseme.server.lifecycle.users import end_without_users
    from polyseme.server.observe.log_lines import log_to_stderr

    log_to_stderr(config.log_level, config.log_format)
    if config.users_lock:
        end_without_users(Path(config.users_lock))
    folder = Path(args.cache) if args.cache else default_folder(os.environ)
    with unwinding_signals():
        sources = [(argument, source_of(argument)) for argument in args.sources]
        paths = [str(exported(source, folder)) if source else argument for argument, source in sources]
    command = [sys.executable, "-P", "-m", "polyseme.cli.main", "serve", *_flags(args), "--", *paths]
    os.execv(sys.executable, command)  # noqa: S606


def _flags(args: argparse.Namespace) -> list[str]:
    """Give the flags again that were given."""
    from polyseme.server.config import ServerConfig

    given = [(field, getattr(args, field.name)) for field in dataclasses.fields(ServerConfig)]
    named = [("--" + field.name.replace("_", "-"), field.type, value) for field, value in given if value is not None]
    flags = [flag if type_ == "bool" else f"{flag}={value}" for flag, type_, value in named]
    return [*flags, *([f"--config={args.config}"] if args.config else [])]


def _serve(sources: Sequence[str], config: ServerConfig) -> int:
    from polyseme.artifact import ArtifactError
    from polyseme.runtime.errors import RuntimeUnavailableError, TokenizerError
    from polyseme.server.serving import serve

    try:
        serve(list(map(Path, sources)), config, warning=unread_variables(os.environ, alike_only=False))
    except (ArtifactError, RuntimeUnavailableError, TokenizerError) as error:
        raise CliError(f"{error}{_hint(sources)}", 2) from error
    return 0


def _hint(sources: Sequence[str]) -> str:
    """Say how a model is named that is to be exported first, where a source that is not there may be one's name."""
    for source in sources:
        if (name := _MODEL_NAME.fullmatch(source)) and not Path(source).exists():
            package = "" if name["of_owner"] else f"package:{source} or "
            return f"; a model that is to be exported first: {package}hf:{source}"
    return ""
