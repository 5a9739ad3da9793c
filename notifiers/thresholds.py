"""The lowest level a person asked to hear of, held against the level of their own province, as SQL.

Who asked to hear of a level hears when it is reached where they live, not somewhere in the airshed
(:func:`rules.notices.levels_told`).
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, or_

from notifiers.ledger import WARNING_KINDS
from notifiers.tables import subscriber_places
from rules.notices import Notice, levels_told


def apply_to(notice: Notice) -> bool:
    """Whether thresholds are asked at all: not of ends, nor of corrections: these have readers of their own."""
    residents = notice.audience.recipients == "residents"
    return residents and notice.kind in WARNING_KINDS and notice.audience.corrects is None


def levels(notice: Notice) -> list[tuple[int, list[str]]]:
    """The levels of the notice's provinces, the lowest first, each with the codes of those at it."""
    found = sorted((level, code) for code, level in levels_told(notice).items())
    return [(level, [code for _, code in group]) for level, group in groupby(found, key=lambda pair: pair[0])]


def lists_above(notice: Notice, place: ColumnElement[str], province: Any) -> list[ColumnElement[str]]:
    """Aggregates over a recipient's places: for each level but the lowest, the list of those at it or above."""
    if not apply_to(notice):
        return []
    each = levels(notice)
    above = {level: [code for at, codes in each if at >= level for code in codes] for level, _ in each[1:]}
    return [
        func.aggregate_strings(case((province.in_(codes), place)), ",").label(f"from_{level}")
        for level, codes in above.items()
    ]


def heard(notice: Notice, threshold: Any, covered: Any) -> ColumnElement[str]:
    """The list of the places whose level is a person's threshold or above; null when there is none.

    Args:
        covered: has ``places`` and, by name, what :func:`lists_above` has made.
    """
    lowest, *further = [level for level, _ in levels(notice)] or [notice.level]
    lists = [(threshold <= level, covered.c[f"from_{level}"]) for level in further]
    return case((threshold <= lowest, covered.c.places), *lists)


def hears(notice: Notice, threshold: Any, recipient: Any, province: Any = None) -> ColumnElement[bool]:
    """The same question of anybody, whose places have not been looked at: whether there is any such place, or one in a
    province."""
    place = subscriber_places.alias("heard_place")
    at = [and_(threshold <= level, place.c.province.in_(codes)) for level, codes in levels(notice)]
    there = [] if province is None else [place.c.province == province]
    return exists().where(place.c.subscriber_id == recipient, or_(*at), *there).correlate_except(place)
