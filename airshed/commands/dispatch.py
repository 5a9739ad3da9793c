"""``airshed dispatch``: the service that sends, the switch that stops all of it, and what waits."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from airshed.commands.runtime import Port, serve, settings_of
from airshed.configuration import load
from airshed.kafka import services
from airshed.local.live import database_of
from notifiers import switch
from notifiers.database import reading
from notifiers.outstanding import Held, held
from notifiers.switch import Position
from streams.clock import SystemClock, utc

app = typer.Typer(
    help="""The notifiers of the Kafka runtime: from the topic `notices` to the ledger, and from there to people.

Example: `airshed dispatch --config airshed.toml --port 8602`. The switch that stops all sending is `dispatch stop`.
""",
    invoke_without_command=True,
)

Config = Annotated[Path, typer.Option(help="The installation's configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Officer = Annotated[str, typer.Option(help="Name or number of the officer who switches.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept, and shown to everybody who asks.")]
_DEFAULT = Path("airshed.toml")


@app.callback()
def dispatch(
    context: typer.Context,
    config: Config = _DEFAULT,
    name: Annotated[
        str | None,
        typer.Option(help="Name of this dispatcher, its own among those on one ledger; default: the host's."),
    ] = None,
    once: Annotated[
        bool,
        typer.Option("--once", help="For recorded readings: send what the topic holds, on its own time, then end."),
    ] = False,
    port: Port = None,
) -> None:
    """Send, unless one of the commands below is given."""
    if context.invoked_subcommand is not None:
        return
    settings = settings_of(config)

    async def run(stop: asyncio.Event) -> None:
        await services.dispatch(settings, stop, name=name, port=port, once=once)

    serve(run)


@app.command("stop")
def stop(reason: Reason, officer: Officer = "console", config: Config = _DEFAULT) -> None:
    """Stop ALL sending at once, on every dispatcher, until `airshed dispatch resume`. Survives restarts.

    What a provider has been asked already cannot be taken back. Nothing is lost: messages wait, until they are of no
    use any more.

    Example: `airshed dispatch stop --officer "duty officer 7" --reason "wrong level in the pack"`
    """
    with database_of(load(config)).begin() as connection:
        changed = switch.stop(connection, officer, reason, SystemClock().now_s())
    typer.echo("all sending is stopped" if changed else "all sending was stopped already; the reason is noted")


@app.command("resume")
def resume(reason: Reason, officer: Officer = "console", config: Config = _DEFAULT) -> None:
    """Let sending go on after a stop. What has become idle or too late meanwhile is not sent.

    Example: `airshed dispatch resume --officer "duty officer 7" --reason "the pack is mended"`
    """
    with database_of(load(config)).begin() as connection:
        changed = switch.resume(connection, officer, reason, SystemClock().now_s())
    typer.echo("sending goes on" if changed else "nothing was stopped")
    raise typer.Exit(0 if changed else 1)


@app.command("held")
def show_held(config: Config = _DEFAULT, json: Json = False) -> None:
    """What has not been sent yet and why: the switch, the storm guard, approvals, quiet hours, the provider.

    Example: `airshed dispatch held`
    """
    with reading(database_of(load(config))) as connection:
        position, waiting = switch.position(connection), held(connection, SystemClock().now_s())
    if json:
        answer = {"switch": msgspec.to_builtins(position), "held": [msgspec.to_builtins(row) for row in waiting]}
        typer.echo(msgspec.json.format(msgspec.json.encode(answer)).decode())
        return
    typer.echo(_switch_line(position))
    sums: Counter[str] = Counter()
    for row in waiting:
        sums[row.why.value] += row.messages
        typer.echo(_line(row))
    typer.echo("; ".join(f"{why}: {number:,}" for why, number in sums.most_common()) or "nothing waits")


@app.command("history")
def history(config: Config = _DEFAULT, json: Json = False) -> None:
    """Every stop and resume: when, who, why. The newest first.

    Example: `airshed dispatch history`
    """
    with reading(database_of(load(config))) as connection:
        entries = switch.history(connection)
    if json:
        typer.echo(msgspec.json.format(msgspec.json.encode([msgspec.to_builtins(entry) for entry in entries])).decode())
        return
    for entry in entries:
        what = "stopped" if entry.stopped else "resumed"
        typer.echo(f"{_time(entry.time_s)}  {what}  {entry.officer}: {entry.reason}")
    if not entries:
        typer.echo("the switch was never touched")


def _switch_line(position: Position) -> str:
    if not position.stopped:
        return "sending is on"
    return f"ALL SENDING IS STOPPED since {_time(position.time_s)} by {position.officer}: {position.reason}"


def _line(row: Held) -> str:
    until = f" until {_time(row.until_s)}" if row.until_s else ""
    detail = f" ({row.detail})" if row.detail not in (row.why.value, "planned") else ""
    notice = row.notice[:8] or "-"
    return f"{row.messages:>9,}  {row.why.value:<12} {row.channel:<6} {row.kind:<11} {notice}{detail}{until}"


def _time(seconds: Any) -> str:
    return utc(seconds).strftime("%Y-%m-%d %H:%M:%SZ")
