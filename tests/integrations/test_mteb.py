"""MTEB evaluates a model of a Polyseme server: `make test-mteb`."""

import os

import pytest
from tests.integrations.prompted import QUERY, TEXTS
from tests.server.running import running

from polyseme.client import Client, InvalidArgumentError, NotFoundError

pytest.importorskip("mteb", reason="make test-mteb brings it")
import mteb
from bench.quality.sts import FILE, pairs, spearman
from bench.quality.sts_mteb import SPLIT, StsBenchmarkDev, score
from datasets import Dataset
from mteb.types import PromptType

from polyseme.integrations.mteb import PolysemeEncoder

pytestmark = [pytest.mark.integrations, pytest.mark.library("mteb")]


class FewPairs(StsBenchmarkDev):
    """The same task over a few pairs."""

    def load_data(self, **_):
        columns = {"sentence1": ["a b", "c", "d e"], "sentence2": ["a c", "f g", "d d"], "score": [3.0, 1.0, 5.0]}
        self.dataset = {SPLIT: Dataset.from_dict(columns)}
        self.data_loaded = True


def encoded(encoder, texts, prompt_type=None, task=StsBenchmarkDev.metadata, **options):
    batches = [{"text": texts[place : place + 2]} for place in range(0, len(texts), 2)]
    return encoder.encode(
        batches, task_metadata=task, hf_split=SPLIT, hf_subset="default", prompt_type=prompt_type, **options
    )


@pytest.fixture(scope="module")
def encoder(prompted_server):
    return PolysemeEncoder(prompted_server.target)


@pytest.fixture(scope="module")
def by_default(prompted_server):
    """Vectors with the model's default prompt."""
    with Client(prompted_server.target) as client:
        return client.embed(TEXTS).tolist()


def test_queries_and_documents_have_their_prompts(encoder, query, documents):
    assert encoded(encoder, [QUERY], PromptType.query).tolist() == [query]
    assert encoded(encoder, TEXTS, PromptType.document).tolist() == documents
    assert encoded(encoder, [], PromptType.document).shape == (0, 32)


def test_other_texts_have_the_default_prompt(encoder, by_default):
    assert encoded(encoder, TEXTS).tolist() == by_default


def test_a_task_has_the_prompt_of_its_name(encoder, documents):
    task = StsBenchmarkDev.metadata.model_copy(update={"name": "passage"})
    assert encoded(encoder, TEXTS, PromptType.query, task).tolist() == documents


def test_prompts_of_the_caller_and_none(prompted_server, documents):
    chosen = PolysemeEncoder(prompted_server.target, options={"prompt_name": "passage"})
    assert encoded(chosen, TEXTS, PromptType.query).tolist() == documents
    without = PolysemeEncoder(prompted_server.target, options={"without_prompt": True})
    with Client(prompted_server.target) as client:
        assert encoded(without, TEXTS, PromptType.query).tolist() == client.embed(TEXTS, without_prompt=True).tolist()


def test_long_texts_are_cut_unless_the_caller_refuses_them(prompted_server, encoder):
    assert encoded(encoder, ["a " * 1000]).shape == (1, 32)
    with pytest.raises(InvalidArgumentError, match="limit 128"):
        encoded(PolysemeEncoder(prompted_server.target, options={"truncate": "none"}), ["a " * 1000])


def test_errors_say_what_is_wrong(prompted_server, encoder):
    with pytest.raises(NotFoundError, match="nonsense"):
        PolysemeEncoder(prompted_server.target, model="nonsense")
    with pytest.raises(ValueError, match="precision is 'int8'"):
        encoded(encoder, TEXTS, precision="int8")


def test_results_are_kept_by_model_and_options(prompted_server, encoder, tmp_path):
    """MTEB takes a result from its cache where it has one: not one of other options."""
    cache = mteb.ResultCache(cache_path=tmp_path)
    short = PolysemeEncoder(prompted_server.target, options={"dimensions": 2})

    def scored(one, **how):
        (result,) = mteb.evaluate(one, [FewPairs()], cache=cache, **how).task_results
        return result.scores[SPLIT][0]["cosine_pearson"]

    first, other = scored(encoder), scored(short)
    assert first != pytest.approx(other, abs=1e-3)
    assert [scored(one, overwrite_strategy="only-cache") for one in (encoder, short)] == pytest.approx(
        [first, other], abs=1e-5
    )  # a file has fewer digits
    with Client(prompted_server.target) as client:
        identity = client.model().identity
    (kept, *_) = sorted(path.parent for path in tmp_path.rglob("StsBenchmarkDev.json"))
    assert (kept.parent.name, kept.name) == (f"polyseme__{identity.name}", identity.version)


@pytest.mark.skipif("POLYSEME_EVAL_DATA" not in os.environ, reason=f"needs {FILE} in the folder POLYSEME_EVAL_DATA")
def test_the_score_is_that_of_the_sdk(minilm_artifact):
    with running(minilm_artifact) as server, Client(server.target) as client:
        assert score(PolysemeEncoder(server.target)) == pytest.approx(
            spearman(client, pairs()), abs=1e-5
        )  # MTEB rounds
