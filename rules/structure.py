"""Data against a msgspec struct, with every mismatch at once.

msgspec stops at the first mismatch. A pack is checked by its author, who wants to see all of them; so the structs
are walked here and msgspec judges the single values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from rules.documents import Document, Path
from streams.errors import Problem

Kind = TypeVar("Kind")


def mismatches(document: Document, kind: Any, value: Any, path: Path = ()) -> Iterator[Problem]:
    """Everything in ``value`` that does not fit ``kind``: unknown and missing keys, wrong types, wrong values."""
    origin = get_origin(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield from _in_struct(document, kind, value, path)
    elif origin in (Union, UnionType):
        yield from _in_union(document, get_args(kind), value, path)
    elif origin is list:
        yield from _in_list(document, get_args(kind)[0], value, path)
    elif origin is dict:
        yield from _in_dict(document, get_args(kind)[1], value, path)
    elif origin is Literal:
        if value not in get_args(kind):
            known = [str(choice) for choice in get_args(kind)]
            yield document.problem(path, f"{value!r} is not one of {', '.join(known)}", nearest(str(value), known))
    else:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            yield document.problem(path, _plain(str(error)), _remedy(value, str(error)))


def _in_union(document: Document, kinds: tuple[Any, ...], value: Any, path: Path) -> Iterator[Problem]:
    """A struct is judged field by field; everything else as msgspec sees the union."""
    structs = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    others = [kind for kind in kinds if kind not in structs]
    if structs and not (value is None and type(None) in others):
        yield from mismatches(document, structs[0], value, path)
        return
    try:
        msgspec.convert(value, Union[tuple(kinds)])  # noqa: UP007 - the members are only known here
    except msgspec.ValidationError as error:
        yield document.problem(path, _plain(str(error)), _remedy(value, str(error)))


def _in_struct(document: Document, kind: type[msgspec.Struct], value: Any, path: Path) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield document.problem(path, f"expected keys and values, got {_named(value)}")
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key, inner in value.items():
        if key in fields:
            yield from mismatches(document, fields[key].type, inner, (*path, key))
        else:
            remedy = nearest(key, fields) or f"known here: {', '.join(fields)}"
            yield document.problem((*path, key), f"unknown key {key!r}", remedy, at_key=True)
    for key, field in fields.items():
        if field.required and key not in value:
            yield document.problem((*path, key), f"{key!r} is missing", "add it here")


def _in_list(document: Document, kind: Any, value: Any, path: Path) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield document.problem(path, f"expected a list, got {_named(value)}", "write - in front of each item")
        return
    for number, item in enumerate(value):
        yield from mismatches(document, kind, item, (*path, number))


def _in_dict(document: Document, kind: Any, value: Any, path: Path) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield document.problem(path, f"expected keys and values, got {_named(value)}")
        return
    for key, item in value.items():
        yield from mismatches(document, kind, item, (*path, key))


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean 'episode'?``, or nothing."""
    found = get_close_matches(word, [str(name) for name in known], n=1)
    return f"did you mean {found[0]!r}?" if found else ""


def _named(value: Any) -> str:
    names = {dict: "keys and values", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), f"the number {value}")


def _plain(message: str) -> str:
    return message[0].lower() + message[1:].replace("`", "").replace("int | float", "a number")


def _remedy(value: Any, message: str) -> str:
    if "Expected `str`" in message and isinstance(value, int | float):
        return f'put it in quotes: "{str(value).lower()}"'
    if "matching regex" not in message:
        return ""
    if "[0-5]" in message:
        return "local hours, e.g. 22:00-06:00"
    return "a date, e.g. 2026-02-17" if "{4}" in message else "small letters, digits and - only"


def twice(document: Document, values: Iterable[tuple[Path, str]], what: str) -> Iterator[Problem]:
    """Values that must be unique and are not; the first of each is left in peace."""
    values = list(values)
    counts = Counter(value for _, value in values)
    seen: set[str] = set()
    for path, value in values:
        if counts[value] > 1 and value in seen:
            yield document.problem(path, f"{what} {value!r} is used twice", "each must be used once")
        seen.add(value)
