"""Where a person wants to be warned: provinces, communes, circles around a point. Every place knows its provinces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select

from notifiers.tables import subscriber_places
from streams.airsheds import Airshed, Province
from streams.errors import InputError
from streams.geography.communes import commune_named
from streams.geography.outlines import Outlines, vietnamese
from streams.plain import plain_label

PlaceKind = Literal["province", "commune", "point"]

MOST_PLACES = 5
"""Home, work, school, parents, and one more. Without a limit one person could make the audience query long."""
SMALLEST_KM, LARGEST_KM = 1.0, 50.0
"""Radius of a point. Stations are kilometres apart and outlines good to some; beyond 50 km the province is meant."""
OFFSHORE_KM = 25.0
"""A point in no province belongs to the nearest within this: coasts full of islands are drawn coarsely."""
LONGEST_LABEL = 60


@dataclass(frozen=True, kw_only=True)
class Place:
    """One place of one person.

    Attributes:
        provinces: codes of the provinces it touches; the first is the one it lies in.
        commune: code, of a commune. ``lat``/``lon``: of the point, or the commune's centre, WGS 84 degrees.
        label: what the person calls it, as plain text.
    """

    kind: PlaceKind
    provinces: tuple[str, ...]
    commune: str | None = None
    lat: float | None = None
    lon: float | None = None
    radius_km: float | None = None
    label: str = ""


class Gazetteer:
    """Finds places by what people write. Knows only provinces of the airsheds it is given.

    ``outlines``: those of the provinces; Viet Nam's unless others are given.
    """

    def __init__(self, airsheds: Sequence[Airshed], outlines: Outlines | None = None) -> None:
        self._airsheds = airsheds
        self._outlines = outlines or vietnamese()

    @property
    def provinces(self) -> list[Province]:
        """Every province somebody can be warned for."""
        return [province for airshed in self._airsheds for province in airshed.provinces]

    def province(self, text: str, label: str = "") -> Place:
        """A province by code, name or former name. Raises ``InputError``."""
        return Place(kind="province", provinces=(self._code(text),), label=_label(label))

    def commune(self, text: str, province: str | None = None, label: str = "") -> Place:
        """A commune by code or name; the province decides between namesakes. Raises ``InputError``."""
        code = self._code(province) if province else None
        ours = {own.code for own in self.provinces}
        found = [commune for commune in commune_named(text, code) if commune.province in ours and _in(commune, code)]
        if len(found) != 1:
            why = f"{len(found)} communes are called" if found else "there is no commune"
            remedy = "write PROVINCE/COMMUNE, or the commune's code" if found else "check the name, or use its code"
            raise InputError(f"{why} {text.strip()[:60]!r}", field="commune", remedy=remedy)
        commune = found[0]
        return Place(
            kind="commune",
            provinces=(commune.province,),
            commune=commune.code,
            lat=commune.lat,
            lon=commune.lon,
            label=_label(label),
        )

    def point(self, lat: float, lon: float, radius_km: float, label: str = "") -> Place:
        """A circle (WGS 84 degrees, kilometres), with every province it touches. Raises ``InputError``."""
        if not (abs(lat) <= 90 and abs(lon) <= 180):  # also refuses NaN
            raise InputError("not a position", field="lat", remedy="give WGS 84 degrees, e.g. 21.0285 and 105.8542")
        if not SMALLEST_KM <= radius_km <= LARGEST_KM:
            remedy = f"give {SMALLEST_KM:g} to {LARGEST_KM:g} kilometres"
            raise InputError(f"a radius of {radius_km:g} km", field="radius_km", remedy=remedy)
        ours = {own.code for own in self.provinces}
        touched = [unit.code for unit in self._outlines.within(lat, lon, radius_km) if unit.code in ours]
        if not touched:
            touched = [unit.code for unit in self._outlines.within(lat, lon, OFFSHORE_KM) if unit.code in ours][:1]
        if not touched:
            remedy = "give a position inside, latitude first: e.g. 21.0285 and 105.8542"
            raise InputError(f"{lat:g}, {lon:g} is in none of the provinces served", field="lat", remedy=remedy)
        return Place(kind="point", provinces=tuple(touched), lat=lat, lon=lon, radius_km=radius_km, label=_label(label))

    def written(self, text: str) -> list[Place]:
        """Places as a registry file writes them, separated by semicolons: ``01``, ``Hà Nội/Phường Hồng Hà``,
        ``21.0285 105.8542 5`` (latitude, longitude, kilometres), each with a label in front if one likes:
        ``school = 21.03 105.85 3``.

        Raises:
            InputError: naming the place that is wrong.
        """
        parts = [part.strip() for part in text.split(";") if part.strip()]
        check_number(len(parts))
        return [self._written(part) for part in parts]

    def _written(self, text: str) -> Place:
        label, equals, rest = text.partition("=")
        label, text = (label.strip(), rest.strip()) if equals else ("", text)
        numbers = _numbers(text)
        if len(numbers) == 3:
            lat, lon, radius_km = numbers
            return self.point(lat, lon, radius_km, label)
        province, slash, commune = text.partition("/")
        return self.commune(commune, province, label) if slash else self.province(text, label)

    def _code(self, text: str) -> str:
        for airshed in self._airsheds:
            found = airshed.province(text.strip())
            if found is not None:
                return found.code
        known = ", ".join(f"{own.code} {next(iter(own.names.values()))}" for own in self.provinces)
        raise InputError(f"unknown province {text.strip()[:80]!r}", field="province", remedy=f"use one of: {known}")


def check_number(number: int) -> None:
    """Raises ``InputError`` when a person has no place or too many."""
    if not 1 <= number <= MOST_PLACES:
        raise InputError(f"{number} places", field="places", remedy=f"give 1 to {MOST_PLACES}")


def store_places(connection: Connection, people: Mapping[str, Sequence[Place]]) -> None:
    """Replace the places of these people (by subscriber id), in the caller's transaction."""
    drop_places(connection, people)
    rows = [
        row for person, places in people.items() for n, place in enumerate(places) for row in _rows(person, n, place)
    ]
    if rows:
        connection.execute(insert(subscriber_places), rows)


def drop_places(connection: Connection, people: Iterable[str]) -> None:
    """Forget the places of these people."""
    connection.execute(delete(subscriber_places).where(subscriber_places.c.subscriber_id.in_(list(people))))


def places_of(connection: Connection, person: str) -> list[Place]:
    """The places of one person, in their order."""
    table = subscriber_places
    found: dict[int, list[Any]] = {}
    for row in connection.execute(select(table).where(table.c.subscriber_id == person).order_by(table.c.place)):
        found.setdefault(row.place, []).append(row)
    return [
        Place(
            kind=rows[0].kind,
            provinces=tuple(row.province for row in rows),
            commune=rows[0].commune,
            lat=rows[0].lat,
            lon=rows[0].lon,
            radius_km=rows[0].radius_km,
            label=rows[0].label,
        )
        for rows in found.values()
    ]


def _rows(person: str, number: int, place: Place) -> list[dict[str, Any]]:
    return [
        {
            "subscriber_id": person,
            "place": number,
            "province": province,
            "kind": place.kind,
            "commune": place.commune,
            "lat": place.lat,
            "lon": place.lon,
            "radius_km": place.radius_km,
            "label": place.label,
        }
        for province in place.provinces
    ]


def _label(text: str) -> str:
    try:
        return plain_label(text, LONGEST_LABEL)
    except InputError as error:
        raise InputError(error.message, field="label", remedy=error.remedy) from None


def _in(commune: Any, province: str | None) -> bool:
    return province is None or commune.province == province


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        return []
