"""The component in spaCy's own pipelines, before a real server. `make test-spacy`."""

import numpy as np
import pytest
from tests.integrations.documented import example

from polyseme.client import Client, InvalidArgumentError

spacy = pytest.importorskip("spacy", reason="make test-spacy brings it")
pytestmark = [pytest.mark.integrations, pytest.mark.library("spacy")]

TEXTS = ["We sat on the bank of the river.", "I deposited the check at the bank.", "", "  \n", "A cat."]
LONG = "bank " * 300


class CountingClient(Client):
    """Has the number of texts of each call for tokens."""

    def __init__(self, target):
        super().__init__(target)
        self.counts = []

    def embed_tokens(self, texts, **options):
        self.counts.append(len(texts))
        return super().embed_tokens(texts, **options)


def test_a_pipeline_finds_the_component_by_its_name(pipeline):
    nlp = pipeline()
    assert nlp.pipe_names == ["polyseme"]
    assert nlp.analyze_pipes()["summary"]["polyseme"]["assigns"] == ["doc.tensor", "token.vector"]


@pytest.mark.parametrize(("batch_size", "counts"), [(2, [2, 2, 1]), (1000, [5])])
def test_a_batch_is_one_call(pipeline, server, batch_size, counts):
    nlp = pipeline()
    alone = [nlp(text) for text in TEXTS]
    with CountingClient(server.target) as nlp.get_pipe("polyseme").client:
        docs = list(nlp.pipe(TEXTS, batch_size=batch_size))
        assert nlp.get_pipe("polyseme").client.counts == counts
    for doc, other in zip(docs, alone, strict=True):
        assert doc.text == other.text
        assert doc.tensor.shape == (len(doc), 384)
        assert doc.tensor == pytest.approx(other.tensor, abs=1e-5)


@pytest.mark.parametrize(
    ("layers", "combine"), [(-2, "sum"), ("static", "sum"), ([-4, -3, -2, -1], "sum"), ([0, -1], "concat")]
)
def test_layers_as_embed_words_has_them(pipeline, client, layers, combine):
    doc = pipeline(layers=layers, combine=combine)(TEXTS[0])
    spans = [(token.idx, token.idx + len(token)) for token in doc]
    expected = client.embed_words(TEXTS[0], spans=spans, layers=layers, combine=combine).vectors
    assert np.stack([token.vector for token in doc]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("wrong", [{"combine": "none"}, {"layer": -1}, {"layers": "last"}])
def test_spacy_refuses_a_config_that_is_wrong(pipeline, wrong):
    with pytest.raises(ValueError, match=f"polyseme -> {next(iter(wrong))}"):
        pipeline(**wrong)


def test_a_text_that_is_too_long_is_refused_or_cut(pipeline):
    with pytest.raises(InvalidArgumentError, match="limit 256"):
        pipeline()(LONG)
    doc = pipeline(truncate="end")(LONG)
    assert (doc[0].has_vector, doc[299].has_vector) == (True, False)
    assert not doc[299].vector.any()


def test_a_batch_that_fails_goes_to_the_pipelines_error_handler(pipeline):
    nlp, told = pipeline(), []
    nlp.set_error_handler(lambda name, component, docs, error: told.append((name, len(docs), type(error))))
    docs = list(nlp.pipe([LONG, "A cat.", "A dog.", "An ox."], batch_size=2))
    assert [doc.text for doc in docs] == ["A dog.", "An ox."]
    assert told == [("polyseme", 2, InvalidArgumentError)]


def test_a_pipeline_comes_back_from_disk(pipeline, tmp_path):
    nlp = pipeline(layers=[-2, -1])
    nlp.to_disk(tmp_path)
    assert (spacy.load(tmp_path)(TEXTS[0]).tensor == nlp(TEXTS[0]).tensor).all()


def test_another_client_takes_the_place_of_the_configs(pipeline, server):
    nlp = pipeline(target="nobody.invalid:1")
    with Client(server.target) as nlp.get_pipe("polyseme").client:
        assert nlp("A cat.")[1].has_vector


@pytest.mark.filterwarnings("ignore:.*W109.*:UserWarning")
def test_processes_of_a_pipeline(pipeline):
    """Vectors of tokens come back, and with hooks those of spans."""
    from polyseme.integrations.spacy import add_hooks

    nlp = pipeline()
    alone, apart = list(nlp.pipe(TEXTS[:2])), list(nlp.pipe(TEXTS[:2], n_process=2, batch_size=1))
    for one, other in zip(alone, apart, strict=True):
        assert other[4].vector == pytest.approx(one[4].vector, abs=1e-5)
        assert add_hooks(other)[1:5].vector == pytest.approx(one[1:5].vector, abs=1e-5)


def test_the_example_of_the_page(server, capsys):
    code, expected = example("import spacy")
    exec(code.replace("localhost:50051", server.target), {})
    assert capsys.readouterr().out == expected
