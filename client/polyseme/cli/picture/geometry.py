"""Where things go: points from cosines, labels that do not overlap. Pure: numpy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def plane(cosines: FloatArray) -> FloatArray:
    """Points whose distances are those of unit vectors, as well as a plane can show them.

    Args:
        cosines: [K, K].

    Returns:
        [K, 2], centred; classical multidimensional scaling (Torgerson 1952). The largest coordinate is 1, unless all
        vectors are the same. Signs are fixed, so that the same vectors always give the same picture.
    """
    count = len(cosines)
    centring = np.eye(count) - 1 / count
    values, vectors = np.linalg.eigh(centring @ cosines @ centring)
    order = np.argsort(values)[::-1][:2]
    points = np.zeros((count, 2))
    points[:, : len(order)] = vectors[:, order] * np.sqrt(np.maximum(values[order], 0))
    points *= np.where(points[np.abs(points).argmax(axis=0), range(2)] < 0, -1, 1)
    largest = np.abs(points).max()
    return points / largest if largest > 1e-6 else points * 0


def spread_labels(points: FloatArray, distance: float, *, rounds: int = 400) -> FloatArray:
    """Places for labels near their points and not near each other.

    Args:
        points: [K, 2].
        distance: least distance between two labels, and of a label from any point.
        rounds: of pushing.

    Returns:
        [K, 2].
    """
    count = len(points)
    away = points - points.mean(axis=0)
    length = np.linalg.norm(away, axis=1, keepdims=True)
    turn = 2 * np.pi * np.arange(count) / max(count, 1)
    around = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    labels: FloatArray = points + distance * np.where(length > 1e-6, away / np.maximum(length, 1e-6), around)
    labels = labels + 1e-3 * around  # labels of equal points must have a way to go
    for _ in range(rounds):
        push = _pushes(labels, labels, distance) + _pushes(labels, points, distance)
        if not np.abs(push).max(initial=0) > 1e-6:
            break
        labels = labels + 0.5 * push
    return labels


def _pushes(labels: FloatArray, others: FloatArray, distance: float) -> FloatArray:
    """Away from all that is too near."""
    apart = labels[:, None] - others[None]
    gap = np.linalg.norm(apart, axis=2)
    lack = np.where((gap < distance) & (gap > 0), distance - gap, 0)
    pushes: FloatArray = (apart / np.maximum(gap, 1e-9)[..., None] * lack[..., None]).sum(axis=1)
    return pushes
