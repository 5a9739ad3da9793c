"""A condition taken apart: what each part of it gave, and which parts would have had to differ.

The CEL runtime gives one answer for a whole expression and no syntax tree. The text is cut here at the operators that
decide, ``?:``, ``||``, ``&&``, comparisons and ``!``, outside of strings and brackets, and every piece is run by the
same runtime as the condition itself. What cannot be cut further is shown whole. A test holds the cutting to the
runtime: putting the parts together gives the value of the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rules.cel_runtime import cel

COMPARISONS = ("==", "!=", "<=", ">=", "<", ">", "in")
_IN_TEXT = (*COMPARISONS[:-1], " in ")
_MACRO = re.compile(
    r"^(?P<range>.+?)\.\s*(?P<name>exists_one|exists|all)\s*\(\s*(?P<variable>[A-Za-z_]\w*)\s*,", re.DOTALL
)
_STRING = re.compile(r"[rR]?(?:'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")", re.DOTALL)
_OPENING, _CLOSING = "([{", ")]}"
_BLANKS = re.compile(r"\s")

Spans = list[tuple[int, int]]
"""Where pieces begin and end in a text."""

compiled = lru_cache(maxsize=1000)(cel.compile)
"""The program of a text; the same pieces are run on many events."""


class Failed(str):
    """In the place of a value: what went wrong when a part was run."""

    __slots__ = ()


@dataclass(frozen=True)
class Part:
    """A piece of a condition.

    Attributes:
        text: as written, without outer brackets.
        value: what it gave, or :class:`Failed`.
        operator: what joins the pieces: ``&&``, ``||``, ``!``, ``?:``, a comparison, the name of a macro with its
            variable (``exists p``); empty for a piece that is not cut further.
        pieces: in their order; of a macro, one for each element, named by ``element``.
        element: what the variable of the macro stood for, empty outside of one.
    """

    text: str
    value: Any
    operator: str = ""
    pieces: tuple[Part, ...] = ()
    element: str = ""


def take_apart(source: str, variables: Mapping[str, Any]) -> Part:
    """Every part of a condition with its value. Raises ``ValueError`` for text that is not CEL."""
    cel.compile(source)
    return _part(source, variables)


def needed(part: Part, wanted: bool = True) -> str:
    """What would have had to be otherwise for a part to give ``wanted``, in words; empty if it did."""
    if part.value is wanted:
        return ""
    if part.operator == "!":
        return needed(part.pieces[0], not wanted)
    if part.operator in ("&&", "||"):
        every = (part.operator == "&&") == wanted
        wishes = [wish for wish in (needed(piece, wanted) for piece in part.pieces) if wish]
        joined = (" and " if every else " or ").join(dict.fromkeys(wishes))
        return f"({joined})" if len(wishes) > 1 else joined
    if part.operator in COMPARISONS:
        held = ", ".join(_holds(piece) for piece in part.pieces if piece.pieces or not is_literal(piece.text))
        return f"{part.text}{'' if wanted else ' not'} ({held})" if held else part.text
    return f"{part.text} would have to be {shown(wanted)}, it is {shown(part.value)}"


def _holds(part: Part) -> str:
    return f"{part.text}: {part.value}" if isinstance(part.value, Failed) else f"{part.text} is {shown(part.value)}"


def shown(value: Any) -> str:
    """A value as CEL writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, Failed) else repr(value)


def _part(text: str, variables: Mapping[str, Any], element: str = "") -> Part:
    _, text = bare(text)
    operator, spans = cut(text)
    if operator:
        parts = tuple(_part(text[start:end], variables) for start, end in spans)
        return Part(text, value_of(text, variables), operator, parts, element)
    macro = _elements(text, variables)
    if macro is not None:
        return Part(text, value_of(text, variables), macro[0], macro[1], element)
    return Part(text, value_of(text, variables), element=element)


def value_of(text: str, variables: Mapping[str, Any]) -> Any:
    """What a piece gives, or :class:`Failed`."""
    try:
        program = compiled(text)
        known = {name: variables[name] for name in program.variables() if name in variables}
        return program.execute(known)
    except KeyError as error:
        return Failed(f"no value for {error.args[0]}")
    except Exception as error:  # noqa: BLE001 - whatever the bindings raise, it is the answer to "what did this give"
        return Failed(str(error).split(". ")[0])


def cut(text: str) -> tuple[str, Spans]:
    """The operator that decides last, and what it joins; an empty operator where there is none."""
    open_places = list(_outside(text))
    for find in (_ternary, _logical, _comparison):
        operator, spans = find(text, open_places)
        if operator:
            return operator.strip(), spans
    if text.startswith("!"):
        return "!", [(1, len(text))]
    return "", []


def _ternary(text: str, places: list[int]) -> tuple[str, Spans]:
    question = next((place for place in places if text[place] == "?" and text[place : place + 2] != "?."), None)
    if question is None:
        return "", []
    depth = 0
    for place in places:
        if place > question and text[place] == "?":
            depth += 1
        elif place > question and text[place] == ":":
            if not depth:
                return "?:", [(0, question), (question + 1, place), (place + 1, len(text))]
            depth -= 1
    return "", []


def _logical(text: str, places: list[int]) -> tuple[str, Spans]:
    for operator in ("||", "&&"):
        cuts = [place for place in places if text.startswith(operator, place)]
        if cuts:
            edges = zip([0, *(cut + 2 for cut in cuts)], [*cuts, len(text)], strict=True)
            return operator, list(edges)
    return "", []


def _comparison(text: str, places: list[int]) -> tuple[str, Spans]:
    """The last comparison: they are grouped from the left."""
    plain = _BLANKS.sub(" ", text)
    for place in reversed(places):
        for operator in _IN_TEXT:
            # "<" is not the comparison in "<=", nor "=" in "!="; longer ones come first in the table.
            if plain.startswith(operator, place) and not (operator in "<>" and plain[place + 1 : place + 2] == "="):
                return operator, [(0, place), (place + len(operator), len(text))]
    return "", []


@dataclass(frozen=True)
class Macro:
    """``range.name(variable, body)``: a question asked of every element; ``start`` is where the body begins."""

    range: str
    name: str
    variable: str
    body: str
    start: int


def macro_of(text: str) -> Macro | None:
    """``list.exists(x, …)`` and its like; ``None`` for anything else."""
    match = _MACRO.match(text)
    if match is None or not text.endswith(")") or len(text) - 1 not in _closings_of(text, match["range"]):
        return None
    return Macro(match["range"], match["name"], match["variable"], text[match.end() : -1], match.end())


def _elements(text: str, variables: Mapping[str, Any]) -> tuple[str, tuple[Part, ...]] | None:
    """What a macro gave for each element; ``None`` for anything else."""
    macro = macro_of(text)
    elements = value_of(macro.range, variables) if macro else None
    if macro is None or not isinstance(elements, list | dict):
        return None
    variable = macro.variable
    return f"{macro.name} {variable}", tuple(
        _part(macro.body, {**variables, variable: element}, f"{variable} = {shown(element)}") for element in elements
    )


def _closings_of(text: str, range_text: str) -> list[int]:
    """Where the call that follows ``range_text`` ends, if its bracket is the first one closed outside of others."""
    return [place for place in _outside(text, closing=True) if place > len(range_text)][:1]


def _outside(text: str, *, closing: bool = False) -> Iterator[int]:
    """Places outside of strings, comments and brackets; with ``closing``, where the outermost brackets close."""
    depth = place = 0
    while place < len(text):
        string = _STRING.match(text, place)
        if string is not None and not (place and (text[place - 1].isalnum() or text[place - 1] == "_")):
            place = string.end()
            continue
        if text.startswith("//", place):
            end = text.find("\n", place)
            place = len(text) if end < 0 else end
            continue
        if text[place] in _CLOSING:
            depth -= 1
            if closing and not depth:
                yield place
        elif text[place] in _OPENING:
            depth += 1
        elif not depth and not closing:
            yield place
        place += 1


def bare(text: str) -> tuple[int, str]:
    """A text without blanks and brackets around the whole, and where in it that begins."""
    start, text = len(text) - len(text.lstrip()), text.strip()
    while text.startswith("(") and next(_outside(text, closing=True), -1) == len(text) - 1:
        inside = text[1:-1]
        start, text = start + 1 + len(inside) - len(inside.lstrip()), inside.strip()
    return start, text


def is_literal(text: str) -> bool:
    """Whether a piece hangs on no variable."""
    return not compiled(text).variables()
