"""``airshed rules test``: the cases of a pack, each against what it should say."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from rules.loading import load_pack
from rules.trials import TrialFile, read_trials
from streams.errors import PackError, Problem


def test(
    pack: Annotated[str, typer.Argument(help="Name of a packaged pack, or path of a YAML file.")],
    file: Annotated[
        Path | None, typer.Argument(help="File of cases; default: tests/NAME.yaml beside the pack.", exists=True)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Run the cases of a pack: given these hours, are these notices made, and no others?

    Example: `airshed rules test vietnam-2026`
    """
    from airshed.trials import run  # the whole pipeline: not for every start of the command line

    loaded = load_pack(pack)
    trials = read_trials(file or beside(pack, loaded.name), loaded)
    out = Console(highlight=False, soft_wrap=True)
    failed = 0
    answers = []
    for trial, differences in run(trials, loaded):
        failed += bool(differences)
        answers.append({"case": trial.name, "ok": not differences, "differences": differences})
        if not json:
            out.print(f"{'[green]ok[/green]  ' if not differences else '[red]FAIL[/red]'} {trial.name}")
            for difference in differences:
                out.print(f"       {difference.place}: {difference.message}", markup=False)
    if json:
        out.print_json(msgspec.json.encode({"ok": not failed, "pack": loaded.reference, "cases": answers}).decode())
    else:
        out.print(_summary(loaded.reference, trials, failed))
    raise typer.Exit(1 if failed else 0)


def beside(pack: str, name: str) -> Path:
    """The file of cases that belongs to a pack. Raises ``PackError`` when there is none."""
    path = Path(pack)
    folder = path.parent if path.is_file() else Path(str(resources.files("rules") / "packs"))
    found = folder / "tests" / f"{path.stem if path.is_file() else name}.yaml"
    if not found.is_file():
        remedy = "write one there, or give it after the pack"
        raise PackError([Problem("there is no file of cases", place=str(found), remedy=remedy)])
    return found


def _summary(reference: str, trials: TrialFile, failed: int) -> str:
    cases = f"{len(trials.cases)} case{'s' if len(trials.cases) != 1 else ''}"
    return f"{reference}: {cases}, {f'{failed} not as expected' if failed else 'all as expected'}"
