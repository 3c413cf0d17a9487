"""The cases: each makes one odd checkpoint, and says whether export is to take it or to refuse it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

CASES = {}
EQUAL, REFUSED, EITHER = "equal", "refused", "either"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One checkpoint.

    Attributes:
        name: of the case; its first part is the concept, which names the file of its golden.
        what: is odd about it, in one line.
        make: writes it into a folder.
        expected: `equal` to the foreign programs, `refused`, or `either` where to refuse it does nobody harm.
        prompts: names of prompts that are asked for; "" asks for none.
        many: how many texts are tokenized.
        tolerance: of vectors, relative to the largest element.
        like: the case whose answers count where the foreign programs have none of their own.
    """

    name: str
    what: str
    make: Callable[[Path], object]
    expected: str = EQUAL
    prompts: tuple[str, ...] = field(default=())
    many: int = 100
    tolerance: float = 1e-4  # float32 on both sides, sums in another order
    like: str = ""

    @property
    def concept(self):
        return self.name.partition("/")[0]


def case(name, *arguments, expected=EQUAL, prompts=(), many=100, what="", tolerance=1e-4, like="", **options):
    """Register what makes a checkpoint; its docstring says what is odd about it."""

    def register(make):
        assert name not in CASES, name
        CASES[name] = Case(
            name=name,
            what=what or make.__doc__,
            make=partial(_made, make, arguments, options),
            expected=expected,
            prompts=prompts,
            many=many,
            tolerance=tolerance,
            like=like,
        )
        return make

    return register


def _made(make, arguments, options, path):
    return make(path, *arguments, **options)
