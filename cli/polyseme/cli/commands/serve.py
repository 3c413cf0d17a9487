"""polyseme serve: serve artifacts over gRPC."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Final

from polyseme.cli.errors import CliError

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
        nargs="+",
        help="directory of an artifact made by `polyseme export`, or folder of several",
    )
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
    from polyseme.artifact import ArtifactError
    from polyseme.runtime.errors import RuntimeUnavailableError, TokenizerError
    from polyseme.server.config import ServerConfig
    from polyseme.server.errors import ConfigError
    from polyseme.server.serving import serve

    try:
        serve(args.directory, ServerConfig.from_sources(vars(args)))
    except (ArtifactError, ConfigError, RuntimeUnavailableError, TokenizerError) as error:
        raise CliError(str(error), 2) from error
    return 0
