"""``airshed ledger``: what has become of messages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from airshed.channels import channel_names
from airshed.configuration import load
from airshed.local.live import database_of
from airshed.watching import patience_of
from notifiers import auditor
from notifiers.database import reading
from streams.clock import SystemClock

app = typer.Typer(help="The ledger of messages: what is late, and what to do about it.", no_args_is_help=True)

Config = Annotated[Path, typer.Option(help="The installation's configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
_DEFAULT = Path("airshed.toml")


@app.callback()
def _ledger() -> None:
    """The ledger of messages: what is late, and what to do about it."""


@app.command("audit")
def audit(config: Config = _DEFAULT, json: Json = False) -> None:
    """Find what has not come to its end in its time, and say what to do. Exit code 1 if there is anything but what
    people hold back on purpose: by the stop switch, behind the storm guard.

    Example: `airshed ledger audit`
    """
    settings = load(config)
    with reading(database_of(settings)) as connection:
        found = auditor.audit(connection, SystemClock().now_s(), patience_of(settings), channel_names(settings))
    if json:
        rows = [msgspec.to_builtins(finding) | {"says": finding.says, "remedy": finding.remedy} for finding in found]
        typer.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
    else:
        for finding in found:
            typer.echo(f"{finding.problem:<12}  {finding.says}: {finding.remedy}")
        if not found:
            typer.echo("everything has come to its end in its time, or still has time")
    raise typer.Exit(1 if any(finding.problem not in auditor.DELIBERATE for finding in found) else 0)
