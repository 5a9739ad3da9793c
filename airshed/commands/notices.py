"""``airshed notices``: what waits for an officer's yes, and the answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from sqlalchemy import Connection

from airshed.configuration import load
from airshed.local.live import database_of
from notifiers import approvals
from notifiers.approvals import Answered, Waiting
from notifiers.database import reading
from streams.clock import SystemClock, epoch_s
from streams.errors import InputError

app = typer.Typer(help="Notices that need an officer's yes.", no_args_is_help=True)

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
    """Show the notices that need a yes: whose, until when, and how many messages wait for it.

    Example: `airshed notices list`
    """
    with reading(database_of(load(config))) as connection:
        found = approvals.listed(connection, _moment(at))
    if json:
        rows = [msgspec.to_builtins(waiting) for waiting in found]
        typer.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    for waiting in found:
        typer.echo(_line(waiting))
    if not found:
        typer.echo("no notice needs a yes")


def _line(waiting: Waiting) -> str:
    notice = waiting.notice
    until = notice.valid_until.strftime("%Y-%m-%d %H:%MZ")
    yes = f", yes by {', '.join(waiting.approved_by)}" if waiting.approved_by else ""
    no = f", no by {waiting.rejected_by}" if waiting.rejected_by else ""
    to = f"{notice.audience.recipients} of {' '.join(notice.audience.provinces)}"
    held = f", {waiting.messages} messages held" if waiting.messages else ""
    return f"{notice.id}  {waiting.state:<8}  {notice.rule} to {to} until {until}: {notice.approval}{yes}{no}{held}"


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
        matching = [name for name in known if name.startswith(notice)]
        if len(matching) > 1:
            raise InputError(f"{notice} begins {len(matching)} notices", remedy="give more letters of the id")
        answered = ask(connection, matching[0] if matching else notice)
    typer.echo(f"{(matching or [notice])[0]}: {_SAID[answered]}")
    raise typer.Exit(0 if answered in _DONE else 1)


def _moment(at: str | None) -> float:
    if at is None:
        return SystemClock().now_s()
    try:
        moment: Any = datetime.fromisoformat(at)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InputError(f"{at!r} is no time with an offset", field="--at", remedy="write 2026-01-14T05:00+07:00")
    return epoch_s(moment)
