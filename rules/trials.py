"""Tests of rule packs as data: given these hours, expect these notices, and no others.

A file of them is YAML, checked like a pack, with the place of everything that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from rules.documents import Document, read_document
from rules.documents import Path as Place
from rules.model import Pack
from rules.structure import mismatches, nearest
from streams.clock import HOUR_S
from streams.errors import PackError, Problem
from streams.legal import LEVEL as SERIOUS

INDEX = "index"
"""The course of a province given as PM2.5 whose index by the 24-hour column of the standard is this number."""

COURSES = (INDEX, "pm25", "pm10", "o3", "no2", "so2", "co")
EVERYWHERE = "everywhere"

_PIECE = re.compile(r"(?P<first>\?|\d+(?:\.\d+)?)(?:\.\.(?P<last>\d+(?:\.\d+)?))?(?:\*(?P<hours>\d+))?")


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that must be made.

    Attributes:
        at: hours after the start, ``31``, or between two of them, ``31-35``.
        provinces: codes of those addressed; empty = not looked at.
        level: machine name of the level.
        approval: whose yes it must need.
        asks: texts that must stand among its measures, in whatever language.
        never_asks: texts that must not.
    """

    at: int | str
    rule: str
    provinces: list[str] = []
    level: str | None = None
    approval: str | None = None
    asks: list[str] = []
    never_asks: list[str] = []

    @property
    def hours(self) -> tuple[int, int]:
        """First and last hour at which it may come."""
        first, _, last = str(self.at).partition("-")
        return int(first), int(last or first)


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One case.

    Attributes:
        start: local time of the airshed at which the first hour begins; a full hour of UTC.
        hours: by province code (or ``everywhere``) and pollutant (or ``index``), the hourly values of all its
            stations: ``20*24 20..90*6 ?*3`` is 24 hours of 20 µg/m³, six that rise to 90, three of silence.
        stations: stations of each province.
        expect: every notice, in order of time; nothing else may be said.
        never: rules that must not speak here. Nothing else may be said anyway: this says what the case is about.
    """

    name: str
    start: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}$")]
    hours: dict[str, dict[str, str]]
    expect: list[Expected]
    stations: Annotated[int, Meta(ge=1, le=20)] = 3
    never: list[str] = []

    @property
    def begins(self) -> datetime:
        """``start`` as a local time without a zone."""
        return datetime.fromisoformat(self.start)

    def of_province(self, code: str) -> dict[str, str]:
        """The courses of one province."""
        return self.hours.get(EVERYWHERE, {}) | self.hours.get(code, {})


class _File(msgspec.Struct, frozen=True, kw_only=True):
    pack: str
    cases: list[Trial]


@dataclass(frozen=True)
class TrialFile:
    """The cases of a file, with what is needed to name their places."""

    document: Document
    pack: str
    cases: list[Trial]

    def place(self, case: int, *path: str | int) -> str:
        """``korea.yaml:12:5`` of something inside a case."""
        return self.document.problem(("cases", case, *path), "").place


def read_trials(path: Path, pack: Pack) -> TrialFile:
    """Read a file of cases for a pack. Raises ``PackError`` with every problem and its place."""
    document = read_document(path.name, path.read_bytes())
    problems = document.problems or list(mismatches(document, _File, document.value))
    if not problems:
        file = msgspec.convert(document.value, _File)
        problems = [p for n, case in enumerate(file.cases) for p in _problems(document, ("cases", n), case, pack)]
    if problems:
        raise PackError(problems)
    return TrialFile(document, file.pack, file.cases)


def course(text: str) -> list[float | None]:
    """The hourly values of a course; ``None`` for an hour without one. Raises ``ValueError`` for what is none."""
    values: list[float | None] = []
    for word in text.split():
        piece = _PIECE.fullmatch(word)
        if piece is None:
            raise ValueError(f"{word!r} is no piece of a course")
        hours = int(piece["hours"] or 1)
        if piece["first"] == "?":
            values += [None] * hours
            continue
        first = float(piece["first"])
        step = (float(piece["last"]) - first) / hours if piece["last"] else 0.0
        values += [round(first + step * (number + 1 if step else 0), 1) for number in range(hours)]
    return values


def _problems(document: Document, path: Place, case: Trial, pack: Pack) -> Iterator[Problem]:
    if case.begins.replace(tzinfo=ZoneInfo(pack.airshed.zone)).timestamp() % HOUR_S:
        yield document.problem(
            (*path, "start"), f"{case.start} is no full hour of UTC", "hours begin with those of UTC"
        )
    codes = [province.code for province in pack.airshed.provinces]
    lengths: dict[int, Place] = {}
    for code, courses in case.hours.items():
        if code != EVERYWHERE and code not in codes:
            remedy = nearest(code, codes) or f"known: {', '.join(codes)}, {EVERYWHERE}"
            yield document.problem(
                (*path, "hours", code), f"{code!r} is no province of {pack.name}", remedy, at_key=True
            )
        for name, text in courses.items():
            place = (*path, "hours", code, name)
            if name not in COURSES:
                remedy = nearest(name, COURSES) or f"known: {', '.join(COURSES)}"
                yield document.problem(place, f"{name!r} is nothing that is measured", remedy, at_key=True)
            try:
                lengths.setdefault(len(course(text)), place)
            except ValueError as error:
                yield document.problem(place, str(error), "write e.g. 20*24 20..90*6 ?*3")
    if len(lengths) > 1:
        remedy = f"courses of {' and '.join(map(str, sorted(lengths)))} hours"
        yield document.problem((*path, "hours"), "the courses are not equally long", remedy)
    yield from _names(document, path, case, pack)


def _names(document: Document, path: Place, case: Trial, pack: Pack) -> Iterator[Problem]:
    rules = [rule.id for rule in pack.rules]
    levels = [level.name for level in pack.airshed.levels]
    named = [((*path, "expect", n, "rule"), item.rule, rules, "rule") for n, item in enumerate(case.expect)]
    named += [((*path, "never", n), name, rules, "rule") for n, name in enumerate(case.never)]
    named += [
        ((*path, "expect", n, "level"), item.level, [*levels, "none", SERIOUS], "level")
        for n, item in enumerate(case.expect)
        if item.level is not None
    ]
    for place, name, known, what in named:
        if name not in known:
            yield document.problem(place, f"{pack.name} has no {what} {name!r}", nearest(name, known))
    for number, item in enumerate(case.expect):
        if not re.fullmatch(r"\d+(-\d+)?", str(item.at)):
            yield document.problem((*path, "expect", number, "at"), f"{item.at!r}", "hours: 31, or 31-35")
