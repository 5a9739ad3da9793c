"""Every piece of a condition run on sample events: what fails there, and what compares things that are never alike.

A condition as a whole hides its faults: in CEL ``false && error`` is false, ``1 == 'a'`` is false and no error, and
the samples do not reach every hour of the day. So its pieces are judged one by one, each at its own place. A piece
may fail where the ones before it have decided already: ``'01' in index && index['01'] > 200`` is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rules.expressions import COMPARISONS, Failed, bare, compiled, cut, is_literal, macro_of, shown, value_of
from rules.variables import Variables

LIKE_WITH_LIKE = "compare like with like; ask whether a province is there before using its value: '01' in index && …"
_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a map",
    type(None): "nothing",
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with a piece that begins at ``start`` in the text of the condition."""

    start: int
    message: str


def faults(source: str, events: Iterable[Variables]) -> Iterator[Fault]:
    """Everything that sample events show to be wrong with a condition that is CEL, from left to right."""
    known = _different(source, events)
    yield from _judged(source, 0, known, known, answers=True)


def _judged(
    text: str, start: int, known: list[Variables], reached: list[Variables], *, answers: bool
) -> Iterator[Fault]:
    """The faults of a piece.

    Args:
        known: all samples, on which types are looked at.
        reached: those in which what stands before the piece leaves it to decide; it must not fail there.
        answers: it has to give true or false.
    """
    shift, text = bare(text)
    start += shift
    known, reached = _different(text, known), _different(text, reached)
    inside = list(_pieces(text, start, known, reached))
    yield from inside
    if inside:
        return
    for event in reached:
        value = value_of(text, event)
        wrong = str(value) if isinstance(value, Failed) else ""
        wrong = f"there is {wrong}" if wrong.startswith("no value") else wrong
        if not wrong and answers and not isinstance(value, bool):
            wrong = f"{text!r} gives {shown(value)}, neither true nor false"
        if wrong:
            seen = ", ".join(f"{name}={event[name]!r}" for name in _names(text) if name in event)
            yield Fault(start, f"fails for an event with {seen}: {wrong}" if seen else f"fails: {wrong}")
            return


def _pieces(text: str, start: int, known: list[Variables], reached: list[Variables]) -> Iterator[Fault]:
    operator, spans = cut(text)
    pieces = [(text[begin:end], start + begin) for begin, end in spans]
    if operator in ("&&", "||"):
        for number, (piece, place) in enumerate(pieces):
            before = [earlier for earlier, _ in pieces[:number]]
            left = _left_to_decide(piece, before, operator == "&&", reached)
            yield from _judged(piece, place, known, left, answers=True)
    elif operator == "?:":
        (asked, place), *branches = pieces
        yield from _judged(asked, place, known, reached, answers=True)
        for wanted, (piece, place) in zip((True, False), branches, strict=True):
            left = _left_to_decide(piece, [asked], wanted, reached)
            yield from _judged(piece, place, known, left, answers=False)
    elif operator:
        for piece, place in pieces:
            yield from _judged(piece, place, known, reached, answers=operator == "!")
        if operator in COMPARISONS:
            yield from _unlike(text, start, operator, [piece for piece, _ in pieces], known)
    elif (macro := macro_of(text)) is not None:
        yield from _judged(macro.range, start, known, reached, answers=False)
        each = [list(_elements(macro.range, macro.variable, events)) for events in (known, reached)]
        yield from _judged(macro.body, start + macro.start, each[0], each[1], answers=True)


def _left_to_decide(piece: str, before: Sequence[str], wanted: bool, events: list[Variables]) -> list[Variables]:
    """The events that leave a piece to decide.

    Where none does, because no sample has the right hour, say, only those before it count that ask about the same.
    """
    mine = set(_names(piece))
    related = [earlier for earlier in before if mine & set(_names(earlier))]
    left = [event for event in events if all(value_of(earlier, event) is wanted for earlier in before)]
    return left or [event for event in events if all(value_of(earlier, event) is wanted for earlier in related)]


def _elements(range_text: str, variable: str, events: list[Variables]) -> Iterator[Variables]:
    for event in events:
        elements = value_of(range_text, event)
        if isinstance(elements, list | dict):
            yield from ({**event, variable: element} for element in elements)


def _unlike(text: str, start: int, operator: str, sides: list[str], events: list[Variables]) -> Iterator[Fault]:
    """A comparison of things of which one can never be the other."""
    fixed = [is_literal(side) for side in sides]
    for event in events:
        left, right = (value_of(side, event) for side in sides)
        if isinstance(left, Failed) or isinstance(right, Failed):
            continue
        among = operator == "in" and isinstance(right, list | dict)
        for other in right if among else [right]:
            if _kind(left) != _kind(other):
                where = f"{_kind(left)} among what is {_kind(other)}" if among else f"{_kind(left)} with {_kind(other)}"
                yield Fault(start, f"{text!r} {'looks for' if among else 'compares'} {where}")
                return
            never = (fixed[1] and _between(left, other)) or (fixed[0] and _between(other, left))
            if operator in ("==", "!=", "in") and never:
                yield Fault(start, f"{text!r} compares whole numbers with one that is not whole")
                return


def _between(counted: Any, written: Any) -> bool:
    """Whether a whole number by its type is held against one that lies between whole numbers."""
    return type(counted) is int and isinstance(written, float) and bool(written % 1)


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), type(value).__name__)


def _different(text: str, events: Iterable[Variables]) -> list[Variables]:
    """Events that differ in what a piece asks for."""
    names = _names(text)
    return list({repr([event.get(name) for name in names]): event for event in reversed(list(events))}.values())[::-1]


def _names(text: str) -> list[str]:
    return list(compiled(text).variables())
