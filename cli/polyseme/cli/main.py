"""Run `polyseme`: parse the command line, run one subcommand, turn its errors into one line and an exit code.

A subcommand is a module with EXTRA (what to install for it), `add_arguments(parser)` and `run(args)`. Only the one that
is called is imported; for `polyseme --help`, none is.

Exit codes: the one that the subcommand returns; 1 for a failure, 2 for a wrong command line or a missing package, 130
for Ctrl-C, 141 if the reader of a pipe is gone. POLYSEME_DEBUG=1 prints the traceback of a failure too.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Final, NoReturn, Protocol, cast

from polyseme.cli.arguments.variables import unread_variables
from polyseme.cli.errors import CliError
from polyseme.cli.output.lines import spell_out


class Command(Protocol):
    """The interface of a subcommand's module."""

    EXTRA: str

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None:
        """Declare the arguments."""

    def run(self, args: argparse.Namespace, /) -> int:
        """Run the subcommand; give the exit code.

        Raises:
            CliError: an expected failure.
        """


# What each does, in the order of `polyseme --help`.
COMMANDS: Final = {
    "export": "turn a checkpoint into an artifact that `polyseme serve` takes",
    "fit": "train a head on labelled texts, to classify texts or to find entities, and put it into an artifact",
    "serve": "serve an artifact over gRPC",
    "gateway": "serve OpenAI's embeddings API over HTTP, in front of a server",
    "verify": "check an artifact: every hash, every graph; exit code 0 only if sound",
    "diff": "compare the vectors of two artifacts",
    "info": "describe an artifact, or the models of a server",
    "embed": "embed texts",
    "words": "embed the words of texts, each in its context",
    "tokenize": "show the tokens that a model makes of texts",
    "similarity": "compare texts with each other, or with a query",
    "senses": "compare one word in several sentences, layer by layer, and draw it",
    "classify": "classify texts, or pairs of texts, with a head of the model",
    "entities": "find entities in texts, with a head of the model",
    "answer": "find the answer to a question in each text, with a head of the model",
    "rerank": "sort texts by how well they match a query, with a head of the model",
    "bench": "put load on a server, and measure rates, latencies and refusals",
    "health": "ask a server whether it serves; exit code 0 only if it does",
}

# Names to install, where they are not the names to import.
_DISTRIBUTIONS: Final = {
    "google": "protobuf",
    "grpc": "grpcio",
    "grpc_health": "grpcio-health-checking",
    "grpc_reflection": "grpcio-reflection",
    "grpc_status": "grpcio-status",
    "prometheus_client": "prometheus-client",
}


_WRONG_PATHS: Final = (errno.ELOOP, errno.ENAMETOOLONG)  # the path itself is wrong, not what lies there
_LONGEST: Final = 2000
_REFUSED: Final = "Connection refused"  # in gRPC's message, which is the system's


def main(argv: Sequence[str] | None = None) -> int:
    """Run `polyseme` with these arguments, default: the process's; give the exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    name = next((argument for argument in arguments if not argument.startswith("-")), None)
    called = name if name in COMMANDS else None
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an ASCII terminal loses a character, not the answer
    try:
        # An option before the subcommand may ask for the help of all.
        names = arguments[:1] if called and arguments[0] == called else COMMANDS
        parser = _parser(names, called)
        args, unknown = parser.parse_known_args(arguments)
        if unknown:
            _refuse_unknown(args.parser if called else parser, unknown)
        if called is None:
            parser.print_help(sys.stderr)
            return 2
        if called != "serve" and (line := unread_variables(os.environ, alike_only=True)):
            print(f"polyseme: warning: {line}", file=sys.stderr)
        code = import_command(called).run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return _without_stdout()
    except Exception as error:
        return _report_failure(error, called)
    return code


def import_command(name: str) -> Command:
    """Import the module of a subcommand."""
    return cast(Command, import_module(f"polyseme.cli.commands.{name}"))


def _parser(names: Iterable[str], called: str | None) -> argparse.ArgumentParser:
    """Build the parser of these subcommands; only the one that is called is imported, and declares its arguments."""
    parser = argparse.ArgumentParser(prog="polyseme", description="Contextual embeddings over gRPC.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    subparsers = parser.add_subparsers(metavar="COMMAND", title="commands")
    for name in names:
        subparser = subparsers.add_parser(name, help=COMMANDS[name], description=_sentence(COMMANDS[name]))
        if name == called:
            import_command(name).add_arguments(subparser)
            subparser.set_defaults(parser=subparser)
    return parser


def _refuse_unknown(parser: argparse.ArgumentParser, unknown: Sequence[str]) -> NoReturn:
    """Print the usage of the subcommand that was called, where argparse itself would print that of `polyseme`."""
    import difflib

    flag = unknown[0].partition("=")[0]
    close = difflib.get_close_matches(flag, parser._option_string_actions, 1)  # noqa: SLF001  there is no other way
    parser.error(f"unrecognized arguments: {' '.join(unknown)}{f'; is {close[0]} meant?' if close else ''}")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


class _Version(argparse.Action):
    """Reads the version only when asked: importlib.metadata takes longer to import than all the rest."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:  # noqa: ANN401  argparse's signature
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"polyseme {version('polyseme')}")
        except PackageNotFoundError:
            print("polyseme (not installed)")
        parser.exit()


def _report_failure(error: Exception, called: str | None) -> int:
    """Print one line for an expected failure; raise any other error: it is a bug."""
    match error:
        case CliError():
            message, code = f"error: {error}", error.exit_code
        case ModuleNotFoundError() if _is_third_party(error) and called is not None:
            package = (error.name or "").partition(".")[0]
            needs = f"{called} needs {_DISTRIBUTIONS.get(package, package)}"
            return _print_error(f"polyseme {needs}: pip install 'polyseme[{import_command(called).EXTRA}]'", 2)
        case OSError(filename=str(path)) if error.errno in _WRONG_PATHS:  # wherever the path is looked at first
            message, code = f"error: cannot use {path}: {error.strerror}", 2
        case _ if _is_from_client(error):
            message, code = f"error: {_told(error)}", 1
        case _:
            raise error
    return _print_error(f"polyseme: {message}", code)


def _print_error(line: str, code: int) -> int:
    if os.environ.get("POLYSEME_DEBUG") == "1":
        import traceback

        traceback.print_exc()
    print(_one_line(line), file=sys.stderr)
    return code


def _one_line(message: str) -> str:
    """Spell control characters out, of a file's name for example."""
    shown = spell_out(message)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST // 2]} ... {shown[-_LONGEST // 2 :]}"


def _is_third_party(error: ModuleNotFoundError) -> bool:
    package = (error.name or "polyseme").partition(".")[0]
    return package != "polyseme" and package not in sys.stdlib_module_names


def _told(error: Exception) -> str:
    """Say where no server listens, and what to do, in place of gRPC's words for it."""
    target, message = getattr(error, "target", None), str(error)
    if not target or _REFUSED not in message or "proxy" in message:
        return message
    return f"no server listens at {target}; `polyseme serve` starts one, --target or POLYSEME_TARGET names another"


def _is_from_client(error: Exception) -> bool:
    """Say whether the SDK raised it; if the SDK was never imported it did not."""
    errors = sys.modules.get("polyseme.client.errors")
    return errors is not None and isinstance(error, errors.PolysemeError)


def _without_stdout() -> int:
    """Send the interpreter's flush at exit to nowhere, and end as if by SIGPIPE."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141


if __name__ == "__main__":
    sys.exit(main())
