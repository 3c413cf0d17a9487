import os
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from polyseme.client import Client, ClosedClientError, InvalidArgumentError, NotFoundError, UnauthenticatedError


def test_client_sends_its_model_unless_a_call_names_one(server):
    with Client(server.target, model="tiny") as client:
        client.embed("a")
        client.embed("a", model="other")
    assert [request.model.name for request in server.faults.requests] == ["tiny", "other"]


def test_client_sends_its_token(server):
    with Client(server.target, token="s3cret") as client:
        client.embed("a")
    assert server.faults.metadata[0]["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize("token", ["", "line\nbreak", "é", 3])
def test_client_refuses_a_token_without_repeating_it(token):
    with pytest.raises(InvalidArgumentError) as caught:
        Client(token=token)
    assert str(caught.value) == "token must be printable ASCII"


def test_client_raises_unauthenticated(client, server):
    server.faults.failures = [(grpc.StatusCode.UNAUTHENTICATED, "no token")]
    with pytest.raises(UnauthenticatedError):
        client.models()


@pytest.mark.parametrize(
    "arguments", [{"target": ""}, {"target": "http://a:1"}, {"timeout": 0}, {"timeout": None}, {"model": 3}]
)
def test_client_refuses(arguments):
    with pytest.raises(InvalidArgumentError):
        Client(**arguments)


def test_client_refuses_calls_after_close(server):
    client = Client(server.target)
    client.close()
    client.close()
    with pytest.raises(ClosedClientError, match=f"the client of {server.target} is closed"):
        client.embed("a")
    for call in (client.health, client.models, lambda: next(client.embed_stream(["a"]))):
        with pytest.raises(ClosedClientError):
            call()


def test_close_ends_calls_under_way(server):
    arrived, ended = threading.Event(), threading.Event()

    def wait(request, context):
        context.add_callback(ended.set)
        arrived.set()
        assert ended.wait(300)

    server.faults.before_embed = wait
    client = Client(server.target)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.embed, "a")
        assert arrived.wait(300)
        client.close()
        with pytest.raises(ClosedClientError):
            call.result(300)


def test_client_imports_nothing_but_its_dependencies():
    heavy = ["rich", "onnxruntime", "tokenizers", "onnx", "torch", "grpc_status", "google.rpc"]
    program = f"import sys, polyseme.client; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_what_a_local_server_needs_is_not_imported_without_one():
    """It would add a twentieth to the import."""
    program = (
        "import sys, numpy, grpc.aio, google.protobuf.message; before = set(sys.modules); import polyseme.client; "
        "print([name for name in set(sys.modules) - before if '._local' in name or 'importlib.metadata' in name])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_the_traceback_of_a_refusal_is_short(client):
    """It was 64 lines, most of them gRPC's."""
    with pytest.raises(NotFoundError) as caught:
        client.model("none")
    lines = "".join(traceback.format_exception(caught.value))
    assert "grpc/_channel.py" not in lines
    assert "The above exception" not in lines


def test_grpc_writes_no_lines_of_its_own():
    program = """
from polyseme.client import Client, UnavailableError
import grpc
server = grpc.server(None)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
try:
    Client(f"127.0.0.1:{port}", credentials=grpc.ssl_channel_credentials()).health()
except UnavailableError:
    server.stop(0).wait()
"""
    environment = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_token_function_may_give_none(server):
    tokens = [None, "s3cret"]
    with Client(server.target, token=lambda: tokens.pop(0)) as client:
        client.embed("a")
        client.embed("a")
    assert [metadata.get("authorization") for metadata in server.faults.metadata] == [None, "Bearer s3cret"]


def test_client_sends_its_metadata_with_each_call(server):
    ids = ["one", "two"]
    for metadata in ((("x-request-id", "one"),), lambda: (("x-request-id", ids.pop(0)),)):
        with Client(server.target, metadata=metadata, token="s3cret") as client:
            client.embed("a")
            client.embed("a")
    assert [call["x-request-id"] for call in server.faults.metadata] == ["one", "one", "one", "two"]
    assert all(call["authorization"] == "Bearer s3cret" for call in server.faults.metadata)


@pytest.mark.parametrize("name", ["Upper", "", "authorization", "grpc-timeout", "a-bin", "a b", "é", 3])
def test_client_refuses_names_of_metadata_that_no_call_can_carry(name):
    with pytest.raises(InvalidArgumentError, match=r"metadata\[1\] has a name that no call can carry") as caught:
        Client(metadata=[("x-request-id", ""), (name, "value")])
    assert caught.value.field == "metadata[1]"


@pytest.mark.parametrize("value", ["line\nbreak", "é", 3, None])
def test_client_refuses_values_of_metadata_without_repeating_them(server, value):
    with pytest.raises(InvalidArgumentError) as caught:
        Client(metadata=[("a", value)])
    assert str(caught.value) == "metadata[0]: the value must be printable ASCII"
    with Client(server.target, metadata=lambda: [("a", value)]) as client, pytest.raises(InvalidArgumentError):
        client.embed("a")
