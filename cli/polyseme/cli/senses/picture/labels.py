"""Place the labels of the map: near their points, not on each other, inside the frame. Pure: numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from polyseme.cli.senses.picture.geometry import FloatArray

BoolArray: TypeAlias = npt.NDArray[np.bool_]

_DISTANCES: Final = (0.12, 0.17, 0.24, 0.34, 0.46, 0.6, 0.8, 1.1, 1.5, 2.0, 2.7, 3.6)  # inches from point to label
_ANGLES: Final = 24
_ROUNDS: Final = 6
_TRIES: Final = 12  # orders, of as many labels at most
_GRID: Final = 0.2  # inches
_AT_ONCE: Final = 48  # places
_NEVER: Final = 1e3
_MARGIN: Final = np.array([0.1, 0.03])  # inches kept free beside a label, and above and below it
_POINT: Final = 0.1  # inches, the radius of a point and what is kept free around it
_BESIDE: Final = 0.03  # inches kept free between a label and the line of another
_CROSSING: Final = 2.5  # inches of distance that a label accepts to avoid a line that crosses another
_LEVEL: Final = 0.2  # inches of distance that a label accepts to avoid an inch above or below its point


def place(points: FloatArray, sizes: FloatArray, frame: tuple[float, float]) -> FloatArray:
    """Find a place for each label.

    Args:
        points: [K, 2], inches from the lower left corner of the frame.
        sizes: [K, 2], width and height of each label, inches.
        frame: width and height, inches.

    Returns:
        [K, 2], the centre of each label. Labels overlap only where the frame has no free place left.
    """
    count = len(points)
    candidates = [_candidates(at, points, sizes, frame) for at in range(count)]
    tried = [_placed(order, candidates, points, sizes) for order in _orders(points)]
    return min(tried, key=lambda placed: placed[1])[0]


def _orders(points: FloatArray) -> list[list[int]]:
    """Give orders in which to place labels: the crowded ones first; for few labels, random orders too."""
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
    crowd = (1 / (gaps + 0.2)).sum(axis=1)
    first = sorted(range(len(points)), key=lambda at: (-round(float(crowd[at]), 6), at))
    chance = np.random.default_rng(0)  # the same each time
    more = _TRIES if len(points) <= _TRIES else 0
    return [first, *([int(at) for at in chance.permutation(len(points))] for _ in range(more))]


def _placed(
    order: Sequence[int], candidates: Sequence[tuple[FloatArray, FloatArray]], points: FloatArray, sizes: FloatArray
) -> tuple[FloatArray, float]:
    """Place labels in an order, then move each among all others until none moves: centres [K, 2], and their cost."""
    centres, cost = np.zeros((len(points), 2)), np.zeros(len(points))
    done: set[int] = set()
    for _ in range(_ROUNDS):
        before = centres.copy()
        for label in order:
            others = sorted(done - {label})
            centres[label], cost[label] = _best(label, *candidates[label], points, sizes, centres, others)
            done.add(label)
        if (centres == before).all():
            break
    return centres, round(float(cost.sum()), 6)


def edge(point: FloatArray, centre: FloatArray, size: FloatArray) -> FloatArray:
    """Find the position on a label that is next to its point: [2]; for many labels [K, 2]."""
    nearest: FloatArray = np.clip(point, centre - size / 2, centre + size / 2)
    return nearest


def _candidates(
    label: int, points: FloatArray, sizes: FloatArray, frame: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """List places on rings around the point and on a grid over the frame: [C, 2], and cost [C], cheapest first."""
    angles = 2 * np.pi * np.arange(_ANGLES) / _ANGLES
    way = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    rings = [points[label] + way * (sizes[label] / 2 + distance) for distance in _DISTANCES]
    grid = np.meshgrid(*(np.arange(_GRID, side, _GRID) for side in frame))
    places = np.concatenate([*rings, np.stack(grid, axis=-1).reshape(-1, 2)])
    cost = _cost(label, places, points, sizes, frame)
    order = np.argsort(cost.round(6), kind="stable")
    return places[order], cost[order]


def _best(
    label: int,
    places: FloatArray,
    cost: FloatArray,
    points: FloatArray,
    sizes: FloatArray,
    centres: FloatArray,
    others: Sequence[int],
) -> tuple[FloatArray, float]:
    """Find the cheapest place [2] and its cost.

    Other labels only add to a cost: a place that costs more than the best even without them is not tried.
    """
    best, least = 0, float("inf")
    for first in range(0, len(places), _AT_ONCE):
        if cost[first] >= least:
            break
        some = slice(first, first + _AT_ONCE)
        total = cost[some] + _cost_of_labels(label, places[some], points, sizes, centres, others)
        if total.min() < least:
            best, least = first + int(total.argmin()), float(total.min())
    return places[best], least


def _cost(
    label: int, places: FloatArray, points: FloatArray, sizes: FloatArray, frame: tuple[float, float]
) -> FloatArray:
    """Compute the cost of places [C]: distance from the point, and conflicts with the frame and the points."""
    half = sizes[label] / 2
    near = edge(points[label], places, sizes[label])
    cost = np.maximum(np.linalg.norm(near - points[label], axis=1), _DISTANCES[0])
    cost += _LEVEL * np.abs(places[:, 1] - points[label, 1])
    outside = np.maximum(half + _MARGIN - places, places + half + _MARGIN - np.array(frame)).max(axis=1)
    cost += 10 * _NEVER * (np.maximum(outside, 0) + (outside > 1e-9))
    radius = np.array([_POINT, _POINT])
    covered = _overlap(places, half, points, radius)
    apart = np.linalg.norm(points - points[label], axis=1) > _POINT  # equal points are one
    crossed = _crosses(points[label], near, points[apart], radius)
    total: FloatArray = cost + _NEVER * covered.sum(axis=1) + _CROSSING * crossed.sum(axis=1)
    return total


def _cost_of_labels(
    label: int,
    places: FloatArray,
    points: FloatArray,
    sizes: FloatArray,
    centres: FloatArray,
    others: Sequence[int],
) -> FloatArray:
    """Compute the cost of conflicts with labels that have their place: [C]."""
    boxes, halves = centres[others], sizes[others] / 2
    half = sizes[label] / 2
    overlaps = _overlap(places, half + _MARGIN, boxes, halves)
    crossed = _crosses(points[label], edge(points[label], places, sizes[label]), boxes, halves + _BESIDE)
    lines = edge(points[others], boxes, sizes[others])
    through = _crosses(points[others], lines, places, half + _BESIDE)
    total: FloatArray = _NEVER * overlaps.sum(axis=1) + _CROSSING * (crossed.sum(axis=1) + through.sum(axis=0))
    return total


def _overlap(places: FloatArray, half: FloatArray, boxes: FloatArray, halves: FloatArray) -> BoolArray:
    """Say whether boxes of one size overlap others: [C, B]."""
    apart = np.abs(places[:, None] - boxes[None])
    overlap: BoolArray = np.all(apart < half + halves, axis=2)
    return overlap


def _crosses(starts: FloatArray, ends: FloatArray, boxes: FloatArray, halves: FloatArray) -> BoolArray:
    """Say whether lines go through boxes: [E, B]; starts are [E, 2] or [2], halves [B, 2] or [2]. By slabs."""
    way = ends - starts
    way = np.where(np.abs(way) < 1e-9, 1e-9, way)[:, None]
    apart = boxes[None] - np.broadcast_to(starts, ends.shape)[:, None]
    first, second = (apart - halves) / way, (apart + halves) / way
    lower, upper = np.minimum(first, second), np.maximum(first, second)
    enter, leave = np.maximum(lower[..., 0], lower[..., 1]), np.minimum(upper[..., 0], upper[..., 1])
    crosses: BoolArray = np.logical_and.reduce([enter < leave, leave > 0, enter < 1])
    return crosses
