"""Which units of any region touch: from the outlines in a GeoJSON of its own.

Two units have a common border where their outlines run within ``tolerance_km`` of each other for ``least_km``;
published outlines are simplified one by one, so neighbours seldom share their points. Written with numpy and scipy,
which are there in any case: the geometry library is needed only to make outlines.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.errors import InputError
from streams.geography.units import Outline, Unit

STEP_KM = 0.5
"""Outlines are looked at every half kilometre."""

KM_PER_DEGREE = 111.2

Points = NDArray[np.float64]

_ASK = "give a Polygon or MultiPolygon whose rings have four positions or more, the last the same as the first"


class _Feature(msgspec.Struct):
    properties: dict[str, Any]
    geometry: dict[str, Any]


class _Collection(msgspec.Struct):
    features: list[_Feature]


def read_region(path: Path, *, tolerance_km: float = 1.0, least_km: float = 3.0) -> list[Unit]:
    """The units of a GeoJSON, by code, with their borders.

    Units that name their neighbours keep them as they are; see ``read_units``.

    Raises:
        InputError: naming file, feature, field and remedy.
    """
    units = read_units(path)
    given = [unit.neighbours for unit in units]
    found = common_borders([unit.outline for unit in units], tolerance_km=tolerance_km, least_km=least_km)
    named = [sorted(units[number].code for number in numbers) for numbers in found]
    whole = zip(units, given, named, strict=True)
    return sorted(
        (msgspec.structs.replace(unit, neighbours=own or seen) for unit, own, seen in whole), key=lambda unit: unit.code
    )


def read_units(path: Path) -> list[Unit]:
    """The units of a GeoJSON in its order, with the neighbours that the file itself names.

    Properties: ``name``, and if there are any ``code`` (default: the name), ``population``, ``neighbours`` (a list of
    codes). Geometries: Polygon or MultiPolygon, WGS 84 degrees.

    Raises:
        InputError: naming file, feature, field and remedy.
    """
    try:
        features = msgspec.json.decode(path.read_bytes(), type=_Collection).features
    except (OSError, msgspec.MsgspecError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot be read: {why}", place=str(path), remedy="give a GeoJSON FeatureCollection") from None
    if not features:
        raise InputError("has no features", place=str(path), remedy="give one feature for every province")
    return [_unit(feature, f"{path}: feature {number}") for number, feature in enumerate(features, start=1)]


def common_borders(outlines: list[Outline], *, tolerance_km: float, least_km: float) -> list[list[int]]:
    """For each outline the positions of those that it has a common border with. Symmetric."""
    from scipy.spatial import cKDTree  # half a second, and only who makes borders has a use for it

    middle = math.radians(float(np.mean([point[1] for outline in outlines for point in outline[0][0]])))
    points = [_points(outline, math.cos(middle)) for outline in outlines]
    trees = [cKDTree(own) for own in points]
    found: list[list[int]] = [[] for _ in outlines]
    for one in range(len(outlines)):
        for other in range(one):
            if _common_km(points[one], trees[other], tolerance_km) >= least_km:
                found[one].append(other)
                found[other].append(one)
    return found


def _points(outline: Outline, squeeze: float) -> Points:
    """Points along all rings, kilometres east and north."""
    pieces = []
    for ring in (ring for polygon in outline for ring in polygon):
        corners = np.array(ring, np.float64)[:, :2] * KM_PER_DEGREE * (squeeze, 1.0)
        for start, end in pairwise(corners):
            number = max(1, math.ceil(float(np.hypot(*(end - start))) / STEP_KM))
            pieces.append(start + (end - start) * (np.arange(number) / number)[:, None])
    return np.concatenate(pieces)


def _common_km(points: Points, tree: Any, tolerance_km: float) -> float:
    near = points[((points >= tree.mins - tolerance_km) & (points <= tree.maxes + tolerance_km)).all(axis=1)]
    if not len(near):
        return 0.0
    distance, _ = tree.query(near, distance_upper_bound=tolerance_km)
    return float(np.isfinite(distance).sum()) * STEP_KM


def _unit(feature: _Feature, place: str) -> Unit:
    properties, shape = feature.properties, feature.geometry
    name = properties.get("name")
    if not isinstance(name, str) or not name:
        raise InputError("has no name", place=place, field="properties.name", remedy="give every feature a name")
    if shape.get("type") not in ("Polygon", "MultiPolygon"):
        raise InputError(
            f"is a {shape.get('type')}", place=place, field="geometry", remedy="give a Polygon or MultiPolygon"
        )
    try:
        return Unit(
            code=str(properties.get("code") or name),
            name=name,
            population=int(properties.get("population") or 0),
            neighbours=sorted(map(str, properties.get("neighbours") or ())),
            former=[],
            outline=_outline(shape, place),
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"cannot be used: {error}", place=place, remedy="look at its numbers") from None


def _outline(shape: dict[str, Any], place: str) -> Outline:
    given = shape.get("coordinates")
    try:
        polygons = msgspec.convert([given] if shape["type"] == "Polygon" else given, list[list[list[list[float]]]])
        outline = [[[(point[0], point[1]) for point in ring] for ring in polygon] for polygon in polygons]
    except (msgspec.ValidationError, IndexError):
        message = f"are no list of rings of positions, as a {shape['type']} has"
        raise InputError(message, place=place, field="geometry.coordinates", remedy=_ASK) from None
    rings = [ring for polygon in outline for ring in polygon]
    if not rings or not all(outline):
        raise InputError("have no ring", place=place, field="geometry.coordinates", remedy=_ASK)
    for ring in rings:
        if len(ring) < 4 or ring[0] != ring[-1]:
            message = f"hold a ring of {len(ring)} positions that is not closed"
            raise InputError(message, place=place, field="geometry.coordinates", remedy=_ASK)
        for lon, lat in ring:
            if not (abs(lon) <= 180 and abs(lat) <= 90):  # also refuses NaN
                remedy = "give WGS 84 degrees, longitude first (EPSG:4326; metres are those of a map projection)"
                message = f"hold {lon:g}, {lat:g}, which is no longitude and latitude"
                raise InputError(message, place=place, field="geometry.coordinates", remedy=remedy)
    return outline
