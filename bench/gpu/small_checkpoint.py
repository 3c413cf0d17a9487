"""A checkpoint small enough to be carried: weights in fp16, and of the vocabulary what the benches' texts need.

Usage: python -m bench.gpu.small_checkpoint SOURCE -o ARCHIVE.tar.xz

Every text of bench/data/ has the same tokens, renumbered, and so the same vectors but for the rounding of the weights.
For BERT with a WordPiece vocabulary, whose longest match does not change when words that do not match are left out.
"""

from __future__ import annotations

import argparse
import json
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from bench.lib.texts import public_domain_words
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

_KEPT: Final = 2200  # the first of a vocabulary: special tokens, whose ids are written in many places, and characters
_WORDS: Final = "embeddings.word_embeddings.weight"


def shrink(source: Path, target: Path) -> int:
    """Write the smaller checkpoint; gives how many tokens it has."""
    tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary: dict[str, int] = tokenizer["model"]["vocab"]
    whole = Tokenizer.from_str(json.dumps(tokenizer))
    whole.no_truncation()
    used = set(whole.encode(" ".join(public_domain_words())).ids)
    kept = [number for number in sorted(vocabulary.values()) if number < _KEPT or number in used]
    renumbered = {old: new for new, old in enumerate(kept)}
    tokenizer["model"]["vocab"] = {word: renumbered[old] for word, old in vocabulary.items() if old in renumbered}
    config = json.loads((source / "config.json").read_text(encoding="utf-8")) | {"vocab_size": len(kept)}
    weights: dict[str, Any] = load_file(source / "model.safetensors")
    (words,) = (name for name in weights if name.endswith(_WORDS))
    weights[words] = weights[words][kept]
    halves = {
        name: values.astype(np.float16) if values.dtype.kind == "f" else values for name, values in weights.items()
    }
    target.mkdir()
    save_file(halves, target / "model.safetensors", metadata={"format": "pt"})
    (target / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (target / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    for path in sorted(source.rglob("*.json")):
        copy = target / path.relative_to(source)
        if not copy.exists():
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(path.read_bytes())
    return len(kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "checkpoint"
        tokens = shrink(args.source, target)
        with tarfile.open(args.output, "w:xz") as archive:
            archive.add(target, ".")
    print(f"{args.output}: {tokens} tokens, {args.output.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
