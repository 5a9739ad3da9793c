"""Which pack is in force, pending, coming or refused: the screen of who wrote it."""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa

from airshed.configuration import Configuration
from airshed.existing_database import existing_database
from airshed.local.store import stage_state
from notifiers.database import reading
from rules.activations import BEGINNING, Line, Refusal
from rules.shelf import Shelf
from streams.clock import epoch_s, utc
from streams.episodes import Standing, standing
from streams.errors import Problem
from streams.versions import Reign


class Refused(msgspec.Struct, frozen=True):
    """Something on the shelf that does not count: where, what, and what to do."""

    place: str
    field: str
    problem: str
    remedy: str
    text: str


class Coming(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """An activation whose hour is still to come."""

    pack: str
    from_: datetime
    by: str
    reason: str
    episode: str


class Report(msgspec.Struct, frozen=True):
    """Everything on one screen.

    Attributes:
        since: first hour the pack in force judged; ``None`` for the base.
        decided: latest decided hour; ``None`` where the decisions are not at hand.
        opened: open episodes, which keep the pack in force.
        pending: activated, but waiting for the close of those; empty if nothing is.
    """

    in_force: str
    since: datetime | None
    decided: datetime | None
    opened: list[str]
    pending: str
    coming: list[Coming]
    drafts: list[str]
    refused: list[Refused]


def read_standing(settings: Configuration, code: str) -> Standing | None:
    """How the airshed of a local installation stands; ``None`` before its first decision, and on Kafka."""
    engine = existing_database(settings, stage_state)
    if engine is None:
        return None
    query = sa.select(stage_state.c.key, stage_state.c.value).where(stage_state.c.stage == "episodes")
    with reading(engine) as connection:
        return standing(code, {row.key: row.value for row in connection.execute(query)})


def report_on(shelf: Shelf, now: Standing | None, now_s: float) -> Report:
    """The report. Without decisions at hand the log and the clock say what is in force."""
    lines = shelf.contents.lines
    reign = now.reign if now else _by_clock(shelf, now_s)
    decided_s = now.decided_s if now else int(now_s)
    late = [line for line in lines if now and _came_too_late(line, now)]
    written_off = {one.line for one in shelf.contents.refusals}
    open_lines = [line for line in lines if line not in late and line.number not in written_off]
    coming = [line for line in open_lines if epoch_s(line.entry.from_) > decided_s]
    wanted = reign.activated(decided_s).pack
    recorded = {one.line: one for one in shelf.contents.refusals}
    problems = [_recorded(line, recorded[line.number]) for line in lines if line.number in recorded]
    problems += [_late(line) for line in late if line.number not in recorded]
    return Report(
        in_force=reign.pack,
        since=utc(reign.since_s) if reign.since_s else None,
        decided=utc(decided_s) if now else None,
        opened=now.opened if now else [],
        pending=wanted if wanted != reign.pack else "",
        coming=[_coming(line) for line in sorted(coming, key=lambda line: (line.entry.from_, line.number))],
        drafts=[f"{name} ({pack.reference})" for name, pack in shelf.contents.drafts.items()],
        refused=[_refused(problem) for problem in (*shelf.contents.problems, *problems)],
    )


def _by_clock(shelf: Shelf, now_s: float) -> Reign:
    reign = Reign.begin(shelf.activations(shelf.base.airshed.code), int(now_s))
    reign.since_s = reign.activated(int(now_s)).from_s
    return reign


def _came_too_late(line: Line, now: Standing) -> bool:
    entry = line.entry
    decided = epoch_s(entry.from_) <= now.decided_s
    return decided and entry.from_ > BEGINNING and entry.activation not in now.reign.activations


def _coming(line: Line) -> Coming:
    entry = line.entry
    return Coming(entry.pack, entry.from_, entry.by, entry.reason, entry.episode)


def _late(line: Line) -> Problem:
    remedy = "its hour had been decided when it was seen: activate it for one to come"
    return line.problem(f"{line.entry.pack} came too late", remedy, field="from")


def _recorded(line: Line, refusal: Refusal) -> Problem:
    remedy = "the log says so; activate it for an hour to come"
    message = f"{line.entry.pack} came too late: hours up to {refusal.decided:%Y-%m-%dT%H:%MZ} had been decided"
    return line.problem(message, remedy, field="from")


def _refused(problem: Problem) -> Refused:
    return Refused(problem.place, problem.field, problem.message, problem.remedy, str(problem))
