import numpy as np
import pytest
from tests.cli.samples import occurrence
from tests.client.fake_server import fake_server

from polyseme.cli.errors import CliError
from polyseme.cli.senses.occurrences import check_layer, cosines_of, find_senses, pairs_of
from polyseme.client import Client, InvalidArgumentError, Word

LONG = "The boat that we had seen ran aground on the muddy bank of the river near the old mill."


def test_parts_are_the_whole_sentence():
    assert occurrence(LONG).in_context() == (LONG[:51], "bank", LONG[55:])


@pytest.mark.parametrize("around", [6, 9, 14, 25])
def test_parts_are_cut_between_words(around):
    before, word, after = occurrence(LONG).in_context(around)
    assert word == "bank"
    assert before.startswith("… ")
    assert after.endswith(" …")
    assert LONG[:51].endswith(before.removeprefix("…"))
    assert LONG[55:].startswith(after.removesuffix("…"))
    assert max(len(before), len(after)) <= around + 2


def test_a_word_that_is_too_long_is_cut_inside():
    before, _, after = occurrence("x" * 50 + "bank" + "y" * 50).in_context(10)
    assert (before, after) == ("…" + "x" * 10, "y" * 10 + "…")


def test_a_long_match_is_abridged():
    assert len(occurrence("a" * 99, word="a" * 99).in_context(10)[1]) == 40


def test_cosines():
    vectors = np.array([[[1.0, 0], [2, 0], [0, 3], [0, 0]]])
    expected = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(cosines_of(vectors)[0], expected, atol=1e-12)
    assert pairs_of(expected).tolist() == [1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("layer", ["", "x", "1.5", "--1", "٣", "99999", "sum5"])
def test_what_is_no_layer_of_any_model(layer):
    with pytest.raises(CliError) as refused:
        check_layer(layer)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("names_fields", [True, False], ids=["named apart", "older server"])
def test_a_sentence_without_the_word_is_named(names_fields):
    sentences = ["the bank"] * 40 + ["nothing"]
    with fake_server() as fake, Client(fake.target) as client:
        fake.faults.names_fields = names_fields
        with pytest.raises(CliError, match=r"^sentence 41 has no such word$"):
            find_senses(client, Word("bank"), sentences, "last")


def test_another_refusal_of_the_word_stays_the_servers():
    """Only a word that is not there is explained; the field alone does not say so."""
    with fake_server() as fake, Client(fake.target) as client:
        fake.faults.on_message = lambda *_: fake.faults.stream_error("inputs[0].words[0]", ": covers no token")
        with pytest.raises(InvalidArgumentError, match=r"texts\[0\]\.words\[0\]: covers no token$"):
            find_senses(client, Word("bank"), ["the bank", "a bank"], "last")
