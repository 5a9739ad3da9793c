"""Conditions of rules: CEL expressions over a small, typed set of variables.

The runtime is ``common-expression-language`` (PyPI), Python bindings of the Rust crate ``cel``: wheels for Linux,
macOS and Windows, sixteen releases so far. Measured on one machine, a condition of ours takes 4 µs there and 700 µs in
``cel-python`` 0.5, the pure-Python implementation, which brings a parser generator and a regular-expression binding
along. Neither checks types before a condition is run; that is done here, by running every piece of a condition on
sample events of every shape when a pack is loaded (see ``flaws`` and ``rules.sampling``). CEL itself has no loops, no
input or output and no access to Python's attributes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, get_args

from rules.cel_runtime import cel
from rules.expressions import bare, compiled, cut
from rules.sampling import LIKE_WITH_LIKE, faults
from rules.structure import nearest
from rules.variables import VARIABLES, Variables, samples, variables_of
from streams.airsheds import Airshed
from streams.schemas import TransitionKind

__all__ = ["VARIABLES", "Condition", "ConditionError", "Flaw", "Variables", "flaws", "samples", "variables_of"]

_FUNCTIONS = (
    *("size", "contains", "startsWith", "endsWith", "matches", "int", "uint", "double", "string", "has"),
    *("all", "exists", "exists_one", "filter", "map", "max", "min", "type", "bool"),
)
_BOUND = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")
_TEXT = re.compile(r"'([^'\\]*)'|\"([^\"\\]*)\"")
_DATE = re.compile(r"(?=.*-)[0-9-]{2,10}")
_SYNTAX = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?([^\n|]*)")


@dataclass(frozen=True)
class Flaw:
    """Something wrong with a condition; line and column are inside its text, counted from 1."""

    line: int
    column: int
    message: str
    remedy: str = ""


class ConditionError(Exception):
    """A condition gave no true or false for an event. Packs that can get here are refused when they are loaded."""


class Condition:
    """A compiled condition. Raises ``ValueError`` for text that is not CEL."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._program = cel.compile(source)
        names = set(self._program.variables())
        self.names = [name for name in VARIABLES if name in names]

    def holds(self, variables: Variables) -> bool:
        """Whether the condition is true."""
        try:
            answer = self._program.execute({name: variables[name] for name in self.names})
        except Exception as error:  # the bindings raise what fits: TypeError, KeyError, RuntimeError
            raise ConditionError(f"{self.source!r}: {error}") from error
        if not isinstance(answer, bool):
            raise ConditionError(f"{self.source!r} gives {answer!r}, neither true nor false")
        return answer

    def seen(self, variables: Variables) -> str:
        """The condition with the values it saw: ``level >= 2 (level=2)``."""
        values = ", ".join(f"{name}={variables[name]!r}" for name in self.names)
        return f"{self.source} ({values})" if values else self.source


def flaws(source: str, airshed: Airshed, kinds: list[TransitionKind]) -> list[Flaw]:
    """Everything wrong with a condition, as far as it can be told before it is used."""
    try:
        program = cel.compile(source)
    except ValueError as error:
        return [_syntax_flaw(str(error))]
    found = [*_unknown_names(source, program), *_unknown_texts(source, airshed)]
    found = found or _failures(source, airshed, kinds)
    return found or list(_impossible(source, airshed, kinds))


def _syntax_flaw(message: str) -> Flaw:
    match = _SYNTAX.search(message)
    if match is None:
        return Flaw(1, 1, f"not a CEL expression: {message}")
    return Flaw(int(match[1]), int(match[2]), f"not a CEL expression: {match[3].split(' expecting ')[0].strip()}")


def _unknown_names(source: str, program: Any) -> Iterator[Flaw]:
    bound = set(_BOUND.findall(source))
    for name in program.variables():
        if name not in VARIABLES and name not in bound:
            remedy = nearest(name, VARIABLES) or f"known: {', '.join(VARIABLES)}"
            yield _flaw_at(source, name, f"unknown variable {name!r}", remedy)
    for name in program.functions():
        if name.isidentifier() and name not in _FUNCTIONS:  # operators have names like _+_
            remedy = nearest(name, _FUNCTIONS) or f"known: {', '.join(_FUNCTIONS)}"
            yield _flaw_at(source, name, f"unknown function {name!r}", remedy)


def _unknown_texts(source: str, airshed: Airshed) -> Iterator[Flaw]:
    """Texts that no variable ever holds, so that comparing with them is surely a slip."""
    levels = [level.name for level in airshed.levels]
    known = [*get_args(TransitionKind), *levels, "none", *(province.code for province in airshed.provinces)]
    for match in _TEXT.finditer(source):
        text = match[1] if match[1] is not None else match[2]
        if text not in known and not _DATE.fullmatch(text):  # part of a date is compared with ``date``
            remedy = nearest(text, known) or f"levels: {', '.join(levels)}; provinces by code"
            line, column = _position(source, match.start())
            yield Flaw(line, column, f"{text!r} is no kind of event, level, province code or date", remedy)


def _failures(source: str, airshed: Airshed, kinds: list[TransitionKind]) -> list[Flaw]:
    """The first piece that sample events show to be wrong."""
    fault = next(faults(source, samples(airshed, kinds)), None)
    if fault is None:
        return []
    line, column = _position(source, fault.start)
    return [Flaw(line, column, fault.message, LIKE_WITH_LIKE)]


_ENUMERABLE = {"kind", "level", "previous_level", "peak_level", "level_name"}


def _impossible(source: str, airshed: Airshed, kinds: list[TransitionKind]) -> Iterator[Flaw]:
    """A condition that must hold of levels and kinds and holds for none of them: its rule would never speak."""
    operator, spans = cut(source)
    pieces = [(source, 0), *((source[start:end], start) for start, end in spans if operator == "&&")]
    for text, start in pieces:
        names = set(compiled(text).variables())
        if kinds and names and names <= _ENUMERABLE and not _can_hold(Condition(text), airshed, kinds):
            line, column = _position(source, start + bare(text)[0])
            remedy = f"levels go from 0 to {len(airshed.levels)}"
            yield Flaw(line, column, f"holds for no event of the kinds {', '.join(kinds)}", remedy)
            return


def _can_hold(condition: Condition, airshed: Airshed, kinds: list[TransitionKind]) -> bool:
    numbers = range(len(airshed.levels) + 1)
    for kind, level, previous, peak in product(kinds, numbers, numbers, numbers):
        event = {"kind": kind, "level": level, "previous_level": previous, "peak_level": peak}
        if condition.holds(event | {"level_name": airshed.level_name(level)}):
            return True
    return False


def _flaw_at(source: str, name: str, message: str, remedy: str) -> Flaw:
    match = re.search(rf"\b{re.escape(name)}\b", source)
    line, column = _position(source, match.start() if match else 0)
    return Flaw(line, column, message, remedy)


def _position(source: str, offset: int) -> tuple[int, int]:
    before = source[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
