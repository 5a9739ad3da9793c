"""An airshed: provinces that breathe one body of air, their borders with each other, and the levels of alarm."""

from __future__ import annotations

from typing import Literal

import msgspec

from streams.geography import unit_named

Quantity = Literal["index", "index_24h", "pm25_1h", "pm25_24h", "pm10_1h", "pm10_24h"]
"""What a level can be defined on: the hourly or the 24-hour index of the airshed's standard, or a mean of fine or
coarse particles over the hour or over the latest 24 hours, µg/m³. Of a province it is the median of its stations."""


class Province(msgspec.Struct, frozen=True, kw_only=True):
    """A province of an airshed.

    Attributes:
        code: official code (for Viet Nam those in force since 1 July 2025).
        names: by language, e.g. ``{"vi": "Hà Nội", "en": "Hanoi"}``.
        neighbours: codes of provinces of the same airshed that share a land border.
        population: residents, 0 if not known.
        aliases: other spellings under which registries may name it (old codes, former provinces).
        decides: its air can put it on a level. Where a plan covers a region but is judged on one city's air, only
            that city decides, and the others are told.
    """

    code: str
    names: dict[str, str]
    neighbours: list[str]
    population: int = 0
    aliases: list[str] = []
    decides: bool = True


class Criterion(msgspec.Struct, frozen=True, kw_only=True):
    """A further condition of a level.

    Attributes:
        quantity: what is looked at.
        enter: value at or above which an hour counts.
        enter_hours: consecutive hours needed.
        exit: value below which an hour counts towards leaving the level; ``None``: of a criterion of ``instead`` the
            same as ``enter``, and one of ``also`` is not asked on leaving.
    """

    quantity: Quantity
    enter: int | float
    enter_hours: int = 1
    exit: int | float | None = None


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """A level of alarm with hysteresis. Index values are those of the airshed's standard, concentrations µg/m³.

    Attributes:
        name: machine name; ``names`` are for people, by language.
        enter: value of ``quantity`` at or above which an hour counts towards entering.
        exit: value below which an hour counts towards leaving; lower than ``enter``.
        enter_hours: consecutive hours needed to enter.
        exit_hours: consecutive hours needed to leave.
        enter_24h: 24-hour index that must be reached as well when entering; ``None`` = not required.
        quantity: what ``enter`` is a value of; all levels of an airshed use the same.
        exit_quantity: what ``exit`` is a value of; ``None`` = the same as ``quantity``.
        also: all of these must hold as well when entering.
        instead: any one of these is enough to enter, whatever else holds.
    """

    name: str
    names: dict[str, str]
    enter: int | float
    exit: int | float
    enter_hours: int
    exit_hours: int
    enter_24h: int | None = None
    quantity: Quantity = "index"
    exit_quantity: Quantity | None = None
    also: list[Criterion] = []
    instead: list[Criterion] = []

    @property
    def criteria(self) -> list[Criterion]:
        """``also`` and ``instead``, in this order."""
        return self.also + self.instead

    @property
    def quantities(self) -> set[Quantity]:
        """Everything the level looks at."""
        return {self.quantity, self.exit_quantity or self.quantity, *(c.quantity for c in self.criteria)}


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """How province hours become an episode.

    Attributes:
        minimum_coverage: valid / known stations below which a province is unknown.
        minimum_stations: valid stations needed where the province has that many.
        minimum_provinces: adjacent provinces at a level at the same time.
        together_hours: consecutive hours for which they must be so before an episode opens.
        step_s: event-time step of decisions, seconds.
        lateness_s: how long after the end of a step its readings are waited for, seconds of event time.
        merge_gap_hours: an episode of overlapping provinces within this time after a close is the same one.
        hourly_status: say how every open episode stands at every step: hourly, of legal cases daily. Packs do not
            write this: it is set when a rule of the track listens to ``status``.
    """

    minimum_coverage: float = 0.5
    minimum_stations: int = 2
    minimum_provinces: int = 2
    together_hours: int = 3
    step_s: int = 3600
    lateness_s: int = 600
    merge_gap_hours: int = 24
    hourly_status: bool = False


class LegalDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """Air that the law calls seriously polluted: a daily index, days in a row, adjacent provinces. Taken literally.

    Low-cost sensors are never asked, and no hysteresis is added. It runs beside the levels and leads to drafts only.

    Attributes:
        names: what the law calls it, by language.
        index: daily index at or above which a day counts.
        days: calendar days in a row; a day about which nothing is known breaks the row.
        provinces: adjacent provinces in which the same days must count; 1 where the law knows a single province.
        stations: how many of a province's reference stations with a daily index must be at or above it: ``any``,
            ``half`` (and two of them where there are two) or ``all``. The Vietnamese definition does not say; ``half``
            because one station at its full scale for three days must not make a case that is to stand in an office.
        daily_status: say how every open case stands with every day. Packs do not write this: it is set when a rule of
            the legal track listens to ``status``.
    """

    names: dict[str, str]
    index: int = 301
    days: int = 3
    provinces: int = 2
    stations: Literal["any", "half", "all"] = "half"
    daily_status: bool = False


class Airshed(msgspec.Struct, frozen=True, kw_only=True):
    """A region with its index standard and its levels, lowest first (level numbers count from 1).

    ``watched``: further concentrations that conditions of rules look at, beside those of the levels.
    """

    code: str
    names: dict[str, str]
    standard: str
    zone: str
    provinces: list[Province]
    levels: list[Level]
    detection: Detection = Detection()
    legal_track: LegalDefinition | None = None
    watched: list[Quantity] = []

    def province(self, code_or_name: str) -> Province | None:
        """The province with this code, name or alias (case-insensitive); ``None`` if it is not of this airshed.

        What the airshed itself does not know is looked for among the former codes and names of the country's units.
        """
        wanted = code_or_name.strip().casefold()
        for province in self.provinces:
            known = (province.code, *province.names.values(), *province.aliases)
            if wanted in {name.casefold() for name in known}:
                return province
        unit = unit_named(code_or_name)
        same = (p for p in self.provinces if unit and p.code == unit.code and unit.name in p.names.values())
        return next(same, None)

    def level_met(self, reached: float) -> int:
        """Number of the highest level whose entry threshold a value meets, 0 for none."""
        return sum(level.enter <= reached for level in self.levels)

    def level_like(self, level: int, other: Airshed) -> int:
        """Number of the level here that stands for a level of ``other``: by name; by number where no name is common.

        Something on a level is never taken for nothing: where only higher levels have kept their names, it is 1.
        """
        names = [own.name for own in self.levels]
        if not set(names) & {its.name for its in other.levels}:
            return min(level, len(self.levels))
        known = [names.index(its.name) + 1 for its in other.levels[:level] if its.name in names]
        return max(known, default=1) if level else 0

    @property
    def concentrations(self) -> list[Quantity]:
        """The concentrations its levels look at, sorted; the indices are always known."""
        found = {quantity for level in self.levels for quantity in level.quantities} | set(self.watched)
        return sorted(found - {"index", "index_24h"})

    def level_name(self, level: int) -> str:
        """Machine name of a level number; ``none`` for 0."""
        return self.levels[level - 1].name if level else "none"
