"""What other programs rely on: the names, and that type checkers see them."""

import os
import subprocess
import sys
from importlib.resources import files

import pytest

import polyseme.client as sdk


def test_all_names_exist():
    assert all(hasattr(sdk, name) for name in sdk.__all__)


def test_types_are_published():
    assert files("polyseme.client").joinpath("py.typed").is_file()


def test_both_clients_have_the_same_methods():
    names = [{name for name in vars(kind) if not name.startswith("_")} for kind in (sdk.Client, sdk.AsyncClient)]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    "call", ["embed", "embed_stream", "embed_tokens", "embed_words", "similarity", "tokenize", "embed_detailed"]
)
def test_an_option_that_a_call_does_not_take_is_a_type_error(call):
    with sdk.Client("localhost:1") as client, pytest.raises(TypeError, match="keyword argument 'layer'; valid: model"):
        getattr(client, call)(["a"], layer=3)


@pytest.mark.parametrize("kind", [sdk.Client, sdk.AsyncClient])
def test_a_client_is_one_class(kind):
    assert kind.__mro__ == (kind, object)


def test_what_few_clients_need_is_imported_on_demand():
    few = ["ipaddress", "urllib.parse", "polyseme.client._local.server"]
    program = f"""if True:
        import sys, google.protobuf, grpc, numpy
        theirs = set(sys.modules)  # of which older ones import some
        import polyseme.client
        print([name for name in {few} if name in sys.modules.keys() - theirs])
    """
    path = os.pathsep.join(path for path in sys.path if path)
    result = subprocess.run(
        [sys.executable, "-S", "-c", program], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert (result.stdout, result.stderr) == ("[]\n", "")
