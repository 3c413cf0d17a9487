"""What sentence-transformers makes of texts in fewer bits and in fewer dimensions; for bench/quality/quantization.py.

Usage: .venv-reference/bin/python -m bench.quality.quantization_peer MODEL TEXTS.json DIMENSIONS OUT.npz
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import sentence_transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.util.quantization import quantize_embeddings


def main() -> None:
    folder, texts_file, dimensions, out = sys.argv[1:]
    texts = json.loads(Path(texts_file).read_text(encoding="utf-8"))
    model = SentenceTransformer(folder, device="cpu", local_files_only=True)
    whole = model.encode(texts, batch_size=1)
    alone = "int8 values"
    try:
        quantize_embeddings(whole[:1], "int8")
    except ValueError as error:
        alone = f"ValueError: {str(error).splitlines()[0]}"
    np.savez(
        out,
        whole=whole,
        int8=quantize_embeddings(whole, "int8"),
        int8_of_half=quantize_embeddings(whole[: len(whole) // 2], "int8"),
        ubinary=quantize_embeddings(whole, "ubinary"),
        binary=quantize_embeddings(whole, "binary"),
        cut=model.encode(texts, batch_size=1, truncate_dim=int(dimensions)),
        cut_normalized=model.encode(texts, batch_size=1, truncate_dim=int(dimensions), normalize_embeddings=True),
        alone=np.array(alone),
        version=np.array(sentence_transformers.__version__),
    )


if __name__ == "__main__":
    main()
