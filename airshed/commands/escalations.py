"""``airshed facilities escalations``: which requests are followed up, and how far that is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from airshed.configuration import load
from airshed.local.live import database_of
from notifiers.database import reading
from notifiers.escalations import Escalation, listed
from streams.clock import utc

Config = Annotated[Path, typer.Option(help="The installation's configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
OpenOnly = Annotated[bool, typer.Option("--open", help="Only those that have not come to an end.")]


def show_escalations(config: Config = Path("airshed.toml"), open_only: OpenOnly = False, json: Json = False) -> None:
    """Requests to facilities that are followed up: whom, how far, what was answered, and when it goes on.

    Example: `airshed facilities escalations --open`
    """
    with reading(database_of(load(config))) as connection:
        found = listed(connection, open_only=open_only)
    if json:
        rows = [msgspec.to_builtins(escalation) for escalation in found]
        typer.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    for escalation in found:
        typer.echo(_line(escalation))
    if not found:
        typer.echo("nothing is followed up")


def _line(escalation: Escalation) -> str:
    made = ", ".join(f"{channel} {_time(when)} {state}" for channel, _, when, state in escalation.calls) or "none yet"
    then = f", looked at again {_time(escalation.next_s)}" if escalation.next_s else ""
    who = f"{escalation.recipient} {escalation.facility_name}".rstrip()
    asked = _time(escalation.started_s)
    state = f"{escalation.state} ({escalation.reason})"
    return f"{escalation.notice[:8]}  {who}: {state}, asked {asked}, calls: {made}{then}"


def _time(seconds: float) -> str:
    return utc(seconds).strftime("%Y-%m-%d %H:%MZ")
