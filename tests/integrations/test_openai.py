"""The gateway, called by clients that we did not write: `openai`, and LangChain's class for it. `make test-openai`."""

import asyncio
import threading
from importlib.metadata import version

import numpy as np
import pytest
from tests.gateway.running import gateway_to, until
from tests.server.running import running

from polyseme.client import Client

openai = pytest.importorskip("openai", reason="make test-openai brings it")
langchain_openai = pytest.importorskip("langchain_openai", reason="make test-openai brings it")
pytestmark = [pytest.mark.openai, pytest.mark.library("openai")]

TEXTS = ["We sat on the bank of the river.", "I deposited the check at the bank.", "A cat."]
MODEL = "all-MiniLM-L6-v2"


@pytest.fixture(scope="module")
def server(minilm_artifact):
    print({name: version(name) for name in ("openai", "langchain-openai")})
    with running(minilm_artifact, runners=1) as it:
        yield it


@pytest.fixture(scope="module")
def gateway(server):
    with gateway_to(server.target) as it:
        yield it


@pytest.fixture(scope="module")
def expected(server):
    with Client(server.target) as client:
        return client.embed_detailed(TEXTS)


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0, timeout=300) as it:
        yield it


def test_embeddings_as_the_package_asks_for_them(client, expected):
    """In base64, which it decodes itself."""
    answered = client.embeddings.create(input=TEXTS, model=MODEL)
    assert np.array([row.embedding for row in answered.data], np.float32).tobytes() == expected.embeddings.tobytes()
    assert [row.index for row in answered.data] == [0, 1, 2]
    assert answered.usage.total_tokens == answered.usage.prompt_tokens == sum(text.tokens for text in expected.texts)
    assert answered.model == MODEL


def test_floats_dimensions_users_and_one_string(client, expected, server):
    answered = client.embeddings.create(
        input=TEXTS[0], model=MODEL, encoding_format="float", user="somebody", dimensions=16
    )
    with Client(server.target) as grpc_client:
        cut = grpc_client.embed(TEXTS[0], dimensions=16)
    assert np.array(answered.data[0].embedding, np.float32).tobytes() == cut.tobytes()


def test_what_is_not_openais_goes_into_the_extra_body(client):
    answered = client.embeddings.create(
        input="bank " * 5000, model=MODEL, extra_body={"truncate": "end", "prompt_name": "query"}
    )
    assert answered.usage.total_tokens == 256


def test_models(client):
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).owned_by == "polyseme"


def test_async_client(gateway, expected):
    async def embed():
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none", timeout=300) as client:
            return await asyncio.gather(*(client.embeddings.create(input=text, model=MODEL) for text in TEXTS))

    answered = asyncio.run(embed())
    for one, vector in zip(answered, expected.embeddings, strict=True):
        assert np.array(one.data[0].embedding) == pytest.approx(vector, abs=1e-5)


def test_errors_are_those_that_the_package_knows(client):
    with pytest.raises(openai.NotFoundError) as unknown:
        client.embeddings.create(input="a", model="text-embedding-3-small")
    assert (unknown.value.code, unknown.value.status_code) == ("model_not_found", 404)
    with pytest.raises(openai.BadRequestError) as tokens:
        client.embeddings.create(input=[[1, 2, 3]], model=MODEL)
    assert "token ids are not taken" in tokens.value.message
    with pytest.raises(openai.BadRequestError) as long:
        client.embeddings.create(input=["a", "bank " * 5000], model=MODEL)
    assert long.value.param == "input[1]"
    assert long.value.request_id


def test_a_key_that_the_server_does_not_know(minilm_artifact, tmp_path):
    (tmp_path / "tokens").write_text("right\n")
    with running(minilm_artifact, token_file=str(tmp_path / "tokens")) as server, gateway_to(server.target) as gateway:
        for key in ("right", "wrong"):
            with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as client:
                if key == "right":
                    assert client.embeddings.create(input="a", model=MODEL).data
                else:
                    with pytest.raises(openai.AuthenticationError):
                        client.embeddings.create(input="a", model=MODEL)


def test_a_full_gateway_is_tried_again_when_it_says(server):
    """The package waits as `retry-after-ms` says, and its call then succeeds."""
    with (
        gateway_to(server.target, max_requests=1) as gateway,
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=1000, timeout=300) as client,
        server.faults.held() as held,
    ):
        first = threading.Thread(target=gateway.embed)
        first.start()
        held.wait_for_a_batch()
        with pytest.raises(openai.RateLimitError):
            client.with_options(max_retries=0).embeddings.create(input="a", model=MODEL)
        threading.Timer(0.5, held.gate.set).start()
        assert client.embeddings.create(input="a", model=MODEL).data
        first.join(300)


def test_a_timeout_of_the_package_cancels_the_call(server, gateway, client):
    ended = lambda: server.metric("polyseme_calls_total", method="Embed", code="CANCELLED", model=MODEL)  # noqa: E731
    before = ended()
    with server.faults.held():
        timing_out = client.with_options(timeout=1.0).embeddings
        with pytest.raises(openai.APITimeoutError):
            timing_out.create(input="a", model=MODEL)
        until(lambda: ended() > before)


@pytest.mark.library("langchain-openai")
def test_langchain(gateway, expected):
    embeddings = langchain_openai.OpenAIEmbeddings(
        base_url=f"{gateway.url}/v1", api_key="none", model=MODEL, check_embedding_ctx_length=False
    )
    assert np.array(embeddings.embed_documents(TEXTS)) == pytest.approx(expected.embeddings, abs=1e-5)
    assert np.array(embeddings.embed_query(TEXTS[0])) == pytest.approx(expected.embeddings[0], abs=1e-5)

    async def embed():
        async with embeddings.async_client._client:  # LangChain itself never closes it
            return await embeddings.aembed_documents(TEXTS)

    assert np.array(asyncio.run(embed())) == pytest.approx(expected.embeddings, abs=1e-5)


@pytest.mark.library("langchain-openai")
def test_langchain_that_sends_token_ids_is_told_what_to_set(gateway):
    """It asks for its tokenizer's files first, which this test spares it."""
    embeddings = langchain_openai.OpenAIEmbeddings(
        base_url=f"{gateway.url}/v1", api_key="none", model=MODEL, check_embedding_ctx_length=False
    )
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
        embeddings.client.create(input=[[15339, 1917]], model=MODEL)
