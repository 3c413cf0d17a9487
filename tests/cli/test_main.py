import argparse
import errno
import os
import subprocess
import sys
from ast import literal_eval
from contextlib import nullcontext
from pkgutil import iter_modules
from types import SimpleNamespace

import pytest

from polyseme.cli import commands
from polyseme.cli import main as entry
from polyseme.cli.errors import CliError
from polyseme.client import UnavailableError


@pytest.fixture
def command(monkeypatch):
    """A subcommand `try` that raises or returns what a test puts into `outcome`."""

    def run(args: argparse.Namespace) -> int:
        if isinstance(fake.outcome, BaseException):
            raise fake.outcome
        return fake.outcome

    fake = SimpleNamespace(EXTRA="server", outcome=0, run=run, add_arguments=lambda parser: None)
    monkeypatch.setattr(entry, "COMMANDS", {"try": "try things"})
    monkeypatch.setattr(entry, "import_command", {"try": fake}.get)
    return fake


@pytest.mark.parametrize("code", [0, 3])
def test_main_returns_what_the_command_returns(command, code):
    command.outcome = code
    assert entry.main(["try"]) == code


@pytest.mark.parametrize(
    ("outcome", "code", "line"),
    [
        (CliError("no such file"), 1, "polyseme: error: no such file"),
        (CliError("no such file", 2), 2, "polyseme: error: no such file"),
        (CliError("cannot read ev\nil\x1b[31m\u202e é"), 1, "polyseme: error: cannot read ev\\nil\\x1b[31m\\u202e é"),
        (CliError("x" * 5000 + "end"), 1, "polyseme: error: " + "x" * 983 + " ... " + "x" * 997 + "end"),
        (
            OSError(errno.ENAMETOOLONG, "File name too long", "folder/long"),
            2,
            "polyseme: error: cannot use folder/long: File name too long",
        ),
        (
            OSError(errno.ELOOP, "Too many levels of symbolic links", "loop"),
            2,
            "polyseme: error: cannot use loop: Too many levels of symbolic links",
        ),
        (UnavailableError("host:1: refused"), 1, "polyseme: error: host:1: refused"),
        (
            UnavailableError("host:1: failed to connect: Connection refused", target="host:1"),
            1,
            "polyseme: error: no server listens at host:1; `polyseme serve` starts one, "
            "--target or POLYSEME_TARGET names another",
        ),
        (
            UnavailableError("host:1: Connection refused (by way of the proxy p of http_proxy)", target="host:1"),
            1,
            "polyseme: error: host:1: Connection refused (by way of the proxy p of http_proxy)",
        ),
        (KeyboardInterrupt(), 130, ""),
        (
            ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime.capi"),
            2,
            "polyseme try needs onnxruntime: pip install 'polyseme[server]'",
        ),
        (
            ModuleNotFoundError("No module named 'grpc_health'", name="grpc_health"),
            2,
            "polyseme try needs grpcio-health-checking: pip install 'polyseme[server]'",
        ),
    ],
)
def test_main_turns_expected_failures_into_one_line(command, capsys, outcome, code, line):
    command.outcome = outcome
    assert entry.main(["try"]) == code
    assert capsys.readouterr() == ("", line + "\n" if line else "")


def test_main_reports_a_package_that_declaring_arguments_needs(command, capsys):
    def add_arguments(parser):
        raise ModuleNotFoundError(name="prometheus_client")

    command.add_arguments = add_arguments
    assert entry.main(["try"]) == 2
    assert capsys.readouterr().err == "polyseme try needs prometheus-client: pip install 'polyseme[server]'\n"


@pytest.mark.parametrize(
    "outcome",
    [RuntimeError("a bug"), ModuleNotFoundError(name="polyseme.server.gone"), ModuleNotFoundError(name="tomllib")],
)
def test_main_lets_bugs_through(command, outcome):
    command.outcome = outcome
    with pytest.raises(type(outcome)):
        entry.main(["try"])


def test_main_shows_the_traceback_where_asked(command, capsys, monkeypatch):
    monkeypatch.setenv("POLYSEME_DEBUG", "1")
    command.outcome = CliError("no such file")
    assert entry.main(["try"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert (lines[0], lines[-1]) == ("Traceback (most recent call last):", "polyseme: error: no such file")


def test_main_without_a_command_prints_help(command, capsys):
    assert entry.main([]) == 2
    assert "try things" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "code"), [(["nonsense"], 2), (["try", "--nonsense"], 2), (["try", "--help"], 0)])
def test_main_leaves_usage_to_argparse(command, arguments, code, capsys):
    with pytest.raises(SystemExit) as ended:
        entry.main(arguments)
    assert ended.value.code == code


@pytest.mark.parametrize(
    ("arguments", "usage", "line"),
    [
        (["serve", "x", "--modle", "x"], "polyseme serve", "unrecognized arguments: --modle x"),
        (["embed", "x", "--modle=x"], "polyseme embed", "unrecognized arguments: --modle=x; is --model meant?"),
        (["--modle"], "polyseme", "unrecognized arguments: --modle"),
    ],
)
def test_an_unknown_argument_gets_the_usage_of_its_subcommand(arguments, usage, line, capsys):
    with pytest.raises(SystemExit) as ended:
        entry.main(arguments)
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"usage: {usage} [-h]")
    assert lines[-1] == f"{usage}: error: {line}"


def test_a_misspelt_variable_is_one_line(command, capsys, monkeypatch):
    monkeypatch.setenv("POLYSEME_TARGTE", "x")
    monkeypatch.setenv("POLYSEME_OF_MY_OWN", "x")
    assert entry.main(["try"]) == 0
    assert capsys.readouterr().err == "polyseme: warning: POLYSEME_TARGTE is not read; POLYSEME_TARGET is\n"


@pytest.mark.parametrize("options", [[], ["--help"]], ids=["called", "asked about"])
def test_main_imports_the_command_that_is_called_alone(command, options, capsys):
    entry.COMMANDS = {
        "try": "try things",
        "other": "do other",
    }  # the fixture puts it back; there is no module for other
    with pytest.raises(SystemExit) if options else nullcontext():
        assert entry.main([*options, "try"]) == 0
    assert ("do other" in capsys.readouterr().out) == bool(options)


def test_main_prints_the_version(capsys):
    with pytest.raises(SystemExit) as ended:
        entry.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("polyseme ")


def test_importing_the_entry_point_imports_nothing_heavy():
    heavy = ["numpy", "grpc", "google.protobuf", "rich", "onnxruntime", "tokenizers", "onnx", "importlib.metadata"]
    program = f"import sys, polyseme.cli.main; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, env=_environment())
    assert (result.stdout, result.stderr) == ("[]\n", "")


def test_a_reader_that_leaves_ends_the_command_quietly():
    program = (
        "import sys; from polyseme.cli import main; from polyseme.cli.commands import health;"
        "health.run = lambda args: sys.stdout.writelines('x' * 99 for _ in range(99999)) or 0;"
        "sys.exit(main.main(['health']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def _environment() -> dict[str, str]:
    """The environment with what is importable here importable there, installed or not."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _imported_for(*arguments: str) -> list[str]:
    """The modules of subcommands and of the server that `polyseme` has imported at its end."""
    program = (
        "import sys; from polyseme.cli.main import main\n"
        f"try: main({list(arguments)})\n"
        "finally: print([name for name in sys.modules if name.startswith(('polyseme.cli.commands', 'polyseme.s'))])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=_environment())
    return list(literal_eval(result.stdout.splitlines()[-1]))


def test_a_subcommand_imports_no_other():
    assert _imported_for("health", "--help") == ["polyseme.cli.commands", "polyseme.cli.commands.health"]


def test_the_help_of_all_imports_no_subcommand():
    assert _imported_for("--help") == []


def test_every_module_of_a_subcommand_is_listed():
    assert {module.name for module in iter_modules(commands.__path__)} == set(entry.COMMANDS)


@pytest.mark.parametrize("name", entry.COMMANDS)
def test_every_subcommand_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as end:
        entry.main([name, "--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert f"usage: polyseme {name}" in out
    assert entry._sentence(entry.COMMANDS[name]).split()[0] in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["embed", "a", "--dimensions", "0"], "argument --dimensions: got 0; at least 1"),
        (["embed", "a", "--timeout", "0"], "argument --timeout: got 0; more than 0"),
        (["embed", "a", "--timeout", "soon"], "argument --timeout: invalid seconds value: 'soon'"),
        (["similarity", "-q", "a", "b", "-k", "-1"], "argument -k/--top-k: got -1; at least 1"),
        (["senses", "bank", "bank", "--timeout", "nan"], "argument --timeout: got nan; more than 0"),
        (["health", "--timeout", "-1"], "argument --timeout: got -1; more than 0"),
        (["export", "x", "-o", "y", "--max-length", "0"], "argument --max-length: got 0; at least 1"),
    ],
)
def test_a_wrong_number_is_a_wrong_command_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        entry.main(arguments)
    assert end.value.code == 2
    assert capsys.readouterr().err.endswith(f"polyseme {arguments[0]}: error: {message}\n")


@pytest.mark.parametrize(
    "arguments", [["embed", "a"], ["similarity", "a", "b"], ["senses", "a", "a"], ["info"], ["health"]]
)
def test_a_wrong_target_is_a_wrong_command_line(arguments, capsys):
    assert entry.main([*arguments, "--target", "nonsense"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("polyseme: error: target is 'nonsense'; ")
    assert err.count("\n") == 1


def test_an_ascii_terminal_loses_a_character_and_not_the_answer():
    program = (
        "import sys; from polyseme.cli.output.table import print_table; from polyseme.cli.main import main; "
        "import polyseme.cli.commands.info as info; "
        "info.run = lambda args: print_table(('a:',), [('caf\u00e9 \u5317',)]) or 0; "
        "sys.exit(main(['info']))"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "caf? ?" in done.stdout


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("verify",), ("embed", "-o", "o.npy", "--input")])
@pytest.mark.parametrize("path", ["x" * 5000, "loop", "loop/x", "ev\nil\x1b[31m"])
def test_a_path_that_cannot_be_is_one_line(command, path, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    run = subprocess.run(
        [sys.executable, "-m", "polyseme.cli.main", *command, path],
        capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False,
    )  # fmt: skip
    assert run.returncode in {1, 2}
    assert run.stderr.startswith("polyseme: error: ")
    assert run.stderr.endswith("\n")
    assert run.stderr.removesuffix("\n").isprintable(), run.stderr
