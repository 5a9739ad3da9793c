"""``airshed silences``: what officers keep quiet, until when and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import sqlalchemy as sa
import typer

from airshed.commands.moments import seconds_of
from airshed.configuration import Configuration, load
from airshed.local.live import database_of
from airshed.packs import base_of
from notifiers import silences
from notifiers.database import reading
from notifiers.silences import Silence
from notifiers.tables import facilities
from streams.clock import HOUR_S, SystemClock, utc
from streams.errors import InputError

app = typer.Typer(
    help="Keep a rule, a province or a plant quiet until a stated time, with a reason.", no_args_is_help=True
)

Config = Annotated[Path, typer.Option(help="The installation's configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Officer = Annotated[str, typer.Option(help="Name or number of the officer.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept, and shown to everybody who asks.")]
_DEFAULT = Path("airshed.toml")
_PREVIEW_S = 7 * 24 * HOUR_S


@app.command("add")
def add(
    until: Annotated[str, typer.Option(help="When it ends, with an offset: 2026-01-14T18:00+07:00.")],
    reason: Reason,
    officer: Officer,
    begins: Annotated[
        str | None, typer.Option("--from", help="When it begins; default: with the hour that has just ended.")
    ] = None,
    rule: Annotated[str, typer.Option(help="Only notices of this rule of the pack.")] = "",
    province: Annotated[list[str] | None, typer.Option(help="Only there: code or name; may be repeated.")] = None,
    facility: Annotated[str, typer.Option(help="Only this plant; its id.")] = "",
    recipients: Annotated[str, typer.Option(help="Only residents, or only facilities.")] = "",
    urgent: Annotated[
        bool, typer.Option("--urgent", help="Also what is urgent (priority 0): requests, warnings to save lives.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would have kept quiet in the last week.")
    ] = False,
    config: Config = _DEFAULT,
) -> None:
    """Keep something quiet. Says first what that would have kept quiet in the last seven days.

    Ends and corrections are never silenced. What is kept quiet is not sent later; its rows say `silenced`.

    Example: `airshed silences add --facility F012 --urgent --until 2026-01-14T18:00+07:00 --officer "duty officer 7"
    --reason "shut down for maintenance"`
    """
    settings = load(config)
    now_s = SystemClock().now_s()
    silence = Silence(
        id="",
        officer=officer,
        reason=reason,
        created_s=now_s,
        from_s=seconds_of(begins, "--from") if begins else int(now_s) // HOUR_S * HOUR_S,
        until_s=seconds_of(until, "--until"),
        rule=_rule(settings, rule),
        recipients=_recipients(recipients),
        provinces=tuple(_province(settings, text) for text in province or ()),
        facility=facility,
        urgent=urgent,
    )
    engine = database_of(settings)
    with reading(engine) as connection:
        _check_facility(connection, facility)
        hidden = silences.preview(connection, silence, now_s - _PREVIEW_S)
    typer.echo(f"in the last 7 days it would have kept quiet {hidden.messages:,} messages of {hidden.notices} notices")
    if dry_run:
        return
    with engine.begin() as connection:
        added = silences.add(connection, silence, now_s)
    typer.echo(_line(added, now_s))


@app.command("list")
def list_silences(
    config: Config = _DEFAULT,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    json: Json = False,
) -> None:
    """Show what is kept quiet: until when, by whom and why.

    Example: `airshed silences list`
    """
    now_s = SystemClock().now_s()
    with reading(database_of(load(config))) as connection:
        found = silences.listed(connection, after_s=0.0 if every else now_s)
    if json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    for silence in found:
        typer.echo(_line(silence, now_s))
    if not found:
        typer.echo("nothing is silenced")


@app.command("end")
def end(
    silence: Annotated[str, typer.Argument(help="Its id, from `airshed silences list`.")],
    reason: Reason,
    officer: Officer,
    config: Config = _DEFAULT,
) -> None:
    """End a silence before its time. What it has kept quiet is not sent later.

    Example: `airshed silences end 3f9c01ab --officer "duty officer 7" --reason "the kiln runs again"`
    """
    with database_of(load(config)).begin() as connection:
        ended = silences.end(connection, silence, officer, reason, SystemClock().now_s())
    typer.echo(f"{silence}: " + ("ended" if ended else "there is none of that id that is not over"))
    raise typer.Exit(0 if ended else 1)


def _line(silence: Silence, now_s: float) -> str:
    state = "in force" if silence.holds(now_s) else "over" if silence.until_s <= now_s else "to come"
    about = [f"rule {silence.rule}"] if silence.rule else []
    about += [f"plant {silence.facility}"] if silence.facility else []
    about += [f"provinces {' '.join(silence.provinces)}"] if silence.provinces else []
    about += [f"only {silence.recipients}"] if silence.recipients else []
    about += ["urgent as well"] if silence.urgent else []
    said = f"{silence.officer}: {silence.reason}"
    early = f"; ended by {silence.ended_by}: {silence.ended_reason}" if silence.ended_by else ""
    times = f"{_time(silence.from_s)} to {_time(silence.until_s)}"
    return f"{silence.id}  {state:<8}  {times}  {', '.join(about)}  ({said}{early})"


def _time(seconds: float) -> str:
    return utc(seconds).strftime("%Y-%m-%d %H:%MZ")


def _rule(settings: Configuration, rule: str) -> str:
    known = [one.id for one in base_of(settings).rules]
    if rule and rule not in known:
        raise InputError(f"the pack has no rule {rule}", field="--rule", remedy=f"one of {', '.join(known)}")
    return rule


def _recipients(text: str) -> str:
    if text not in ("", "residents", "facilities"):
        raise InputError(f"{text!r} are no recipients", field="--recipients", remedy="write residents or facilities")
    return text


def _province(settings: Configuration, text: str) -> str:
    airshed = base_of(settings).airshed
    found = airshed.province(text)
    if found is None:
        known = ", ".join(f"{one.code} {one.names.get('vi', '')}" for one in airshed.provinces)
        raise InputError(f"{text!r} is no province of {airshed.code}", field="--province", remedy=f"one of {known}")
    return found.code


def _check_facility(connection: sa.Connection, facility: str) -> None:
    if (
        facility
        and connection.execute(sa.select(facilities.c.facility_id).where(facilities.c.facility_id == facility)).first()
        is None
    ):
        raise InputError(f"there is no plant {facility}", field="--facility", remedy="see `airshed facilities list`")
