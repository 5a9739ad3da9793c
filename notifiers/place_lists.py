"""Lists of places, as SQL that both databases understand.

``places`` of a ledger row is a text: ``0:01,1:24`` says that the message is about the recipient's first place, in
province 01, and their second, in 24; a plant stands in one province and has its code alone. What a message says it says
of provinces, so lists are compared by these: who was told of a province need not hear it again for another place there.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Integer, String, case, exists, func, literal, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class _position(FunctionElement[int]):  # noqa: N801 - reads like the database function that it is
    """Where the second text begins in the first, from 1; 0 if it does not occur there."""

    type = Integer()
    name = "position"
    inherit_cache = True


@compiles(_position, "postgresql")
def _position_postgresql(element: _position, compiler: Any, **kwargs: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **kwargs)})"


@compiles(_position, "sqlite")
def _position_sqlite(element: _position, compiler: Any, **kwargs: Any) -> str:
    return f"instr({compiler.process(element.clauses, **kwargs)})"


class _items(FunctionElement[str]):  # noqa: N801 - the same
    """The parts of a text between commas, as a table with the column ``value``; none of an empty text."""

    type = String()
    name = "items"
    inherit_cache = True


@compiles(_items, "postgresql")
def _items_postgresql(element: _items, compiler: Any, **kwargs: Any) -> str:
    return f"json_array_elements_text(to_json(string_to_array({compiler.process(element.clauses, **kwargs)}, ',')))"


@compiles(_items, "sqlite")
def _items_sqlite(element: _items, compiler: Any, **kwargs: Any) -> str:
    text = compiler.process(element.clauses, **kwargs)
    return f"""json_each(CASE {text} WHEN '' THEN '[]' ELSE '["' || replace({text}, ',', '","') || '"]' END)"""


def provinces_in(places: str) -> list[str]:
    """The provinces of a list, in the order of the places' numbers, each once. Not SQL."""
    numbered = [place.rpartition(":") for place in places.split(",") if place]
    return list(dict.fromkeys(code for _, code in sorted((int(number or 0), code) for number, _, code in numbered)))


def items(text: Any) -> Any:
    """The parts of a list as a table with the column ``value``; join it behind the table that ``text`` is of."""
    return _items(text).table_valued("value")


def province_of(place: ColumnElement[str]) -> ColumnElement[str]:
    """The province of one part of a list."""
    return func.substr(place, _position(place, literal(":")) + 1)


def holds(parts: Any, part: Any) -> ColumnElement[bool]:
    """Whether a list has exactly this part, or these parts one behind the other."""
    return _position("," + parts + ",", "," + part + ",") > 0


def mentions(places: Any, province: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a list has a place in the province."""
    return or_(_position("," + places + ",", ":" + province + ",") > 0, holds(places, province))


def covers(places: Any, others: Any) -> ColumnElement[bool]:
    """Whether every province of ``others`` is among those of ``places``."""
    other = items(others)
    missing = _any(other, ~mentions(places, province_of(other.c.value)))
    return case((holds(places, others), True), else_=~missing)  # the same text, mostly: no need to take it apart


def meets(places: Any, others: Any) -> ColumnElement[bool]:
    """Whether the two lists have a province in common."""
    other = items(others)
    common = _any(other, mentions(places, province_of(other.c.value)))
    return case((places == others, True), else_=common)


def without(places: Any, spoken_for: Any) -> ColumnElement[str]:
    """The list without the places that ``spoken_for`` (given a province, a test) says yes to; empty if none is left."""
    place = items(places)
    left = select(func.aggregate_strings(place.c.value, ",")).where(~spoken_for(province_of(place.c.value)))
    return func.coalesce(left.correlate_except(place).scalar_subquery(), "")


def together(places: Any, more: Any) -> ColumnElement[str]:
    """A list, and behind it the places of another one that lie in provinces it has none in."""
    added = without(more, lambda province: mentions(places, province))
    return case((covers(places, more), places), (places == "", added), else_=places + "," + added)


def _any(parts: Any, test: ColumnElement[bool]) -> ColumnElement[bool]:
    # everything else belongs to the query around, however deep this stands in it
    return exists().select_from(parts).where(test).correlate_except(parts)
