"""Similarity of vectors. Pure."""

from __future__ import annotations

from enum import Enum

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]


class Metric(Enum):
    """The similarities and distances of two vectors, by the names that `ModelSpec.similarity` has."""

    COSINE = "cosine"
    DOT = "dot"
    EUCLIDEAN = "euclidean"
    MANHATTAN = "manhattan"

    @property
    def is_distance(self) -> bool:
        """True where smaller is closer."""
        return self in (Metric.EUCLIDEAN, Metric.MANHATTAN)


def matrix(a: Float32Array, b: Float32Array, metric: Metric) -> Float32Array:
    """Compare every row of a with every row of b.

    Args:
        a: [N, D].
        b: [M, D].
        metric: the similarity or distance.

    Returns:
        [N, M] float32.
    """
    if metric is Metric.EUCLIDEAN:
        # In float64: for close vectors |a|^2 + |b|^2 - 2ab cancels, and float32 would leave 1e-3 of a distance of 0.
        left, right = a.astype(np.float64), b.astype(np.float64)
        squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None, :] - 2 * left @ right.T
        distances: Float32Array = np.sqrt(np.maximum(squares, 0)).astype(np.float32)
        return distances
    if metric is Metric.MANHATTAN:  # row by row: all differences at once would be [N, M, D]
        return np.stack([np.abs(row - b).sum(axis=1, dtype=np.float32) for row in a])
    if metric is Metric.COSINE:
        a, b = unit(a), unit(b)
    products: Float32Array = a @ b.T
    return np.clip(products, -1, 1) if metric is Metric.COSINE else products


def pairwise(a: Float32Array, b: Float32Array, metric: Metric) -> Float32Array:
    """Compare row i of a with row i of b: two [N, D] give [N] float32."""
    if metric is Metric.EUCLIDEAN:
        distances: Float32Array = np.linalg.norm(a - b, axis=1).astype(np.float32)
        return distances
    if metric is Metric.MANHATTAN:
        sums: Float32Array = np.abs(a - b).sum(axis=1, dtype=np.float32)
        return sums
    if metric is Metric.COSINE:
        a, b = unit(a), unit(b)
    products: Float32Array = np.einsum("nd,nd->n", a, b)
    return np.clip(products, -1, 1) if metric is Metric.COSINE else products


def top_k(scores: Float32Array, k: int, metric: Metric) -> tuple[Float32Array, npt.NDArray[np.uint32]]:
    """Find the k closest columns of each row, the closest first; ties in the order of the columns.

    Args:
        scores: [N, M] as `matrix` gives them.
        k: 1..M.
        metric: decides whether closest is largest or smallest.

    Returns:
        scores [N, k] float32 and column indices [N, k] uint32.
    """
    order = np.argsort(scores if metric.is_distance else -scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, axis=1), order.astype(np.uint32)


def unit(vectors: Float32Array) -> Float32Array:
    """Scale rows [..., D] to length 1; a zero row stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Float32Array = (vectors / np.where(norms > 0, norms, 1)).astype(np.float32, copy=False)
    return scaled
