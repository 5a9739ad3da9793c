"""How far a point is from an outline. Plain numpy: the geometry library is needed only to make outlines."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from streams.geography.borders import KM_PER_DEGREE

Ring = NDArray[np.float64]
"""(n, 2) float64: longitude and latitude in degrees, first point = last."""


def distance_km(rings: Iterable[Ring], lat: float, lon: float) -> float:
    """Kilometres from a point to what the rings enclose; 0 inside. Flat-earth: good to a percent within 200 km."""
    point = np.array([lon, lat])
    inside, nearest = False, math.inf
    for ring in rings:
        inside ^= _is_inside(ring, point)  # a hole takes back what the edge around it said
        nearest = min(nearest, _to_ring_km(ring, point))
    return 0.0 if inside else nearest


def _is_inside(ring: Ring, point: NDArray[np.float64]) -> bool:
    """Even-odd rule: how many edges a line to the east crosses."""
    x, y = ring[:, 0], ring[:, 1]
    (x1, y1), (x2, y2) = (x[:-1], y[:-1]), (x[1:], y[1:])
    crosses = (y1 > point[1]) != (y2 > point[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        at = x1 + (point[1] - y1) * (x2 - x1) / (y2 - y1)
    return bool(np.count_nonzero(crosses & (point[0] < at)) % 2)


def _to_ring_km(ring: Ring, point: NDArray[np.float64]) -> float:
    scale = np.array([math.cos(math.radians(float(point[1]))), 1.0]) * KM_PER_DEGREE
    places = (ring - point) * scale
    start, edge = places[:-1], np.diff(places, axis=0)
    length = np.maximum((edge**2).sum(axis=1), 1e-12)
    along = np.clip(-(start * edge).sum(axis=1) / length, 0.0, 1.0)
    return float(np.sqrt(((start + edge * along[:, None]) ** 2).sum(axis=1).min()))
