"""``airshed rules``: validate a pack before it is switched on."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.console import Console

from airshed.lazy import MARKUP, Lazy, lazy_group
from rules.documents import read_document
from rules.loading import pack_file
from rules.model import Pack
from streams.errors import PackError

_SHELF = "airshed.commands.shelf"

COMMANDS = {
    "check": Lazy(
        "airshed.commands.rules:check", "Validate a rule pack; every problem with file, line, column and remedy."
    ),
    "explain": Lazy(
        "airshed.commands.explain:explain",
        "Say why a rule spoke at a moment, or did not: reason, values, parts of its condition, and what was missing.",
    ),
    "preview": Lazy(
        "airshed.commands.preview:preview",
        "Render every message of a pack in every language, with the longest names, and count the SMS parts.",
    ),
    "test": Lazy(
        "airshed.commands.rules_test:test",
        "Run the cases of a pack: given these hours, are these notices made, and no others?",
    ),
    "schema": Lazy(
        "airshed.commands.rules_schema:schema",
        "Print the JSON Schema of rule packs: editors that know it complete keys and mark mistakes as one writes.",
    ),
    "activate": Lazy(
        f"{_SHELF}:activate_pack", "Check a pack whole, put it on the shelf, and say from which hour on it judges."
    ),
    "move": Lazy(
        f"{_SHELF}:move",
        "Let an open episode go on under another pack, from an hour on. With several open, each has to be moved.",
    ),
    "status": Lazy(
        f"{_SHELF}:status",
        "Which pack is in force and since when, what comes next, and what is refused, with file, line and column.",
    ),
}

app = typer.Typer(help="Rule packs.", no_args_is_help=True, cls=lazy_group(COMMANDS), rich_markup_mode=MARKUP)


@app.callback()
def _group() -> None:
    """Rule packs: check one before it is switched on."""


def check(
    pack: Annotated[str, typer.Argument(help="Name of a packaged pack, or path of a YAML file.")],
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Validate a rule pack; every problem with file, line, column and remedy.

    Example: `airshed rules check vietnam-2026`
    """
    out = Console(highlight=False, soft_wrap=True)
    try:
        loaded = _checked(pack)
    except PackError as error:
        if not json:
            raise
        problems = [
            {"place": p.place, "field": p.field, "problem": p.message, "remedy": p.remedy} for p in error.problems
        ]
        out.print_json(msgspec.json.encode({"ok": False, "problems": problems}).decode())
        raise typer.Exit(1) from None
    if json:
        out.print_json(msgspec.json.encode({"ok": True, "pack": loaded.reference, "rules": len(loaded.rules)}).decode())
    else:
        out.print(_summary(loaded))


def _checked(name: str) -> Pack:
    """The pack, with every rule said at its longest in every language. Raises ``PackError``."""
    from notifiers.sayable import message_problems  # templates: not for every start of the command line

    file = pack_file(name)
    pack = file.parsed()
    problems = list(message_problems(read_document(file.name, file.raw), pack))
    if problems:
        raise PackError(problems)
    return pack


def _summary(pack: Pack) -> str:
    levels = ", ".join(
        f"{level.name} ({level.enter} for {level.enter_hours} h, until below {level.exit} for {level.exit_hours} h)"
        for level in pack.airshed.levels
    )
    lines = [
        f"{pack.reference}: in order",
        f"  airshed   {pack.airshed.code}, {len(pack.airshed.provinces)} provinces, {pack.airshed.standard}",
        f"  levels    {levels}",
        f"  rules     {', '.join(rule.id for rule in pack.rules)}",
    ]
    return "\n".join(lines)
