"""Clients in other processes: what pickle carries, and what it leaves behind."""

import asyncio
import pickle

import grpc
import pytest

from polyseme.client import AsyncClient, Client, InvalidArgumentError

SECRET = "open-sesame"


def rotating_token():
    return "from-a-function"


def certificates():
    return grpc.ssl_channel_credentials()


def headers(server, client):
    client.embed("a")
    return server.faults.metadata[-1].get("authorization")


def test_a_copy_calls_the_same_server_with_the_same_defaults(server):
    client = Client(server.target, model="other@1", timeout=200, options=[("grpc.primary_user_agent", "mine")])
    client.embed("a")
    with pickle.loads(pickle.dumps(client)) as copy:
        copy.embed("a")
    first, second = (request.model for request in server.faults.requests)
    assert first == second
    assert server.faults.metadata[-1]["user-agent"].startswith("mine ")


def test_a_token_is_left_behind_and_read_from_the_environment(server, monkeypatch):
    monkeypatch.delenv("POLYSEME_TOKEN", raising=False)
    pickled = pickle.dumps(Client(server.target, token=SECRET))
    assert SECRET.encode() not in pickled
    with pickle.loads(pickled) as copy:
        with pytest.raises(InvalidArgumentError, match=r"pickle left the client's token behind; set POLYSEME_TOKEN"):
            copy.embed("a")
        monkeypatch.setenv("POLYSEME_TOKEN", "its-own")
        assert headers(server, copy) == "Bearer its-own"


def test_a_function_is_asked_for_the_token_in_a_copy_too(server):
    with Client(server.target, token=rotating_token) as client, pickle.loads(pickle.dumps(client)) as copy:
        assert headers(server, client) == headers(server, copy) == "Bearer from-a-function"


def test_metadata_is_carried_into_a_copy(server):
    with (
        Client(server.target, metadata=[("x-request-id", "mine")]) as client,
        pickle.loads(pickle.dumps(client)) as copy,
    ):
        copy.embed("a")
    assert server.faults.metadata[-1]["x-request-id"] == "mine"


def test_a_function_that_gives_no_token_is_an_error_without_it(server):
    client = Client(server.target, token=lambda: SECRET + "\n")
    with client, pytest.raises(InvalidArgumentError) as caught:
        client.embed("a")
    assert SECRET not in str(caught.value)


def test_credentials_may_hold_a_key_and_are_not_pickled(server):
    with pytest.raises(InvalidArgumentError, match=r"credentials cannot be pickled.*pass a function"):
        pickle.dumps(Client(server.target, credentials=certificates()))


def test_credentials_of_a_function_are_made_again(server):
    with pickle.loads(pickle.dumps(Client(server.target, credentials=certificates))) as copy:
        assert isinstance(copy._connection.credentials, grpc.ChannelCredentials)


def test_an_async_client_is_pickled_too(server):
    copy = pickle.loads(pickle.dumps(AsyncClient(server.target, token=rotating_token)))
    assert asyncio.run(copy.embed("a")).shape == (12,)
    assert server.faults.metadata[-1]["authorization"] == "Bearer from-a-function"
