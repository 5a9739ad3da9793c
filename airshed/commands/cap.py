"""CAP documents: are they valid?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from notifiers.cap.checks import problems

app = typer.Typer(help="Public alerts in CAP 1.2.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """A group, so that the command keeps its name."""


@app.command("check")
def cap_check(files: Annotated[list[Path], typer.Argument(help="CAP documents, ours or anybody's.")]) -> None:
    """Check documents against the OASIS schema and the rules of the standard beside it.

    Example: `airshed cap check cap/*.xml`
    """
    out = Console(highlight=False, markup=False, soft_wrap=True)
    failed = False
    for file in files:
        found = problems(file.read_bytes())
        failed = failed or bool(found)
        out.print(f"{'FAIL' if found else 'ok  '}  {file}")
        for problem in found:
            out.print(f"      {problem}")
    if failed:
        raise typer.Exit(1)
