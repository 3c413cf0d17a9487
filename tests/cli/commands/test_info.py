import json

import pytest
from tests.artifact.samples import seal
from tests.client.fake_server import fake_server

from polyseme.artifact import Artifact
from polyseme.cli.main import main


def test_info_of_an_artifact(artifact, capsys):
    assert main(["info", str(artifact)]) == 0
    out = capsys.readouterr().out
    manifest = Artifact.open(artifact).manifest
    for shown in (manifest.version, manifest.sha256, "bert: 2 layers, 32 wide, 4 heads", "mean pooling (assumed)",
                  "directory:tiny", "fp32, fp16", "token_l2", "similarity"):  # fmt: skip
        assert shown in out


def test_info_as_json_is_the_manifest(artifact, capsys):
    assert main(["info", str(artifact), "--json"]) == 0
    out = capsys.readouterr().out
    assert (artifact / "manifest.json").read_text(encoding="utf-8") == out
    assert Artifact.open(artifact).manifest.sha256 == json.loads(out)["sha256"]


@pytest.mark.parametrize("parity", [{}, {"fp32": "x"}, {"fp32": {"token_l2": "x"}, "fp16": [1]}])
def test_a_report_of_another_form_is_left_out(artifact, capsys, parity):
    document = json.loads((artifact / "manifest.json").read_text())
    (artifact / "manifest.json").write_bytes(seal({**document, "parity": parity}))
    assert main(["info", str(artifact)]) == 0
    assert "token_l2" not in capsys.readouterr().out


def test_info_of_a_changed_artifact(artifact, capsys):
    (artifact / "tokenizer.json").write_text("{}")
    assert main(["info", str(artifact)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "tokenizer.json: 2 bytes; manifest says" in err


def test_info_of_a_server(capsys):
    with fake_server() as server:
        assert main(["info", "--target", server.target]) == 0
    out = capsys.readouterr().out
    assert "(default)" in out
    assert ["|", "similarity", "|", "cosine", "|"] in [line.split() for line in out.splitlines()]
    assert "one call takes" in out


def test_info_of_a_server_that_does_not_say(capsys):
    with fake_server() as server:
        server.faults.similarity = 0
        assert main(["info", "--target", server.target]) == 0
    assert "not said: the server is older" in capsys.readouterr().out


def test_info_of_a_server_as_json(capsys):
    with fake_server() as server:
        assert main(["info", "--target", server.target, "--json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)
    assert model["is_default"]
    assert model["limits"]["max_texts"] > 0


def test_info_where_nobody_listens(capsys):
    assert main(["info", "--target", "127.0.0.1:1"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)


def test_info_sends_the_token_of_the_environment(monkeypatch, capsys):
    monkeypatch.setenv("POLYSEME_TOKEN", "s3cret")
    with fake_server() as server:
        assert main(["info", "--target", server.target]) == 0
        assert server.faults.metadata[0]["authorization"] == "Bearer s3cret"
