"""polyseme embed --input FILE -o OUT: options, texts that fail, ends that come early."""

import errno
import json
import os

import grpc
import numpy as np
from tests.cli.bulk.samples import TEXTS, lines, names, refuse, stop_halfway
from tests.client.fake_server import vector_of

from polyseme.cli.bulk import run as bulk_run


def test_options_reach_the_server(embed, fake):
    assert embed("--no-normalize", "--truncate", "end", "--prompt-name", "query", "--model", "tiny")[0] == 0
    request = fake.faults.messages[0].embed
    assert (request.HasField("normalize"), request.normalize) == (True, False)
    options = request.text_options
    assert (options.truncate, options.prompt_name, request.model.name) == (2, "query", "tiny")


def test_the_default_prompt_can_be_switched_off(embed, fake):
    assert embed("--without-prompt")[0] == 0
    assert fake.faults.messages[0].embed.text_options.without_prompt


def test_a_run_goes_on_with_the_prompt_that_it_was_begun_with(embed, fake, tmp_path):
    stop_halfway(embed, fake, "--without-prompt")
    code, err = embed()
    assert code == 2
    assert "out.npy was begun differently: --without-prompt was True, now None; use --restart" in err
    assert embed("--without-prompt")[0] == 0


def test_a_run_of_a_version_without_the_option_goes_on(embed, fake, tmp_path):
    stop_halfway(embed, fake)
    assert b"without" not in (tmp_path / "out.npy.journal").read_bytes()


def test_a_refused_text_stops_the_run_and_the_rest_can_be_had(embed, fake, source, tmp_path):
    fake.faults.on_message = refuse("a bank\u2028two")
    expected = "line 3 (row 2) has 913 tokens; limit 512 (truncate=none); --on-error skip goes on without it\n"
    assert embed() == (1, f"polyseme: error: {source} {expected}")
    assert names(tmp_path) == ["in.txt", "out.npy.journal", "out.npy.partial", "out.npy.partial.errors.jsonl"]
    code, err = embed("--on-error", "skip")
    assert code == 3
    assert "going on at row 2" in err
    assert f"5 rows; 1 without a vector, see {tmp_path / 'out.npy'}.errors.jsonl" in err
    found = np.load(tmp_path / "out.npy")
    assert np.isnan(found[2]).all()
    assert np.array_equal(found[[0, 1, 3, 4]], np.stack([vector_of(TEXTS[i]) for i in (0, 1, 3, 4)]))
    problem = "has 913 tokens; limit 512 (truncate=none)"
    report = [{"row": 2, "line": 3, "status": "INVALID_ARGUMENT", "message": problem}]
    assert [json.loads(line) for line in lines(tmp_path / "out.npy.errors.jsonl")] == report
    assert names(tmp_path) == ["in.txt", "out.npy", "out.npy.errors.jsonl"]


def test_what_cannot_be_read_or_sent_is_skipped_and_named(embed, fake, tmp_path):
    given = tmp_path / "in.jsonl"
    content = [
        b'{"text": "a"}',
        b"secret",
        b'{"text": "\\ud800"}',
        b'{"text": "\xff"}',
        b'{"text": "' + b"b" * 99 + b'"}',
    ]
    given.write_bytes(b"\n".join(content))
    fake.faults.limits["max_text_bytes"] = 98
    assert embed("--on-error", "skip", given=given)[0] == 3
    report = [json.loads(line) for line in lines(tmp_path / "out.npy.errors.jsonl")]
    assert [(entry["row"], entry["line"], entry["status"]) for entry in report] == [
        (row, row + 1, "INVALID_ARGUMENT") for row in (1, 2, 3, 4)
    ]
    assert [entry["message"] for entry in report] == [
        "is not JSON: Expecting value at column 1",
        "has a lone surrogate at position 0; it cannot be sent as UTF-8",
        "is not UTF-8: byte 10",
        "has 99 bytes; limit 98",
    ]
    assert "secret" not in str(fake.faults.messages)
    assert np.isnan(np.load(tmp_path / "out.npy")).all(axis=1).tolist() == [False, True, True, True, True]


def test_an_unreadable_line_stops_the_run(embed, fake, tmp_path):
    given = tmp_path / "in.jsonl"
    given.write_text('{"text": "a"}\n{"text": 1}\n{"text": "b"}\n')
    code, err = embed(given=given)
    assert (code, err.count("\n")) == (1, 1)
    assert "line 2 (row 1) field text is a number, not a string; --on-error skip" in err


def test_the_same_command_goes_on_where_the_other_ended(embed, fake, tmp_path):
    stop_halfway(embed, fake)
    fake.faults.messages.clear()
    code, err = embed()
    assert code == 0
    assert "going on at row 3" in err
    assert [list(message.embed.texts) for message in fake.faults.messages] == [TEXTS[3:]]
    assert np.array_equal(np.load(tmp_path / "out.npy"), np.stack(list(map(vector_of, TEXTS))))


def test_a_run_that_ended_after_the_rename_is_finished(embed, fake, tmp_path, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(bulk_run.OutputFile, "discard", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        assert embed()[0] == 130
    assert names(tmp_path)[:3] == ["in.txt", "out.npy", "out.npy.journal"]
    calls = fake.faults.calls["StreamEmbed"]
    code, err = embed()
    assert (code, err) == (0, f"{tmp_path / 'out.npy'}: 5 rows\n")
    assert (fake.faults.calls["StreamEmbed"], names(tmp_path)) == (calls, ["in.txt", "out.npy"])


def test_a_crash_before_the_rename_is_made_good(embed, fake, tmp_path, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(bulk_run.OutputFile, "finish", lambda self, _: (_ for _ in ()).throw(KeyboardInterrupt))
        assert embed()[0] == 130
    assert not (tmp_path / "out.npy").exists()
    assert embed()[0] == 0
    assert fake.faults.calls["StreamEmbed"] == 1
    assert np.array_equal(np.load(tmp_path / "out.npy"), np.stack(list(map(vector_of, TEXTS))))


def test_ctrl_c_says_how_to_go_on(embed, fake, tmp_path, monkeypatch):
    def interrupt(self):
        if self._rows == 2:
            raise KeyboardInterrupt
        self._rows += 1

    with monkeypatch.context() as interrupted:
        interrupted.setattr(bulk_run.Progress, "advance", interrupt)
        assert embed() == (130, "interrupted; 3 rows are kept, the same command goes on\n")
    assert embed()[0] == 0
    assert np.array_equal(np.load(tmp_path / "out.npy"), np.stack(list(map(vector_of, TEXTS))))


def test_a_full_disk_is_one_line(embed, fake, tmp_path, monkeypatch):
    monkeypatch.setattr(bulk_run, "COMMIT_ROWS", 2)
    pwrite, left = os.pwrite, [7]

    def full(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(*arguments)

    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", full)
        expected = "No space left on device; 4 rows are kept, the same command goes on"
        assert embed() == (1, f"polyseme: error: cannot write {tmp_path / 'out.npy'}: {expected}\n")
    assert embed()[0] == 0
    assert np.array_equal(np.load(tmp_path / "out.npy"), np.stack(list(map(vector_of, TEXTS))))


def test_a_server_that_fails_for_good_is_one_line(embed, fake, tmp_path, monkeypatch):
    monkeypatch.setattr(bulk_run, "COMMIT_ROWS", 1)
    (tmp_path / "in.txt").write_text("".join(f"text {i}\n" for i in range(100)))

    def gone(sequence, message, context):
        if sequence == 1:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "token expired")

    fake.faults.on_message = gone
    code, err = embed()
    expected = f"{fake.target}: token expired; 64 rows are kept, the same command goes on"
    assert (code, err) == (1, f"polyseme: error: {expected}\n")
    fake.faults.on_message = None
    assert embed()[0] == 0
    assert np.array_equal(np.load(tmp_path / "out.npy"), np.stack([vector_of(f"text {i}") for i in range(100)]))


def test_a_server_that_restarts_is_ridden_out(embed, fake, tmp_path):
    (tmp_path / "in.txt").write_text("".join(f"text {i}\n" for i in range(200)))
    endings = ["end"]
    fake.faults.on_message = lambda sequence, *_: endings.pop() if sequence == 1 and endings else None
    assert embed()[0] == 0
    assert fake.faults.calls["StreamEmbed"] == 2
    assert np.array_equal(np.load(tmp_path / "out.npy"), np.stack([vector_of(f"text {i}") for i in range(200)]))
