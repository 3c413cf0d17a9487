"""One case to its outcome: equal, refused, or what is wrong."""

from dataclasses import dataclass

from tests.reference.asking import ours
from tests.reference.asking.comparison import differences
from tests.reference.cases.registry import EQUAL, REFUSED
from tests.reference.making.folders import Folder


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of one case.

    Attributes:
        kind: `equal`, `refused`, or `wrong`.
        detail: what export said, or what differs.
    """

    kind: str
    detail: str = ""


def outcome(case, goldens, folder):
    """Export it, ask it, and compare."""
    golden = goldens[case.name]
    try:
        artifact = ours.export(case, folder)
    except ours.RefusedError as error:
        fits(folder, golden)
        message = str(error)
        is_refusal = case.expected != EQUAL and message.isprintable()  # one line
        return Outcome(kind=REFUSED if is_refusal else "wrong", detail=message)
    fits(folder, golden)
    if case.expected == REFUSED:
        return Outcome(kind="wrong", detail="exported; it is to be refused")
    if "answers" not in golden and case.like:
        golden = goldens[case.like]
    if "answers" not in golden:
        return Outcome(kind="wrong", detail=f"exported; theirs: {golden['error']}")
    theirs = golden["answers"]
    answers = ours.ask(case, artifact, offsets=theirs.offsets is not None, states=theirs.states is not None)
    found = differences(theirs, answers, case.tolerance)
    return Outcome(kind="wrong", detail="; ".join(found)) if found else Outcome(kind=EQUAL)


def fits(folder, golden):
    """The golden is of this very checkpoint."""
    made = Folder(folder / "checkpoint").sha256()
    assert made == golden["sha256"], "the checkpoint has changed since the goldens were made: make reference"
