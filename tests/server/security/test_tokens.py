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


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def admits(tokens, token):
    try:
        tokens.check([("authorization", f"Bearer {token}")])
    except UnauthenticatedError:
        return False
    return True


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("# ours\nfirst\nsecond\n")
    return path


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize("left", ["", "\n", "# first\n"])
def test_an_emptied_file_revokes(file, clock, caplog, left):
    tokens = Tokens(str(file), clock)
    assert admits(tokens, "first")
    file.write_text(left)
    clock.now += 1
    assert [admits(tokens, token) for token in ("first", "second", "")] == [False] * 3
    assert "holds no token any more: no call is let in" in caplog.text
    file.write_text("third\n")
    clock.now += 1
    assert [admits(tokens, token) for token in ("first", "third")] == [False, True]


@pytest.mark.parametrize("spoil", [lambda file: file.unlink(), lambda file: file.write_text("two words\n")])
def test_a_file_that_cannot_be_used_leaves_the_tokens_as_they_were(file, clock, spoil):
    tokens = Tokens(str(file), clock)
    spoil(file)
    clock.now += 1
    assert admits(tokens, "first")


@pytest.mark.parametrize("content", ["", "# none\n"])
def test_no_token_at_start_is_refused(file, clock, caplog, content):
    file.write_text(content)
    with pytest.raises(ConfigError, match="holds no token, one a line"):
        Tokens(str(file), clock)
    assert caplog.text == ""
