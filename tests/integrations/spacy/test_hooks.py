"""Vectors of spaCy's tokens, spans and documents, beside the server's of the same characters. `make test-spacy`."""

import pickle

import numpy as np
import pytest
from tests.integrations.spacy.asking import at

from polyseme.client import InvalidArgumentError

pytest.importorskip("spacy", reason="make test-spacy brings it")
pytestmark = [pytest.mark.integrations, pytest.mark.library("spacy")]

RIVER, MONEY = "We sat on the bank of the river.", "I deposited the check at the bank."
ODD = "Don't  pay \u2028 $10k, naïve 😀 \u200b bank\x07!"


@pytest.mark.parametrize("text", [RIVER, "I cannot, gonna or won't.", "unbelievably 银行 naïve 😀!", " a  b\n"])
def test_tokens_have_the_vectors_of_their_characters(pipeline, client, text):
    doc = pipeline()(text)
    tokens = [token for token in doc if not token.is_space]
    expected = at(text, client, *((token.idx, token.idx + len(token)) for token in tokens))
    assert np.stack([token.vector for token in tokens]) == pytest.approx(expected, abs=1e-5)
    assert all(token.has_vector for token in tokens)


def test_spans_and_documents_have_the_vectors_of_their_characters(pipeline, client):
    """Weighed by the model's tokens, not by spaCy's; one that two share counts once."""
    text = "They cannot reach the riverbank unbelievably soon."
    doc = pipeline()(text)
    assert [doc[1].text, doc[2].text] == ["can", "not"]
    for span in (doc[0:3], doc[4:8], doc[1:2]):
        assert span.vector == pytest.approx(at(text, client, (span.start_char, span.end_char))[0], abs=1e-5)
    assert doc.vector == pytest.approx(at(text, client, (0, len(text)))[0], abs=1e-5)


def test_a_word_has_another_vector_in_another_context(pipeline):
    river, money = pipeline().pipe([RIVER, MONEY])
    assert (river[4].text, money[6].text) == ("bank", "bank")
    similarity = river[4].similarity(money[6])
    assert similarity < 0.9, "without hooks, spaCy says 1 of two tokens that are spelled alike"
    assert similarity == pytest.approx(money[6:7].similarity(river[4]), abs=1e-6)
    assert river.similarity(river) == pytest.approx(1, abs=1e-6)


def test_what_the_model_has_no_token_for_is_zero(pipeline, client):
    doc = pipeline()(ODD)
    without = [token for token in doc if not token.has_vector]
    assert [token.text for token in without] == [" ", "\u2028 ", "\u200b"]
    for token in without:
        assert not token.vector.any()
        assert token.similarity(doc) == 0
        with pytest.raises(InvalidArgumentError, match="covers no token"):
            at(ODD, client, (token.idx, token.idx + len(token)))


@pytest.mark.parametrize("text", ["", " \n "])
def test_a_document_without_words(pipeline, text):
    doc = pipeline()(text)
    assert not doc.has_vector
    assert doc.vector.shape == (384,)
    assert not doc.vector.any()
    assert doc.similarity(doc) == 0


def test_merged_tokens_have_the_vector_of_their_span(pipeline):
    doc = pipeline()(RIVER)
    expected = doc[3:8].vector
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[3:8])
    assert (doc[3].text, list(doc[3].vector)) == ("the bank of the river", list(expected))


def test_a_pickled_document_keeps_its_vectors(pipeline):
    doc = pipeline()(RIVER)
    copy = pickle.loads(pickle.dumps(doc))
    assert (copy[2:6].vector == doc[2:6].vector).all()
    assert copy[4].similarity(doc[4]) == pytest.approx(1, abs=1e-6)


@pytest.mark.filterwarnings("ignore:.*W109.*:UserWarning")
def test_bytes_keep_vectors_and_hooks_read_them_again(pipeline):
    from spacy.tokens import Doc

    from polyseme.integrations.spacy import add_hooks

    nlp = pipeline()
    doc = nlp(RIVER)
    copy = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert (copy[4].vector == doc[4].vector).all()
    assert (add_hooks(copy)[2:6].vector == doc[2:6].vector).all()


def test_a_docbin_keeps_what_hooks_read(pipeline):
    from spacy.tokens import DocBin

    from polyseme.integrations.spacy import add_hooks

    nlp = pipeline()
    doc = nlp(RIVER)
    stored = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (copy,) = DocBin().from_bytes(stored).get_docs(nlp.vocab)
    assert (add_hooks(copy)[2:6].vector == doc[2:6].vector).all()
