"""The error that ends a subcommand with one line on stderr."""

from __future__ import annotations


class CliError(Exception):
    """An expected failure: printed as `polyseme: error: MESSAGE`, never as a traceback.

    Attributes:
        exit_code: exit code of the process; 2 if the command line or configuration is wrong, else 1.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
