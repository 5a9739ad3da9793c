"""The report: one HTML file without scripts, that needs nothing else and can be sent by mail."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, StrictUndefined

from airshed.backtesting import charts, curves, sentences
from airshed.backtesting.comparison import Difference
from airshed.backtesting.findings import Findings, NoticeRow, Yardstick
from airshed.backtesting.measures import Measures
from airshed.backtesting.running import Trial
from airshed.backtesting.spells import Spell, spells
from airshed.backtesting.timeline import Timeline, timeline
from streams.indices import STANDARDS

OVERVIEW_DAYS = 92
"""A quarter of a year to a row of the overview: ten pixels a day, wide enough for a digit."""

_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ")

_NO_TABLE = (25.0, 50.0, 75.0, 150.0, 250.0)
"""Bounds of the colours where a standard has no table for 24 hours of PM2.5."""


@dataclass(frozen=True)
class Picture:
    """An SVG and what it shows, for those who do not see it."""

    svg: str
    text: str


@dataclass(frozen=True)
class Told:
    """A spell as the page shows it."""

    spell: Spell
    title: str
    pictures: list[Picture]


def write(path: Path, found: Findings, trials: Sequence[Trial], measure: Yardstick) -> None:
    """Write the report; a file that is there is replaced when the new one is complete.

    Raises:
        OSError: when it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(render(found, trials, measure), encoding="utf-8")
    part.replace(path)


def render(found: Findings, trials: Sequence[Trial], measure: Yardstick) -> str:
    """The page."""
    pictures = _Drawing(found, trials, measure)
    template = _environment(found).from_string(
        (resources.files("airshed.backtesting") / "report.html.j2").read_text(encoding="utf-8")
    )
    return template.render(
        found=found,
        new=found.packs[0],
        sentences=list(sentences.summary(found)),
        overview=pictures.overview(),
        spells=[pictures.spell(spell) for spell in spells(found, trials, measure)],
        differences=_differences(found),
        tables=_tables(found),
    )


class _Drawing:
    """Draws what a report shows."""

    def __init__(self, found: Findings, trials: Sequence[Trial], measure: Yardstick) -> None:
        self._measure = measure
        airshed = trials[-1].pack.airshed
        self._bounds = _bounds(airshed.standard)
        self._zone = ZoneInfo(found.zone)
        names = [found.provinces[code] for code in measure.frame.codes]
        self._lines = [timeline(one.tally, measure, self._bounds, self._zone) for one in trials]
        self._legends = [
            charts.Legend(names, [level.name for level in one.pack.airshed.levels], self._bounds) for one in trials
        ]
        self._packs = [one.label for one in trials]

    def overview(self) -> list[Picture]:
        """Days, a quarter of a year at a time."""
        first, last = self._lines[0].dates()
        pictures = []
        while first <= last:
            end = min(first + timedelta(days=OVERVIEW_DAYS - 1), last)
            pictures += self._strips(lambda line, f=first, e=end: line.daily(f, e), _days(first, end))  # type: ignore[misc]
            first = end + timedelta(days=1)
        return pictures

    def spell(self, spell: Spell) -> Told:
        """Hours of one spell."""
        line = self._lines[0]
        title = _days(line.starts[spell.first].date(), line.starts[spell.last].date())
        if not spell.drawn:
            return Told(spell, title, [])
        pictures = self._strips(lambda line: line.between(spell.first, spell.last), f"{title}, by the hour")
        span = line.starts[spell.first], line.starts[spell.last] + timedelta(hours=1)
        frame = curves.Frame(
            span,
            self._legends[0].margin,
            "PM2.5, µg/m³, mean over the provinces concerned; dotted: the reference's level; upright: transitions",
        )
        moments = spell.moments(line, self._measure.frame.first)
        level = self._measure.reference.level_ug_m3
        curve = curves.lines(spell.series(self._measure, line), level, moments, frame)
        return Told(spell, title, [*pictures, Picture(curve, f"PM2.5 over {title}")])

    def _strips(self, cut: Callable[[Timeline], Any], when: str) -> list[Picture]:
        pictures = [
            Picture(
                charts.level_strip(cut(line), legend, f"Level of the episode, {pack}"),
                f"Level of each province under {pack}, {when}",
            )
            for line, legend, pack in zip(self._lines, self._legends, self._packs, strict=True)
        ]
        medians = charts.median_strip(cut(self._lines[0]), self._legends[0], "Recorded: median 24-hour PM2.5, µg/m³")
        return [*pictures, Picture(medians, f"Recorded median 24-hour PM2.5 of each province, {when}")]


def _bounds(standard: str) -> tuple[float, ...]:
    """Upper ends of the classes: the breakpoints of the standard, but for the last, which nothing exceeds."""
    column = STANDARDS[standard].column("pm25", "24h")
    return tuple(high for _, high, _, _ in column.rows[:-1]) if column else _NO_TABLE


def _days(first: date, last: date) -> str:
    """``9 to 16 Jan 2019``."""
    if first == last:
        return f"{first:%-d %b %Y}"
    same_year, same_month = first.year == last.year, (first.year, first.month) == (last.year, last.month)
    start = f"{first:%-d}" if same_month else f"{first:%-d %b}" if same_year else f"{first:%-d %b %Y}"
    return f"{start} to {last:%-d %b %Y}"


@dataclass(frozen=True)
class Change:
    """A difference with the notices it is about."""

    difference: Difference
    new: NoticeRow | None
    old: NoticeRow | None


def _differences(found: Findings) -> list[Change]:
    if found.comparison is None:
        return []
    new, old = ({notice.id: notice for notice in pack.notices} for pack in found.packs)
    return [Change(item, new.get(item.new or ""), old.get(item.old or "")) for item in found.comparison.differences]


def _tables(found: Findings) -> list[tuple[str, str, Measures]]:
    """(pack, what is counted, table) of every table of the verification."""
    return [
        (pack.pack, what, table)
        for pack in found.packs
        for what, table in (
            ("episodes and reference events", pack.verification.events),
            ("province hours", pack.verification.cells),
        )
    ]


def _environment(found: Findings) -> Environment:
    zone = ZoneInfo(found.zone)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)

    def moment(time: datetime | None) -> str:
        return "–" if time is None else time.astimezone(zone).strftime("%-d %b %H:%M")

    def places(codes: Sequence[str]) -> str:
        return ", ".join(found.provinces.get(code, code) for code in codes)

    def local(reason: str) -> str:
        """Reasons name times of UTC; all others on the page are local."""
        return _UTC.sub(lambda time: moment(datetime.fromisoformat(time[0])), reason)

    environment.filters |= {
        "moment": moment,
        "local": local,
        "places": places,
        "measure": sentences.value,
        "stamp": lambda time_s: moment(datetime.fromtimestamp(time_s, zone)),
        "percent": lambda share: f"{100 * share:.0f} %",
    }
    return environment
