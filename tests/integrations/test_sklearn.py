"""The transformer in scikit-learn's own tools, before a real server."""

import pickle
from functools import partial

import numpy as np
import pytest
from tests.integrations.documented import example
from tests.server.running import running

from polyseme.client import Client, InvalidArgumentError

base = pytest.importorskip("sklearn.base", reason="polyseme[sklearn] brings it")
from joblib.externals.loky import get_reusable_executor  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_predict  # noqa: E402
from sklearn.pipeline import make_pipeline, make_union  # noqa: E402

from polyseme.integrations.sklearn import TextEmbedder  # noqa: E402

pytestmark = pytest.mark.library("scikit-learn")

TEXTS = [f"{word} {number}" for number in range(6) for word in ("bank", "shore")]
LABELS = [0, 1] * 6


@pytest.fixture(scope="module")
def server(tiny_artifact):
    with running(tiny_artifact, runners=1) as it:
        yield it


@pytest.fixture
def embedder(server):
    return TextEmbedder(server.target)


@pytest.fixture(scope="module")
def vectors(server):
    with Client(server.target) as client:
        return client.embed(TEXTS)


def test_transform_gives_the_vectors_of_embed(embedder, vectors):
    assert (embedder.transform(TEXTS) == vectors).all()
    assert (embedder.fit_transform(np.array(TEXTS, object)) == vectors).all()
    assert embedder.transform([]).shape == (0, 32)


def test_parameters_are_scikit_learns(embedder, server):
    assert embedder.get_params()["target"] == server.target
    copy = base.clone(embedder.set_params(dimensions=8, normalize=True))
    assert copy.get_params() == embedder.get_params()
    assert copy.transform(TEXTS).shape == (12, 8)
    assert np.linalg.norm(copy.transform(TEXTS), axis=1) == pytest.approx(1, abs=1e-5)
    assert repr(TextEmbedder(dimensions=8)) == "TextEmbedder(dimensions=8)"


def test_a_pipeline_learns_and_travels(embedder, vectors):
    pipeline = make_pipeline(embedder, LogisticRegression(C=100)).fit(TEXTS, LABELS)
    expected = LogisticRegression(C=100).fit(vectors, LABELS).predict(vectors)
    assert (pickle.loads(pickle.dumps(pipeline)).predict(TEXTS) == expected).all()


def test_processes_share_the_work(embedder, vectors):
    """joblib pickles the pipeline into processes of its own."""
    pipeline = make_pipeline(embedder, LogisticRegression(C=100))
    try:
        found = cross_val_predict(pipeline, TEXTS, LABELS, cv=2, n_jobs=2)
    finally:
        get_reusable_executor().shutdown(wait=True)
    assert (found == cross_val_predict(LogisticRegression(C=100), vectors, LABELS, cv=2)).all()


def test_a_search_over_its_parameters(embedder):
    search = GridSearchCV(make_pipeline(embedder, LogisticRegression()), {"textembedder__dimensions": [4, 32]}, cv=2)
    assert search.fit(TEXTS, LABELS).best_params_["textembedder__dimensions"] in (4, 32)


def test_names_of_features(embedder):
    names = make_union(embedder, base.clone(embedder)).get_feature_names_out
    assert list(embedder.get_feature_names_out()) == [f"textembedder{index}" for index in range(32)]
    assert list(embedder.set_params(dimensions=2).get_feature_names_out()) == ["textembedder0", "textembedder1"]
    assert names()[-1] == "textembedder-2__textembedder31"


def test_a_function_makes_the_client(server, vectors):
    embedder = TextEmbedder(partial(Client, server.target, timeout=300))
    assert (pickle.loads(pickle.dumps(base.clone(embedder))).transform(TEXTS) == vectors).all()


def test_errors_name_what_is_wrong(embedder):
    with pytest.raises(InvalidArgumentError, match=r"texts\[1\] must be str") as refused:
        embedder.transform(["bank", 3])
    assert isinstance(refused.value, ValueError)
    with pytest.raises(InvalidArgumentError, match="limit 128"):
        embedder.transform(["bank " * 200])
    assert embedder.set_params(truncate="end").transform(["bank " * 200]).shape == (1, 32)


def test_the_example_of_the_page(minilm_artifact, capsys):
    code, expected = example("integrations.sklearn")
    with running(minilm_artifact, runners=1) as server:
        exec(code.replace("localhost:50051", server.target), {})
    assert capsys.readouterr().out == expected
