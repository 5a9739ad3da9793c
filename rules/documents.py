"""A YAML file as plain data that remembers the line and column of every value.

Scalars follow YAML 1.2's core schema (``on`` is a word and ``01`` is text; PyYAML's own reading, YAML 1.1, would make
``true`` and 1 of them). Tags and keys given twice are refused: they are never meant in a rule pack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from streams.errors import Problem

Path = tuple[str | int, ...]
"""Where a value stands: ``("rules", 3, "when")``."""

LARGEST_BYTES = 1_000_000
"""The packs for whole countries take some 50 kB."""

_MOST_DIGITS = 100
"""A longer number stays text, and is refused as such; Python itself raises above 4 300 digits."""

MOST_NODES = 100_000
"""Aliases can blow a small file up without end; a large pack has a few thousand values."""

_CORE = re.compile(
    r"(?P<null>|~|null|Null|NULL)|(?P<bool>true|True|TRUE|false|False|FALSE)"
    r"|(?P<int>[-+]?(?:0|[1-9][0-9]*))|(?P<float>[-+]?(?:0|[1-9][0-9]*)?\.[0-9]+(?:[eE][-+]?[0-9]+)?)"
)
_STR, _SEQ, _MAP = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))


class _Loader(yaml.SafeLoader):
    """Resolves no scalars; that is done here."""


_Loader.yaml_implicit_resolvers = {}


@dataclass
class Document:
    """The data of a file and the place of each value.

    Attributes:
        name: the file, for people.
        value: nested dicts, lists and scalars; ``None`` if the file cannot be read at all.
        nodes: the YAML node of each value; ``keys``: of the key it stands under.
        problems: what is wrong with the file as YAML.
    """

    name: str
    text: str
    value: Any = None
    nodes: dict[Path, yaml.Node] = field(default_factory=dict)
    keys: dict[Path, yaml.Node] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, path: Path, message: str, remedy: str = "", *, at_key: bool = False) -> Problem:
        """A problem at a value (or at its key); a value that is missing is placed at what it is missing from."""
        node = self.keys.get(path) if at_key else self._nearest_node(path)
        line, column = (node.start_mark.line + 1, node.start_mark.column + 1) if node else (1, 1)
        return self.problem_at(line, column, path, message, remedy)

    def _nearest_node(self, path: Path) -> yaml.Node | None:
        return next((self.nodes[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.nodes), None)

    def problem_at(self, line: int, column: int, path: Path, message: str, remedy: str = "") -> Problem:
        """A problem at a line and column, both counted from 1."""
        return Problem(message, place=f"{self.name}:{line}:{column}", field=dotted(path), remedy=remedy)

    def position_in(self, path: Path, line: int, column: int) -> tuple[int, int]:
        """Place in the file of a place inside a text value, all counted from 1."""
        node = self.nodes[path]
        start = node.start_mark
        style = getattr(node, "style", None)
        if style == "|":
            first = self.text.splitlines()[start.line + 1]
            return start.line + line + 1, len(first) - len(first.lstrip()) + column
        if style == ">":  # lines are folded into one: where a word stood is not known any more
            return start.line + 1, start.column + 1
        if line > 1:
            return start.line + line, column
        return start.line + 1, start.column + column + (1 if style else 0)


def dotted(path: Path) -> str:
    """``rules[3].when``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def read_document(name: str, raw: bytes) -> Document:
    """Read a YAML file. Never raises for what is in it: see ``problems``."""
    try:
        document = Document(name, raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        return _broken(Document(name, ""), line, 1, f"byte {error.start} is not UTF-8", "save the file as UTF-8")
    if len(raw) > LARGEST_BYTES:
        return _broken(document, 1, 1, f"{len(raw)} bytes", f"a pack has at most {LARGEST_BYTES} bytes")
    try:
        root = yaml.compose(document.text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return _broken(document, line, column, error.problem or "not YAML", "look at the indentation and quotes there")
    except (yaml.YAMLError, RecursionError) as error:
        return _broken(document, 1, 1, f"not YAML: {error}", "is it a text file?")
    if root is None:
        return _broken(document, 1, 1, "the file is empty", "start from a copy of a packaged pack")
    _Reader(document).read(root)
    return document


def _broken(document: Document, line: int, column: int, message: str, remedy: str) -> Document:
    document.problems.append(document.problem_at(line, column, (), message, remedy))
    return document


class _Reader:
    """Walks the nodes once, turning them into data."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._seen = 0

    def read(self, root: yaml.Node) -> None:
        try:
            self._document.value = self._data(root, (), ())
        except _TooLargeError:
            too_large = "the file contains itself, or far too much"
            self._document.problems.append(self._document.problem((), too_large, "write aliases out"))

    def _data(self, node: yaml.Node, path: Path, above: tuple[int, ...]) -> Any:
        self._seen += 1
        if self._seen > MOST_NODES or id(node) in above:
            raise _TooLargeError
        self._document.nodes[path] = node
        if node.tag not in (_STR, _SEQ, _MAP):
            remedy = "write the value without a tag"
            self._document.problems.append(self._document.problem(path, f"tag {node.tag} is not used here", remedy))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, (*above, id(node)))
        if isinstance(node, yaml.SequenceNode):
            return [self._data(item, (*path, number), (*above, id(node))) for number, item in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path, above: tuple[int, ...]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            place = (*path, key)
            if key in data:
                first = self._document.keys[place].start_mark.line + 1
                self._document.keys[place] = key_node
                twice = self._document.problem(place, f"{key!r} is given twice, first in line {first}", at_key=True)
                self._document.problems.append(twice)
            self._document.keys[place] = key_node
            data[key] = self._data(value_node, place, above)
        return data


class _TooLargeError(Exception):
    pass


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    if getattr(node, "style", None) is not None:
        return text
    match = _CORE.fullmatch(text)
    kind = match.lastgroup if match else None
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int" and len(text) <= _MOST_DIGITS:
        return int(text)
    return float(text) if kind == "float" else text
