"""Where a process of the crash test dies: every commit of fan-out, claim, request, answer, look-up, callback, second
try, diversion and escalation, just before and just after it, and every failpoint in between; and how it is made to."""

from __future__ import annotations

import inspect
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from sqlalchemy import Engine, event

from notifiers.failpoints import FailpointName, arm

DIED = 77
Needs = Literal[
    "",
    "a lost answer",
    "a callback",
    "an earlier death",
    "an outage",
    "an undelivered message",
    "a dead handset",
    "a request followed up",
    "an answered request",
]


@dataclass(frozen=True)
class Place:
    """Where to die.

    Attributes:
        stage: of a message's way, for the table.
        name: a failpoint, or ``before`` or ``after`` the commit of something.
        most: the latest passing that a run surely comes to.
        needs: what has to have happened for a process to come there.
    """

    stage: str
    name: str
    most: int
    needs: Needs = ""


def _around(stage: str, commit: str, most: int, needs: Needs = "") -> Iterator[Place]:
    for moment in ("before", "after"):
        yield Place(stage, f"{moment} commit: {commit}", most, needs)


PLACES: tuple[Place, ...] = (
    *_around("fan-out", "notice", 2),
    Place("fan-out", "after-notice", 2),
    Place("fan-out", "before-slice-commit", 3),
    *_around("fan-out", "slice", 3),
    Place("fan-out", "after-slice", 3),
    *_around("fan-out", "offset", 2),
    Place("fan-out", "after-fan-out", 2),
    Place("claim", "before-claim", 2),
    *_around("claim", "claim", 1),
    Place("claim", "after-claim", 1),
    *_around("request", "attempt", 2),
    Place("request", "after-sending-mark", 4),
    *_around("request", "data mark", 2),
    Place("request", "after-data-mark", 3),
    Place("answer", "after-accept", 4),
    *_around("answer", "answer", 2),
    Place("answer", "after-settle", 4),
    *_around("look-up", "claim of lost answers", 1, "a lost answer"),
    Place("look-up", "before-reconcile", 1, "a lost answer"),
    *_around("look-up", "answer looked up", 1, "a lost answer"),
    Place("look-up", "after-reconcile", 1, "a lost answer"),
    *_around("callback", "callback", 3, "a callback"),
    *_around("restart", "recovery", 1, "an earlier death"),
    *_around("second try", "second try", 1, "an undelivered message"),
    *_around("second try", "stand-in", 1, "a dead handset"),
    *_around("diversion", "diversion", 1, "an outage"),
    Place("diversion", "between-diversion", 1, "an outage"),
    Place("diversion", "after-diversion", 1, "an outage"),
    *_around("escalation", "beginning of an escalation", 1, "a request followed up"),
    *_around("escalation", "escalation", 2, "a request followed up"),
    Place("escalation", "between-escalation", 2, "a request followed up"),
    Place("escalation", "after-escalation", 3, "a request followed up"),
    *_around("escalation", "acknowledgement", 1, "an answered request"),
)


class Death(msgspec.Struct, frozen=True):
    """To die at the ``nth`` passing of a place."""

    place: str
    nth: int


def doom(engine: Engine, death: Death) -> None:
    """Make this process end at the ordered place: ``os._exit``, nothing is flushed or closed."""
    lock, passed = threading.Lock(), 0

    def counted() -> None:
        nonlocal passed
        with lock:
            passed += 1
            if passed == death.nth:
                os._exit(DIED)

    moment, separator, commit = death.place.partition(" commit: ")
    if separator:
        _doom_commits(engine, moment, commit, counted)
        return

    def at_failpoint(name: FailpointName) -> None:
        if name == death.place:
            counted()

    arm(at_failpoint)


def _doom_commits(engine: Engine, moment: str, wanted: str, counted: Callable[[], None]) -> None:
    local, original = threading.local(), engine.dialect.do_commit

    @event.listens_for(engine, "begin")
    def forget(connection: Any) -> None:
        local.written = set()

    @event.listens_for(engine, "before_cursor_execute")
    def remember(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            local.written |= _written(statement, sys._getframe(1))

    def commit(connection: Any) -> None:
        here = wanted in _belongs_to(sys._getframe(1), local.written)
        if here and moment == "before":
            counted()
        original(connection)
        if here and moment == "after":
            counted()

    engine.dialect.do_commit = commit  # type: ignore[method-assign]


_TABLES = {
    "notices": "notice",
    "ledger": "slice",
    "progress": "offset",
    "escalations": "beginning of an escalation",
    "acknowledgements": "acknowledgement",
}
_WRITERS = {"SecondTries._plan_again": "second try", "stand_in": "stand-in"}
_WORKS = {
    "Lane._take": "claim of lost answers",
    "Lane._claim": "claim",
    "Lane._divert": "diversion",
    "Courier.send": "attempt",
    "Courier._enter_data": "data mark",
    "Courier.settle": "answer",
    "Courier._not_delivered": "answer looked up",
    "Dispatcher._recover": "recovery",
    "Dispatcher._escalate": "escalation",
}
_FANNED_OUT = {"notice", "slice", "offset"}
_ANYWHERE = {*_WRITERS.values(), "beginning of an escalation", "acknowledgement"}


def _written(statement: str, frame: Any) -> set[str]:
    """What a statement writes, by the table that it inserts into and by the function that asked for it."""
    written = {what for table, what in _TABLES.items() if f"INSERT INTO {table} " in statement}
    while frame is not None and not statement.startswith("SELECT"):
        written |= {what for name, what in _WRITERS.items() if frame.f_code.co_qualname == name}
        frame = frame.f_back
    return written


def _belongs_to(frame: Any, written: set[str]) -> set[str]:
    """What is made durable by a commit, by the function that opened it and what it has written."""
    also = written & _ANYWHERE
    while frame is not None:
        name, values = frame.f_code.co_name, frame.f_locals
        if name == "_commit" and "batch" in values:
            pieces = zip(values["batch"], values["results"], strict=True)
            return {_piece(work) for (work, _), result in pieces if _did_something(result)} | also
        if "notifiers/planner" in frame.f_code.co_filename:
            return written & _FANNED_OUT
        if "console/webhooks" in frame.f_code.co_filename:
            return {"callback"} | also
        frame = frame.f_back
    return also


def _piece(work: Callable[..., Any]) -> str:
    function = work.__qualname__.replace(".<locals>.<lambda>", "")
    if function == "Courier.settle" and inspect.getclosurevars(work).nonlocals["row"].state == "unknown":
        return "answer looked up"
    return _WORKS.get(function, "")


def _did_something(result: Any) -> bool:
    """Dispatchers look for work many times for once that they find some; only that once is a place to die."""
    if isinstance(result, dict):
        return any(result.values())
    return bool(getattr(result, "rows", result))
