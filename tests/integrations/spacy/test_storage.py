"""What a document carries, also where spaCy makes another document of it. `make test-spacy`."""

import numpy as np
import pytest
from tests.conftest import write_tiny_checkpoint
from tests.integrations.spacy.asking import at
from tests.server.running import running
from tokenizers import Tokenizer, models, pre_tokenizers

from polyseme.client import Client
from polyseme.export import ExportOptions, export_model

pytest.importorskip("spacy", reason="make test-spacy brings it")
pytestmark = [pytest.mark.integrations, pytest.mark.library("spacy")]

TEXT = "We sat on  the bank of the river."


@pytest.mark.parametrize("copy_user_data", [False, True])
def test_a_span_as_a_document_has_the_vectors_of_its_tokens(pipeline, copy_user_data):
    doc = pipeline()(TEXT)
    part = doc[3:6].as_doc(copy_user_data=copy_user_data)
    assert [token.text for token in part] == [" ", "the", "bank"]
    for token, original in zip(part, doc[3:6], strict=True):
        assert (token.vector == original.vector).all()
        assert token.has_vector == original.has_vector
    for found in (part, part[1:], part[:]):
        assert found.vector == pytest.approx((doc[4].vector + doc[5].vector) / 2, abs=1e-6)


@pytest.mark.filterwarnings("ignore:.*W101.*'polyseme' while merging docs:UserWarning")
def test_documents_joined_have_the_vectors_of_their_tokens(pipeline):
    from spacy.tokens import Doc

    first, second = pipeline().pipe([TEXT, "A bank."])
    joined = Doc.from_docs([first, second])
    assert [token.text for token in joined][-3:] == ["A", "bank", "."]
    assert (joined[5].vector == first[5].vector).all()
    assert (joined[len(joined) - 2].vector == second[1].vector).all()


def test_what_was_never_embedded_has_no_vector(pipeline):
    import spacy

    from polyseme.integrations.spacy import add_hooks

    doc = add_hooks(spacy.blank("en")(TEXT))
    assert not doc.has_vector
    assert doc.similarity(doc) == 0


@pytest.fixture(scope="module")
def metaspace(tmp_path_factory):
    """A server of a tiny model, whose tokenizer puts a space before the first word, as XLM-R's does."""
    folder = tmp_path_factory.mktemp("metaspace")
    checkpoint = write_tiny_checkpoint(folder / "checkpoint")
    pieces = [("<unk>", 0.0), ("\u2581", -2.0), *((letter, -3.0) for letter in "Zo!我爱")]
    tokenizer = Tokenizer(models.Unigram(pieces, 0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.save(str(checkpoint / "tokenizer.json"))
    export_model(str(checkpoint), folder / "artifact", ExportOptions(name="metaspace"))
    with running(folder / "artifact", runners=1) as it:
        yield it


@pytest.mark.parametrize("text", ["Zoo Zoo!", "我爱 我", "\u2581 Zoo"])
def test_a_space_that_the_tokenizer_put_before_a_word_is_none_of_it(pipeline, metaspace, text):
    doc = pipeline(target=metaspace.target)(text)
    with Client(metaspace.target) as client:
        expected = at(text, client, *((token.idx, token.idx + len(token)) for token in doc))
    assert np.stack([token.vector for token in doc]) == pytest.approx(expected, abs=1e-5)
