"""Place the points of the map by their cosines. Pure: numpy alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]

# Below it two unit vectors are the same but for rounding: 3e-3 apart is a cosine of 0.9999955.
_SAME: Final = 3e-3
_BARS: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Points in a plane.

    Attributes:
        points: [K, 2], centred, in units of the distance between unit vectors: sqrt(2 - 2 cosine).
        share: share of the sum of squared distances that the plane shows, 0 .. 1.
    """

    points: FloatArray
    share: float


def plane(cosines: FloatArray) -> Plane:
    """Find points in a plane whose distances are those of unit vectors, as nearly as a plane allows.

    Args:
        cosines: [K, K].

    Returns:
        Classical multidimensional scaling (Torgerson 1952), which keeps the plane of most variance. Signs are fixed, so
        that the same vectors always give the same picture. Vectors that differ by rounding alone are one point.
    """
    count = len(cosines)
    centring = np.eye(count) - 1 / count
    values, vectors = np.linalg.eigh(centring @ cosines @ centring)
    values = np.maximum(values, 0)
    order = np.argsort(values)[::-1][:2]
    points = np.zeros((count, 2))
    points[:, : len(order)] = vectors[:, order] * np.sqrt(values[order])
    points *= np.where(points[np.abs(points).argmax(axis=0), range(2)] < 0, -1, 1)
    if np.abs(points).max() < _SAME:
        return Plane(points=points * 0, share=1.0)
    return Plane(points=points, share=float(values[order].sum() / values.sum()))


def fit(points: FloatArray, frame: tuple[float, float], margin: tuple[float, float]) -> tuple[FloatArray, float]:
    """Scale points to a frame, as large as it allows, and centre them.

    Args:
        points: [K, 2].
        frame: width and height, inches.
        margin: inches to keep free at left and right, and at top and bottom.

    Returns:
        [K, 2], inches from the lower left corner; and inches per unit, 0 where all points are one.
    """
    extent = np.ptp(points, axis=0)
    room = np.array(frame) - 2 * np.array(margin)
    scale = min((float(r / e) for r, e in zip(room, extent, strict=True) if e > 0), default=0.0)
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    return (points - middle) * scale + np.array(frame) / 2, scale


def scale_bar(scale: float, longest: float) -> tuple[float, float] | None:
    """Choose the bar that explains a distance on the map.

    Args:
        scale: inches per unit.
        longest: limit of its length in inches.

    Returns:
        A cosine, and the distance in inches of unit vectors with it; None: no bar is short enough.
    """
    for cosine in _BARS:
        if 0 < (length := scale * math.sqrt(2 - 2 * cosine)) <= longest:
            return cosine, length
    return None
