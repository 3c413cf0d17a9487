import pytest

from polyseme.cli.arguments.variables import unread_variables


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("POLYSEME_MAX_BATCH_TOKEN", "POLYSEME_MAX_BATCH_TOKEN is not read; POLYSEME_MAX_BATCH_TOKENS is"),
        ("POLYSEME_TARGTE", "POLYSEME_TARGTE is not read; POLYSEME_TARGET is"),
        ("polyseme_port", "polyseme_port is not read; POLYSEME_PORT is"),
        ("POLYSEME_LOGLEVEL", "POLYSEME_LOGLEVEL is not read; POLYSEME_LOG_LEVEL is"),
        ("POLYSEME_WORKERS", "POLYSEME_WORKERS is not read"),
    ],
)
def test_what_nothing_reads_is_named(name, expected):
    assert unread_variables(["PATH", name, "POLYSEME_PORT"], alike_only=False) == expected
    assert unread_variables([name], alike_only=True) == (expected if "; " in expected else "")


def test_what_is_read_or_set_by_others_is_not_named():
    names = [
        *("POLYSEME_TARGET", "POLYSEME_TOKEN", "POLYSEME_TLS_CA", "POLYSEME_CONFIG"),
        *("POLYSEME_SERVICE_HOST", "POLYSEME_PORT_50051_TCP", "POLYSEME_SERVICE_PORT_GRPC", "HOME"),
    ]
    assert unread_variables(names, alike_only=False) == ""


def test_all_are_in_one_line():
    line = unread_variables(["POLYSEME_TARGTE", "POLYSEME_A"], alike_only=False)
    assert line == "POLYSEME_A is not read; POLYSEME_TARGTE is not read; POLYSEME_TARGET is"
