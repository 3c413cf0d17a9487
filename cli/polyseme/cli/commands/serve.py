"""polyseme serve: serve artifacts over gRPC."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from polyseme.cli.errors import CliError
from polyseme.cli.output import one_line
from polyseme.cli.variables import unread_variables

if TYPE_CHECKING:
    from polyseme.server.config import ServerConfig

NAME: Final = "serve"
HELP: Final = "serve an artifact over gRPC"
EXTRA: Final = "server"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one flag for each setting of the server; each is also an environment variable."""
    from polyseme.server.config import ServerConfig, Setting, variable_of

    parser.add_argument(
        "directory",
        metavar="DIR",
        type=Path,
        nargs="*",
        help="directory of an artifact made by `polyseme export`, or folder of several; at least one",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=os.environ.get("POLYSEME_CONFIG") or None,
        help="TOML file of settings: max_texts = 512, and so on; flags and variables go before it [POLYSEME_CONFIG]",
    )
    parser.add_argument("--print-config", action="store_true", help="print all settings as such a file, and end")
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
    if not args.directory:
        raise CliError("no DIR to serve: a directory that `polyseme export` wrote", 2)
    return _serve(args.directory, config)


def _serve(directories: Sequence[Path], config: ServerConfig) -> int:
    from polyseme.artifact import ArtifactError
    from polyseme.runtime.errors import RuntimeUnavailableError, TokenizerError
    from polyseme.server.errors import ConfigError
    from polyseme.server.serving import serve

    try:
        serve(directories, config, warning=unread_variables(os.environ, alike_only=False))
    except (ArtifactError, ConfigError, RuntimeUnavailableError, TokenizerError) as error:
        raise CliError(str(error), 2) from error
    return 0
