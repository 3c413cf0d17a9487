"""What other programs rely on: the names, and that type checkers see them."""

from importlib.resources import files

import polyseme.client as sdk


def test_all_names_exist():
    assert all(hasattr(sdk, name) for name in sdk.__all__)


def test_types_are_published():
    assert files("polyseme.client").joinpath("py.typed").is_file()


def test_both_clients_have_the_same_methods():
    names = [{name for name in vars(kind) if not name.startswith("_")} for kind in (sdk.Client, sdk.AsyncClient)]
    assert names[0] == names[1]
