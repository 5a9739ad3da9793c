"""``airshed notices``: what waits for an officer's yes or for the storm guard, and the answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from sqlalchemy import Connection

from airshed.commands.moments import seconds_of
from airshed.configuration import load
from airshed.local.live import database_of
from notifiers import approvals, releases, retraction
from notifiers.approvals import Answered, Waiting
from notifiers.database import reading
from notifiers.outstanding import notices_like
from notifiers.releases import Guarded, Released
from streams.clock import SystemClock, utc
from streams.errors import InputError

app = typer.Typer(help="Notices that need an officer's yes, or wait behind the storm guard.", no_args_is_help=True)

Config = Annotated[Path, typer.Option(help="The installation's configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
At = Annotated[
    str | None, typer.Option(help="The moment, with an offset, for exercises on recorded time; default: now.")
]
Officer = Annotated[str, typer.Option(help="Name or number of the officer who answers.")]
NoticeId = Annotated[str, typer.Argument(help="Id of the notice, or its first letters.")]
_DEFAULT = Path("airshed.toml")

_SAID = {
    Answered.RELEASED: "released: the messages go out",
    Answered.NEEDS_ANOTHER: "noted: a second officer, a different one, has to say yes",
    Answered.REJECTED: "rejected: nothing is sent",
    Answered.ALREADY_ANSWERED: "this officer has answered before; nothing changed",
    Answered.ALREADY_DECIDED: "it was released or rejected before; nothing changed",
    Answered.TOO_LATE: "its time of use is over; nothing was sent",
    Answered.NOT_NEEDED: "it needs nobody's yes",
    Answered.NO_SUCH_NOTICE: "there is no such notice",
}
_DONE = (Answered.RELEASED, Answered.NEEDS_ANOTHER, Answered.REJECTED)


@app.command("list")
def list_notices(config: Config = _DEFAULT, at: At = None, json: Json = False) -> None:
    """Show the notices that need a yes, an officer's or the storm guard's: until when, and how many messages wait.

    Example: `airshed notices list`
    """
    with reading(database_of(load(config))) as connection:
        found = approvals.listed(connection, _moment(at))
        storms = releases.listed(connection)
    if json:
        rows = [msgspec.to_builtins(waiting) for waiting in [*found, *storms]]
        typer.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    for waiting in found:
        typer.echo(_line(waiting))
    for storm in storms:
        typer.echo(_storm_line(storm))
    if not found and not storms:
        typer.echo("no notice needs a yes")


def _line(waiting: Waiting) -> str:
    notice = waiting.notice
    until = notice.valid_until.strftime("%Y-%m-%d %H:%MZ")
    yes = f", yes by {', '.join(waiting.approved_by)}" if waiting.approved_by else ""
    no = f", no by {waiting.rejected_by}" if waiting.rejected_by else ""
    to = f"{notice.audience.recipients} of {' '.join(notice.audience.provinces)}"
    held = f", {waiting.messages} messages held" if waiting.messages else ""
    return f"{notice.id}  {waiting.state:<8}  {notice.rule} to {to} until {until}: {notice.approval}{yes}{no}{held}"


def _storm_line(storm: Guarded) -> str:
    notice = storm.notice
    state = f"let go by {storm.officer}" if storm.officer else "waiting"
    to = f"{notice.audience.recipients} of {' '.join(notice.audience.provinces)}"
    until = notice.valid_until.strftime("%Y-%m-%d %H:%MZ")
    counted = f"{storm.messages:,} messages, above {storm.threshold:,}"
    return f"{notice.id}  {state:<8}  {notice.rule} to {to} until {until}: storm guard, {counted}"


@app.command("release")
def release(
    notice: NoticeId,
    officer: Officer,
    reason: Annotated[str, typer.Option(help="Why it may go out to so many; it is kept.")] = "",
    config: Config = _DEFAULT,
) -> None:
    """Let a notice go that the storm guard holds because it is meant for very many people.

    Example: `airshed notices release 6f1d2c1e --officer "duty officer 7" --reason "the readings are right"`
    """
    with database_of(load(config)).begin() as connection:
        whole = _whole(notice, notices_like(connection, notice))
        came = releases.release(connection, whole, officer, reason, SystemClock().now_s())
    typer.echo(f"{whole}: {_RELEASED[came]}")
    raise typer.Exit(0 if came is Released.RELEASED else 1)


_RELEASED = {
    Released.RELEASED: "released: the messages go out",
    Released.ALREADY_RELEASED: "it was released before; nothing changed",
    Released.NOT_GUARDED: "the storm guard does not hold it",
    Released.NO_SUCH_NOTICE: "there is no such notice",
}


@app.command("retract")
def retract(
    notice: NoticeId,
    officer: Officer,
    reason: Annotated[str, typer.Option(help="Why it was wrong; it is kept.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    config: Config = _DEFAULT,
    at: At = None,
) -> None:
    """Take back a warning or a request that was wrong: an apology to exactly those who may have got it, at once.

    What has not gone out is withdrawn, the public alert is cancelled. The episode is not touched: a higher level or a
    new episode is warned of as ever, and its end is told. To keep a faulty rule quiet: `airshed silences add`.

    Example: `airshed notices retract 6f1d2c1e --officer "duty officer 7" --reason "two stations were being calibrated"`
    """
    with database_of(load(config)).begin() as connection:
        whole = _whole(notice, notices_like(connection, notice))
        done = retraction.retract(connection, whole, officer, reason, utc(int(_moment(at))), dry=dry_run)
    what = "would be" if dry_run else "are"
    if done.before:
        typer.echo(f"{whole}: it was retracted before; nothing changed")
    else:
        typer.echo(f"{whole}: {done.withdrawn:,} messages {what} withdrawn, {done.told:,} {what} apologised for")
    raise typer.Exit(1 if done.before else 0)


@app.command("approve")
def approve(notice: NoticeId, officer: Officer, config: Config = _DEFAULT, at: At = None) -> None:
    """Say yes to a notice. With the last yes that it needs, its messages go out.

    Example: `airshed notices approve 6f1d2c1e --officer "duty officer 7"`
    """
    moment = _moment(at)
    _answer(config, notice, lambda db, whole: approvals.approve(db, whole, officer, moment))


@app.command("reject")
def reject(
    notice: NoticeId,
    officer: Officer,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the answer.")],
    config: Config = _DEFAULT,
    at: At = None,
) -> None:
    """Say no to a notice: its messages are not sent.

    Example: `airshed notices reject 6f1d2c1e --officer "duty officer 7" --reason "calibration at two stations"`
    """
    moment = _moment(at)
    _answer(config, notice, lambda db, whole: approvals.reject(db, whole, officer, reason, moment))


def _answer(config: Path, notice: str, ask: Callable[[Connection, str], Answered]) -> None:
    with database_of(load(config)).begin() as connection:
        known = [waiting.notice.id for waiting in approvals.listed(connection, 0.0)]
        whole = _whole(notice, [name for name in known if name.startswith(notice)])
        answered = ask(connection, whole)
    typer.echo(f"{whole}: {_SAID[answered]}")
    raise typer.Exit(0 if answered in _DONE else 1)


def _whole(start: str, matching: list[str]) -> str:
    """The id that begins so; what was given if there is none."""
    if len(matching) > 1:
        raise InputError(f"{start} begins {len(matching)} notices", remedy="give more letters of the id")
    return matching[0] if matching else start


def _moment(at: str | None) -> float:
    return SystemClock().now_s() if at is None else seconds_of(at, "--at")
