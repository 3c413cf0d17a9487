import pytest

from polyseme.server.errors import ConfigError, UnauthenticatedError
from polyseme.server.security.tokens import Tokens


def tokens(tmp_path, content):
    (tmp_path / "tokens").write_bytes(content)
    return Tokens(str(tmp_path / "tokens"))


def test_without_a_file_no_token_is_needed():
    assert not Tokens("").needed
    Tokens("").check(None)


@pytest.mark.parametrize("given", ["alpha", "beta"])
def test_a_call_carries_any_one_of_them(tmp_path, given):
    it = tokens(tmp_path, b"# of the search team\nalpha\r\n\n  beta  \n")
    assert it.needed
    it.check([("other", "x"), ("authorization", f"Bearer {given}")])


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (None, "needed, as Bearer TOKEN"),
        ([], "needed"),
        ([("authorization", "alpha")], "needed"),
        ([("authorization", b"Bearer alpha")], "needed"),
        ([("authorization", "Bearer alph")], "not one of this server's"),
        ([("authorization", "Bearer # of the search team")], "not one of"),
    ],
)
def test_a_call_without_one_is_refused_and_the_token_not_told(tmp_path, metadata, words):
    with pytest.raises(UnauthenticatedError, match=words) as error:
        tokens(tmp_path, b"# of the search team\nalpha").check(metadata)
    assert "alph" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"# none\n", "holds no token"), (b"a b", "not printable"), (b"caf\xc3\xa9", "not printable")],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path, content, words):
    with pytest.raises(ConfigError, match=words):
        tokens(tmp_path, content)
