"""What must hold of the levels of a pack: values that can occur, and hysteresis the right way round."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from rules.documents import Document, Path
from rules.model import MOST_LEVELS
from rules.structure import twice
from streams.airsheds import Airshed, Level, Quantity
from streams.errors import Problem

HIGHEST_INDEX = 500
"""No standard here gives more."""

HIGHEST_UG_M3 = 1000
"""Instruments of this kind end here; a threshold beyond it is a slip of the unit."""

LONGEST_HOURS = 96
"""Four days: the longest holding time of any plan that was read (China 2017: 96 hours)."""


def level_problems(document: Document, airshed: Airshed) -> Iterator[Problem]:
    """Everything wrong with the levels of an airshed."""
    path: Path = ("airshed", "levels")
    if not airshed.levels:
        yield document.problem(path, "there is no level", "give at least one")
        return
    if len(airshed.levels) > MOST_LEVELS:
        yield document.problem((*path, MOST_LEVELS), f"{len(airshed.levels)} levels", f"give at most {MOST_LEVELS}")
    named = [((*path, number, "name"), level.name) for number, level in enumerate(airshed.levels)]
    yield from twice(document, named, "level name")
    for number, level in enumerate(airshed.levels):
        yield from _level(document, (*path, number), level)
        yield from _criteria(document, (*path, number), level)
        if level.quantity != airshed.levels[0].quantity:
            message = f"{level.quantity} after a level by {airshed.levels[0].quantity}"
            remedy = "all levels of an airshed have one quantity; use also or instead for another one"
            yield document.problem((*path, number, "quantity"), message, remedy)
    for number, (lower, upper) in enumerate(pairwise(airshed.levels), start=1):
        yield from _order(document, (*path, number), lower, upper)
    if any(level.instead for level in airshed.levels) and not all(p.decides for p in airshed.provinces):
        remedy = "take instead out, or let every province decide"
        yield document.problem(path, "instead is not asked of provinces that do not decide", remedy)


def _level(document: Document, path: Path, level: Level) -> Iterator[Problem]:
    yield from _in_range(document, (*path, "enter"), level.enter, level.quantity)
    yield from _in_range(document, (*path, "exit"), level.exit, level.exit_quantity or level.quantity)
    if level.enter_24h is not None:
        yield from _in_range(document, (*path, "enter_24h"), level.enter_24h, "index_24h")
    for name in ("enter_hours", "exit_hours"):
        yield from _holding(document, (*path, name), getattr(level, name))
    comparable = level.exit_quantity in (None, level.quantity)
    if comparable and level.exit >= level.enter:
        remedy = "leaving must be harder than entering, or the level flaps; e.g. 130 for 151"
        yield document.problem((*path, "exit"), f"exit {level.exit} is not below enter {level.enter}", remedy)


def _criteria(document: Document, path: Path, level: Level) -> Iterator[Problem]:
    for name, criteria in (("also", level.also), ("instead", level.instead)):
        for number, criterion in enumerate(criteria):
            here = (*path, name, number)
            yield from _in_range(document, (*here, "enter"), criterion.enter, criterion.quantity)
            yield from _holding(document, (*here, "enter_hours"), criterion.enter_hours)
            if criterion.exit is not None and criterion.exit >= criterion.enter:
                message = f"exit {criterion.exit} is not below enter {criterion.enter}"
                yield document.problem((*here, "exit"), message, "leaving must be harder than entering")


def _order(document: Document, path: Path, lower: Level, upper: Level) -> Iterator[Problem]:
    """A higher level has a higher value, or is the same value for longer."""
    remedy = "list levels from the lowest to the highest"
    if (upper.enter, upper.enter_hours) <= (lower.enter, lower.enter_hours) or upper.enter < lower.enter:
        message = f"enter {upper.enter} of {upper.name} is not above {lower.enter} of {lower.name}"
        yield document.problem((*path, "enter"), message, remedy)
    if upper.exit < lower.exit or (upper.exit == lower.exit and upper.enter > lower.enter):
        message = f"exit {upper.exit} of {upper.name} is not above {lower.exit} of {lower.name}"
        yield document.problem((*path, "exit"), message, remedy)


def _in_range(document: Document, path: Path, value: float, quantity: Quantity) -> Iterator[Problem]:
    if quantity in ("index", "index_24h"):
        if not 0 < value <= HIGHEST_INDEX:
            yield document.problem(path, f"{value} is no index value", f"give 1 to {HIGHEST_INDEX}")
    elif not 0 < value <= HIGHEST_UG_M3:
        yield document.problem(path, f"{value} is no concentration that occurs", f"µg/m³, up to {HIGHEST_UG_M3}")


def _holding(document: Document, path: Path, hours: int) -> Iterator[Problem]:
    if hours < 1:
        yield document.problem(path, f"{hours} hours", "give at least 1")
    elif hours > LONGEST_HOURS:
        yield document.problem(path, f"{hours} hours", f"give at most {LONGEST_HOURS}")
