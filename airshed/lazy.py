"""Commands that are imported when they are called: `airshed --help` need not know Kafka, SQL and HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

MARKUP: Literal["markdown"] = "markdown"


@dataclass(frozen=True)
class Lazy:
    """Where a command is, and its line in the list of commands.

    Attributes:
        target: ``module:function``, or ``module:app`` for a group of commands.
        help: first paragraph of the function's docstring, or the group's help; a test compares them.
    """

    target: str
    help: str

    def load(self) -> Any:
        """The function or group."""
        module, _, name = self.target.partition(":")
        return getattr(import_module(module), name)


def lazy_group(commands: Mapping[str, Lazy]) -> type[TyperGroup]:
    """A group with these commands, in this order; for ``typer.Typer(cls=…)``."""

    class LazyGroup(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            for name, lazy in commands.items():
                self.add_command(TyperCommand(name, help=lazy.help, rich_markup_mode=MARKUP))

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            name, command, rest = super().resolve_command(ctx, args)
            if name is not None and name in commands:
                command = _real(name, commands[name])
            return name, command, rest

    return LazyGroup


def _real(name: str, lazy: Lazy) -> Any:
    found = lazy.load()
    outer = typer.Typer(rich_markup_mode=MARKUP)
    if isinstance(found, typer.Typer):
        outer.add_typer(found, name=name)
    else:
        outer.command(name)(found)
    return typer.main.get_group(outer).commands[name]
