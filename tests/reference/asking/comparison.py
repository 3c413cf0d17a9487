"""Whether two programs say the same of a checkpoint."""

import numpy as np


def differences(theirs, ours, tolerance):
    """What differs, in lines; none where all is equal.

    Args:
        theirs: of the foreign programs.
        ours: of polyseme.
        tolerance: of a vector's elements, relative to its largest.
    """
    found = []
    for name in ("limit", "dimensions", "similarity", "prompts", "default_prompt"):
        want, got = getattr(theirs, name), getattr(ours, name)
        if want != got:
            found.append(f"{name}: {got!r}, theirs {want!r}")
    for name in ("ids", "offsets"):
        want, got = getattr(theirs, name), getattr(ours, name)
        if want is not None:
            for number, (one, other) in enumerate(zip(want, got, strict=True)):
                if one is not None and one != other:
                    found.append(f"{name} of text {number}: {other}, theirs {one}")
    if theirs.cut != ours.cut:
        found.append(f"cut: {len(ours.cut)} tokens, theirs {len(theirs.cut)}")
    if theirs.digests != ours.digests:
        wrong = sum(one != other for one, other in zip(theirs.digests, ours.digests, strict=True))
        found.append(f"digests: {wrong} of {len(theirs.digests)} differ")
    found += _vectors("vector", theirs.vectors, ours.vectors, tolerance)
    for name, vectors in theirs.prompted.items():
        found += _vectors(f"prompt {name}, vector", vectors, ours.prompted[name], tolerance)
    if theirs.states is not None:
        found += _vectors("layer", theirs.states, ours.states, tolerance)
    return found


def _vectors(name, theirs, ours, tolerance):
    for number, (want, got) in enumerate(zip(theirs, ours, strict=True)):
        if want is None:
            continue
        if got is None or want.shape != got.shape:
            yield f"{name} {number}: {'none' if got is None else got.shape}, theirs {want.shape}"
            continue
        distance = float(np.abs(want - got).max())
        if not distance <= tolerance * max(1.0, float(np.abs(want).max())):
            yield f"{name} {number}: differs by {distance:.2g}"
