import pickle

import grpc
import pytest

from polyseme.client import errors

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PolysemeError)]


@pytest.mark.parametrize("kind", ALL)
def test_errors_carry_code_and_target_through_pickle(kind):
    error = kind("what, got, limit", code=grpc.StatusCode.INTERNAL, target="host:1")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.code, again.target) == (kind, "what, got, limit", error.code, "host:1")


@pytest.mark.parametrize("kind", ALL)
def test_errors_are_drawn_in_the_tree(kind):
    assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.InvalidArgumentError, ValueError),
        (errors.DeadlineExceededError, TimeoutError),
        (errors.MissingDependencyError, ImportError),
    ],
)
def test_errors_are_also_what_python_calls_them(kind, builtin):
    assert issubclass(kind, builtin)
