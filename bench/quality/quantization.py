"""Where our int8, binary and dimensions differ from sentence-transformers' quantize_embeddings and truncate_dim.

Usage: python -m bench.quality.quantization ARTIFACT MODEL [-o FILE]; MODEL is the folder that ARTIFACT was made of.
Needs `make reference`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from bench.lib.machine import heading
from bench.lib.server import server
from numpy.typing import NDArray

from polyseme.client import Client
from polyseme.export.gates.samples import SENTENCES

ROOT = Path(__file__).parents[2]
PEER = (ROOT / ".venv-reference/bin/python", ROOT / "bench/quality/quantization_peer.py")
DIMENSIONS = 128
Vectors = NDArray[Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("model")
    parser.add_argument("-o", type=Path, dest="out")
    arguments = parser.parse_args()
    with server(arguments.artifact) as target, Client(target) as client:
        ours: dict[str, Vectors] = {
            "whole": client.embed(SENTENCES),
            "int8": client.embed(SENTENCES, dtype="int8"),
            "int8_alone": np.stack([client.embed(text, dtype="int8") for text in SENTENCES]),
            "binary": client.embed(SENTENCES, dtype="binary"),
            "cut": client.embed(SENTENCES, dimensions=DIMENSIONS),
            "cut_raw": client.embed(SENTENCES, dimensions=DIMENSIONS, normalize=False),
        }
        name = str(client.model().name)
    theirs = peer(arguments.model)
    report = "\n".join(
        [
            "# int8, binary and dimensions beside sentence-transformers'",
            "",
            "```",
            heading(),
            f"beside:  sentence-transformers {theirs['version']}",
            f"model:   {name}",
            f"data:    {len(SENTENCES)} sentences, each encoded alone",
            "",
            *lines(ours, theirs),
            "```",
            "",
        ]
    )
    print(report)
    if arguments.out:
        arguments.out.write_text(report, encoding="utf-8")


def peer(model: str) -> dict[str, Vectors]:
    """The arrays of quantization_peer.py."""
    with tempfile.TemporaryDirectory() as folder:
        texts, out = Path(folder, "texts.json"), Path(folder, "out.npz")
        texts.write_text(json.dumps(SENTENCES), encoding="utf-8")
        subprocess.run([*map(str, PEER), model, str(texts), str(DIMENSIONS), str(out)], check=True)
        with np.load(out) as arrays:
            return dict(arrays)


def lines(ours: dict[str, Vectors], theirs: dict[str, Vectors]) -> Iterator[str]:
    """The report."""
    exact = cosines(theirs["whole"])
    yield f"float32: largest difference of an element    {distance(ours['whole'], theirs['whole']):.1e}"
    yield ""
    yield "int8: largest error of a cosine of two texts, against float32"
    yield f"  ours, decoded by its row's scale           {distance(cosines(ours['int8']), exact):.4f}"
    as_they_are = cosines(theirs["int8"].astype(np.float64))
    yield f"  theirs, as they are; ranges of these texts {distance(as_they_are, exact):.4f}"
    yield "int8: do a text's values depend on the texts beside it?"
    yield f"  ours, alone and in a list                  differ by {distance(ours['int8'], ours['int8_alone']):.1e}"
    half = len(theirs["int8_of_half"])
    moved = np.abs(theirs["int8"][:half].astype(int) - theirs["int8_of_half"].astype(int)).max()
    yield f"  theirs, among {len(theirs['int8'])} and among {half} texts        differ by up to {moved} of 255 steps"
    yield f"  theirs, one text alone                     {str(theirs['alone']).partition('.')[0]}"
    yield "binary"
    yield f"  ours equals their ubinary                  {np.array_equal(ours['binary'], theirs['ubinary'])}"
    shifted = theirs["binary"].astype(int) + 128
    yield f"  ours equals their binary + 128             {np.array_equal(ours['binary'], shifted)}"
    yield f"dimensions={DIMENSIONS} and truncate_dim={DIMENSIONS}: lengths of the vectors"
    for name, vectors in (
        ("ours", ours["cut"]),
        ("ours, normalize=False", ours["cut_raw"]),
        ("theirs", theirs["cut"]),
        ("theirs, normalize_embeddings=True", theirs["cut_normalized"]),
    ):
        lengths = np.linalg.norm(vectors, axis=1)
        yield f"  {name:<42} {lengths.min():.3f} to {lengths.max():.3f}"
    yield f"  ours - theirs with normalize_embeddings    {distance(ours['cut'], theirs['cut_normalized']):.1e}"
    direction = theirs["cut"] / np.linalg.norm(theirs["cut"], axis=1, keepdims=True)
    yield f"  ours - theirs scaled to length 1           {distance(ours['cut'], direction):.1e}"


def cosines(vectors: Vectors) -> Vectors:
    """Of each with each."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    product: Vectors = unit @ unit.T
    return product


def distance(one: Vectors, other: Vectors) -> float:
    """The largest difference of an element."""
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max())


if __name__ == "__main__":
    main()
