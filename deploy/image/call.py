"""Call a server as any program would: call.py TARGET METRICS_URL. Exit code 0 only where the answers make sense."""

from __future__ import annotations

import sys
import urllib.request

import numpy as np

from polyseme.client import Client


def main(target: str, metrics: str) -> None:
    """Vectors of texts, a word in two contexts, and the metrics that counted them."""
    texts = ["How do I reset my password?", "I forgot my login, I need a new one."]
    money, water = "I deposited the check at the bank.", "We sat on the bank of the river."
    with Client(target) as client:
        vectors = client.embed(texts, normalize=True)
        bank = client.word_similarity((money, "bank"), (water, "bank"))
    if len(vectors) != len(texts) or not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5):
        sys.exit(f"not {len(texts)} unit vectors: {vectors}")
    cosine = float(vectors[0] @ vectors[1])
    print(f"SDK from outside: {vectors.dtype} {list(vectors.shape)}, cosine {cosine:.2f}; bank and bank {bank:.2f}")
    with urllib.request.urlopen(metrics, timeout=10) as reply:  # noqa: S310  the address is the caller's own
        lines = reply.read().decode().splitlines()
    counted = [line for line in lines if line.startswith("polyseme_calls_total")]
    if not counted:
        sys.exit("the metrics count no calls")
    print("metrics from outside:", "; ".join(counted))


main(sys.argv[1], sys.argv[2])
