"""Vectors of texts by sentence-transformers, without its normalization; for bench/quality/fitting.py.

Usage: .venv-reference/bin/python bench/quality/fitting_peer.py MODEL TEXTS.json OUT.npz
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import sentence_transformers
from sentence_transformers import SentenceTransformer


def main() -> None:
    folder, texts_file, out = sys.argv[1:]
    texts = json.loads(Path(texts_file).read_text(encoding="utf-8"))
    whole = SentenceTransformer(folder, device="cpu", local_files_only=True)
    pooled = SentenceTransformer(modules=list(whole)[:2], device="cpu")  # the transformer and the pooling
    np.savez(out, vectors=pooled.encode(texts), version=np.array(sentence_transformers.__version__))


if __name__ == "__main__":
    main()
