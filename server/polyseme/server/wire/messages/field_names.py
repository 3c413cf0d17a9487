"""The names of fields in errors: the core speaks of `texts[0]`, a caller of another contract of `inputs`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from polyseme.server.errors import FieldPath, InvalidInputError


@contextmanager
def fields_named(names: Mapping[FieldPath, FieldPath]) -> Iterator[None]:
    """Have errors name the fields of the caller's contract.

    Args:
        names: the caller's path for one of the core; what follows it stays.

    Raises:
        InvalidInputError: the error of the block, with the caller's path.
    """
    try:
        yield
    except InvalidInputError as error:
        for own, named in names.items():
            if error.path[: len(own)] == own:
                raise InvalidInputError(error.problem, named + error.path[len(own) :]) from error
        raise
