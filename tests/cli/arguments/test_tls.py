"""Subcommands against a server that speaks TLS and wants tokens."""

import json

import pytest
from tests.certificates import certified, of_caller
from tests.server.running import running

from polyseme.cli.main import main


@pytest.fixture(scope="module")
def authority():
    return pytest.importorskip("trustme").CA()


@pytest.fixture(scope="module")
def server(tiny_artifact, tmp_path_factory, authority):
    """One that asks for everything: TLS, a caller's certificate and a token; its flags, for callers."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "tokens").write_text("alpha-1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate, key = of_caller(folder, authority)
    given = certified(folder, authority, "polyseme.example", callers=authority)
    with running(tiny_artifact, token_file=str(folder / "tokens"), **given) as server:
        server.flags = {
            "--tls-ca": str(folder / "ca.pem"),
            "--tls-name": "polyseme.example",
            "--client-cert": certificate,
            "--client-key": key,
        }
        yield server


def flags(server, *without):
    given = {"--target": server.target, **server.flags}
    return [part for flag, value in given.items() if flag not in without for part in (flag, value)]


COMMANDS = {
    "health": ["health", "--service", "polyseme.v1.EmbeddingService"],
    "info": ["info", "--json"],
    "embed": ["embed", "a cat", "a dog"],
    "similarity": ["similarity", "a cat", "a dog"],
    "senses": ["senses", "bank", "the bank", "a bank"],
    "bench": ["bench", "--calls", "8", "--warm-up", "0", "--concurrency", "2", "--connections", "2", "--json", "-"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_subcommand_that_calls_a_server(server, command, capsys, monkeypatch):
    monkeypatch.setenv("POLYSEME_TOKEN", "alpha-1")
    assert main([*COMMANDS[command], *flags(server)]) == 0
    if command == "bench":
        assert json.loads(capsys.readouterr().out)["runs"][0]["statuses"] == {"OK": 8}


def test_by_the_environment(server, capsys, monkeypatch):
    monkeypatch.setenv("POLYSEME_TARGET", server.target)
    for flag, value in server.flags.items():
        monkeypatch.setenv("POLYSEME_" + flag[2:].replace("-", "_").upper(), value)
    assert main(["health"]) == 0
    assert capsys.readouterr().out == "SERVING\n"


def refusal(capsys, *arguments):
    code = main(list(arguments))
    error = capsys.readouterr().err
    assert error.startswith("polyseme: error: ")
    assert error.count("\n") == 1
    return code, error


def test_without_a_token(server, capsys):
    code, error = refusal(capsys, "embed", "a cat", *flags(server))
    assert code == 1
    assert "metadata authorization: needed, as Bearer TOKEN" in error


@pytest.mark.parametrize("without", [["--tls-ca"], ["--tls-name"], ["--client-cert", "--client-key"]])
def test_what_is_missing_is_missed(server, capsys, without):
    code, _ = refusal(capsys, "health", "--timeout", "2", *flags(server, *without))
    assert code == 1


def test_arguments_that_make_no_sense(server, capsys, tmp_path):
    assert refusal(capsys, "health", *flags(server, "--client-key")) == (
        2,
        "polyseme: error: --client-cert and --client-key go together\n",
    )
    code, error = refusal(capsys, "health", "--tls-ca", str(tmp_path / "none.pem"))
    assert code == 2
    assert "--tls-ca: cannot read " in error
