"""The rolling VN_AQI said slowly and plainly: minutes in dicts, fractions, one station at a time.

Shares no code with the engine but the schemas. Tables typed anew from Decision 1459/QĐ-TCMT, Table 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

HOUR = 3600
INDEX = [0, 50, 100, 150, 200, 300, 400, 500]
TABLE = {
    "pm25": [0, 25, 50, 80, 150, 250, 350, 500],
    "pm10": [0, 50, 150, 250, 350, 420, 500, 600],
    "o3_1h": [0, 160, 200, 300, 400, 800, 1000, 1200],
    "o3_8h": [0, 100, 120, 170, 210, 400],
    "no2_1h": [0, 100, 200, 700, 1200, 2350, 3100, 3850],
    "so2_1h": [0, 125, 350, 550, 800, 1600, 2100, 2630],
    "co_1h": [0, 10_000, 30_000, 45_000, 60_000, 90_000, 120_000, 150_000],
}
POLLUTANTS = ["pm25", "pm10", "o3", "no2", "so2", "co"]
NAMES = ["Tốt", "Trung bình", "Kém", "Xấu", "Rất xấu", "Nguy hại"]


def sub_index(column: str, value: Fraction | None) -> Fraction | None:
    """Exact sub-index of a concentration in µg/m³."""
    if value is None:
        return None
    points = TABLE[column]
    value = max(value, Fraction(0))
    if value > points[-1]:
        return None if column == "o3_8h" else Fraction(500)
    place = max(n for n in range(len(points) - 1) if value >= points[n])
    low, high = points[place], points[place + 1]
    return INDEX[place] + (value - low) * (INDEX[place + 1] - INDEX[place]) / (high - low)


def half_up(value: Fraction) -> int:
    """To whole numbers, halves upwards. What is within 5e-10 of a half is one: the rule of the engine, without which
    a NowCast that is 53.3 on paper would round down when its last binary digit is missing."""
    return math.floor(round(value, 9) + Fraction(1, 2))


def nowcast(hours: list[Fraction | None]) -> Fraction | None:
    """``hours`` newest first."""
    if sum(h is not None for h in hours[:3]) < 2:
        return None
    pairs = [(age, max(float(h), 0.0)) for age, h in enumerate(hours) if h is not None]
    highest, lowest = max(h for _, h in pairs), min(h for _, h in pairs)
    if highest == 0:
        return Fraction(0)
    w = max(lowest / highest, 0.5)
    # Powers of a fraction have hundreds of digits; floats are good to twelve decimals here.
    return Fraction(round(sum(w**age * h for age, h in pairs) / sum(w**age for age, _ in pairs), 12))


def mean(hours: list[Fraction | None], needed: int) -> Fraction | None:
    there = [h for h in hours if h is not None]
    return max(sum(there, Fraction(0)) / len(there), Fraction(0)) if len(there) >= needed else None


def name_of(index: int | None) -> str | None:
    if index is None:
        return None
    return NAMES[[index <= top for top in (50, 100, 150, 200, 300, 10**9)].index(True)]


@dataclass
class ReferenceIndex:
    """Readings and marks of stations of one airshed in, statements out.

    ``minutes[(station, pollutant)]`` maps each covered minute (by its END, in minutes since 1970) to its value.
    """

    stations: list[str]
    lateness_s: int = 600
    zone_hours: int = 7
    ahead: int = 5
    minutes: dict[tuple[str, str], dict[int, Fraction]] = field(default_factory=dict)
    remembered: dict[tuple[str, str, int], tuple[int, Fraction | None]] = field(default_factory=dict)
    closed: int | None = None
    mark_s: int | None = None
    said: dict[tuple[str, int, str], tuple[int, dict[str, Any]]] = field(default_factory=dict)

    def read(self, station: str, pollutant: str, time_s: int, period_s: int, value: float) -> None:
        end = time_s // 60
        hour = -(-time_s // HOUR)
        limits = None if self.closed is None or self.mark_s is None else (self.closed + self.ahead - 39, self.mark_s)
        if limits and (hour < limits[0] or time_s > limits[1] + HOUR + self.lateness_s):
            return
        cell = self.minutes.setdefault((station, pollutant), {})
        span = range(end - period_s // 60 + 1, end + 1)
        if not any(minute in cell for minute in span):
            cell.update(dict.fromkeys(span, Fraction(round(value * 10_000), 10_000)))
            self.remembered.pop((station, pollutant, hour), None)

    def hour_mean(self, station: str, pollutant: str, hour: int) -> Fraction | None:
        return self.cell(station, pollutant, hour)[1]

    def cell(self, station: str, pollutant: str, hour: int) -> tuple[int, Fraction | None]:
        """Covered minutes and mean of an hour."""
        key = (station, pollutant, hour)
        if key not in self.remembered:
            cell = self.minutes.get((station, pollutant), {})
            there = [cell[m] for m in range((hour - 1) * 60 + 1, hour * 60 + 1) if m in cell]
            self.remembered[key] = len(there), sum(there, Fraction(0)) / len(there) if len(there) >= 45 else None
        return self.remembered[key]

    def means(self, station: str, pollutant: str, last: int, count: int) -> list[Fraction | None]:
        """Newest first."""
        return [self.hour_mean(station, pollutant, hour) for hour in range(last, last - count, -1)]

    def mark(self, time_s: int) -> list[dict[str, Any]]:
        """Statements made at a mark, in order."""
        self.mark_s = time_s
        target = (time_s - self.lateness_s) // HOUR
        if self.closed is None:
            self.closed = target
            return []
        out = []
        oldest = self.closed + self.ahead - 39
        for product, first in (("hour", oldest + 23), ("day", oldest + 30)):
            for station, hour, kind in sorted(self.said, key=lambda key: (key[1], key[0])):
                if kind == product and hour >= first and self.is_latest(station, hour, kind):
                    out += self.say(station, hour, kind)
        for hour in range(self.closed + 1, target + 1):
            for station in self.stations:
                out += self.say(station, hour, "hour")
            if (hour + self.zone_hours) % 24 == 0:
                for station in self.stations:
                    out += self.say(station, hour, "day")
        self.closed = max(self.closed, target)
        return out

    def is_latest(self, station: str, hour: int, kind: str) -> bool:
        return kind == "hour" or (station, hour + 24, kind) not in self.said

    def say(self, station: str, hour: int, kind: str) -> list[dict[str, Any]]:
        content = self.hour(station, hour) if kind == "hour" else self.day(station, hour)
        revision, before = self.said.get((station, hour, kind), (-1, None))
        if content == before:
            return []
        self.said[station, hour, kind] = (revision + 1, content)
        return [{"station": station, "hour": hour, "product": kind, "revision": revision + 1, **content}]

    def hour(self, station: str, hour: int) -> dict[str, Any]:
        values: dict[str, Fraction | None] = {}
        for pollutant in POLLUTANTS:
            if pollutant in ("pm25", "pm10"):
                values[pollutant] = nowcast(self.means(station, pollutant, hour, 12))
            else:
                values[pollutant] = self.hour_mean(station, pollutant, hour)
        exact = {p: sub_index(p if p in TABLE else f"{p}_1h", value) for p, value in values.items()}
        return self.content(station, hour, 1, {p: v for p, v in values.items() if v is not None}, exact)

    def day(self, station: str, last: int) -> dict[str, Any]:
        values: dict[str, Fraction | None] = {}
        exact: dict[str, Fraction | None] = {}
        for pollutant in POLLUTANTS:
            hours = self.means(station, pollutant, last, 31)
            there = [h for h in hours[:24] if h is not None]
            highest = max(there) if len(there) >= 18 else None
            if pollutant in ("pm25", "pm10"):
                values[f"{pollutant}_24h"] = mean(hours[:24], 18)
                exact[pollutant] = sub_index(pollutant, values[f"{pollutant}_24h"])
                continue
            values[f"{pollutant}_1h"] = highest
            exact[pollutant] = sub_index(f"{pollutant}_1h", highest)
            if pollutant == "o3":
                windows = [w for age in range(24) if (w := mean(hours[age : age + 8], 6)) is not None]
                values["o3_8h"] = max(windows) if len(windows) >= 18 else None
                of_8h = sub_index("o3_8h", values["o3_8h"])
                exact["o3"] = max([s for s in (exact["o3"], of_8h) if s is not None], default=None)
        return self.content(station, last, 24, {k: v for k, v in values.items() if v is not None}, exact)

    def content(
        self, station: str, hour: int, hours: int, values: dict[str, Fraction], exact: dict[str, Fraction | None]
    ) -> dict[str, Any]:
        subs = {p: e for p, e in exact.items() if e is not None}
        index = max(map(half_up, subs.values())) if {"pm25", "pm10"} & subs.keys() else None
        trailing = {p: mean(self.means(station, p, hour, 24), 18) for p in ("pm25", "pm10")}
        indices_24h = [half_up(e) for p, t in trailing.items() if (e := sub_index(p, t)) is not None]
        share = {
            p: Fraction(sum(self.cell(station, p, h)[0] for h in range(hour - hours + 1, hour + 1)), 60 * hours)
            for p in POLLUTANTS
        }
        return {
            "index": index,
            "category": name_of(index),
            "dominant": None if index is None else max(subs, key=lambda p: (round(subs[p], 9), -POLLUTANTS.index(p))),
            "sub": {p: half_up(e) for p, e in subs.items()},
            "concentration": {k: round(float(v), 4) for k, v in values.items()},
            "trailing_24h": {p: round(float(t), 4) for p, t in trailing.items() if t is not None},
            "index_24h": max(indices_24h, default=None),
            "completeness": {p: round(float(s), 4) for p, s in share.items() if s > 0 or p in subs},
        }
