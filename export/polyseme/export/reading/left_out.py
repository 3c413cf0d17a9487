"""The parts of a checkpoint that its artifact lacks, named for people: heads over the encoder, and code of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_MOST_SHOWN: Final = 5


def left_out_lines(config: Mapping[str, Any], weights: Sequence[str], keys: Sequence[str] = ()) -> Iterator[str]:
    """Give a line for each kind of thing that is left out.

    Args:
        config: config.json.
        weights: names of weights that do not go into the artifact.
        keys: files and keys that are not obeyed, as they have no part in the vector of a text.
    """
    if weights:
        # By module: the first two words, without that of the weight itself.
        modules = Counter(".".join(name.split(".")[:-1][:2]) or name for name in weights)
        shown = [f"{ascii(name)[1:-1][:60]} ({count})" for name, count in sorted(modules.items())[:_MOST_SHOWN]]
        more = f" and {len(modules) - _MOST_SHOWN} more" if len(modules) > _MOST_SHOWN else ""
        yield f"left out, as no part of the encoder: weights of {', '.join(shown)}{more}"
    if keys:
        yield f"not obeyed, as no part of encode(): {ascii(', '.join(keys))[1:-1][:200]}"
    code = config.get("auto_map")
    if code:
        names = sorted({str(name) for name in code.values()}) if isinstance(code, dict) else [str(code)]
        yield f"not run: code of the model's own, config.json auto_map {ascii(', '.join(names))[1:-1][:120]}"
