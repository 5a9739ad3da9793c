"""Jinja for templates that nobody has to trust: what may stand in one, and how much it may do.

Jinja's own sandbox stops attribute tricks; it does not stop a string of 100 MB or a loop that never ends. Here a
template is read before it is compiled (only the few constructions ours need may stand in it), and while it runs
everything it writes, calls or filters is paid from a budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, NoReturn

from jinja2 import StrictUndefined, nodes, select_autoescape
from jinja2.exceptions import SecurityError
from jinja2.runtime import Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

MOST_CHARACTERS = 200_000
"""Budget of one rendering, in characters; every call and every expression costs one more. A mail of ours takes about
10 000, and twenty times that is surely a broken template."""

LARGEST_TEMPLATE = 64_000  # characters; the largest of ours has 6 000
DEEPEST_LOOPS = 2
"""Loops in loops. Lists are as long as an airshed has provinces, some dozens, so that two deep is thousands of steps
at most; a third would be hundreds of thousands without writing a word."""

_FILTERS = ("upper", "lower", "capitalize", "join", "length", "default", "first", "last", "trim", "escape", "e")
_FORBIDDEN: dict[type[nodes.Node], str] = {
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "import",
    nodes.Extends: "extends",
    nodes.Block: "block",
    nodes.Assign: "set",
    nodes.AssignBlock: "set",
    nodes.FilterBlock: "filter block",
    nodes.CallBlock: "call block",
    nodes.Concat: "~",
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
    nodes.Pow: "**",
    nodes.Slice: "slice",
    nodes.Keyword: "keyword argument",
}
"""What templates of ours never need, and what makes small things large: arithmetic, on texts too, and assignments."""


class Budget:
    """Counts what one rendering writes and does, and ends it beyond the cap."""

    def __init__(self) -> None:
        self.left = 0

    def refill(self) -> None:
        """Another rendering begins."""
        self.left = MOST_CHARACTERS

    def written(self, value: Any) -> Any:
        """Pay for a value that is written; ``finalize`` of the environment."""
        self.pay(1 + len(str(value)))
        return value

    def pay(self, characters: int) -> None:
        """Raises :class:`SecurityError` when nothing is left."""
        self.left -= characters
        if self.left < 0:
            _refuse(f"writing or doing more than {MOST_CHARACTERS} characters")


class GuardedEnvironment(ImmutableSandboxedEnvironment):
    """Refuses templates that hold, and renderings that do, what a message never needs."""

    def __init__(self, loader: Any) -> None:
        self.budget = Budget()
        super().__init__(
            finalize=self.budget.written,
            loader=loader,
            undefined=StrictUndefined,
            autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=False,
            optimized=False,  # constants would be worked out while the template is compiled, unpaid
        )
        self.globals.clear()
        self.filters = {name: self._paid(self.filters[name]) for name in _FILTERS}
        self.tests = {name: self.tests[name] for name in ("none", "defined")}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        if len(source) > LARGEST_TEMPLATE:
            _refuse(f"a template of more than {LARGEST_TEMPLATE} characters")
        found = super()._parse(source, name, filename)
        for problem in _problems(found):
            _refuse(problem)
        return found

    def call(self, context: Any, called: Any, *arguments: Any, **named: Any) -> Any:
        """Every call goes through here."""
        self.budget.pay(1)
        return super().call(context, called, *arguments, **named)

    def is_safe_callable(self, called: Any) -> bool:
        """Macros only; no methods of anything."""
        return isinstance(called, Macro)

    def _paid(self, filter_: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(filter_)
        def paid(*arguments: Any) -> Any:
            result = filter_(*arguments)
            self.budget.pay(1 + (len(result) if isinstance(result, str) else 0))
            return result

        return paid


def _problems(template: nodes.Node) -> Iterator[str]:
    for kind, what in _FORBIDDEN.items():
        for found in template.find_all(kind):
            yield f"line {found.lineno}: {what}"
    for macro in template.find_all(nodes.Macro):
        if macro.args:
            yield f"line {macro.lineno}: a macro with arguments"
    for loop in template.find_all(nodes.For):
        if loop.recursive or not isinstance(loop.iter, nodes.Name | nodes.Getattr):
            yield f"line {loop.lineno}: a loop over anything but a list of the facts"
    if _depth(template) > DEEPEST_LOOPS:
        yield f"loops more than {DEEPEST_LOOPS} deep"


def _depth(node: nodes.Node) -> int:
    below = max((_depth(child) for child in node.iter_child_nodes()), default=0)
    return below + isinstance(node, nodes.For)


def _refuse(what: str) -> NoReturn:
    raise SecurityError(f"{what} is not allowed in a template")
