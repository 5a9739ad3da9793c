"""What is published now: alerts from the notices in the database, as documents in memory and as files in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine, func, select

from notifiers import operators, silences, switch
from notifiers.approvals import listed
from notifiers.cap.alerts import PUBLIC_KINDS, Publisher, alerts
from notifiers.cap.documents import CapError, document
from notifiers.cap.feed import Feed
from notifiers.cap.model import ActualAlert, Alert, ExerciseAlert
from notifiers.cap.words import Speaker
from notifiers.database import reading
from notifiers.operators import Occasion, OperatorEvent
from notifiers.silences import Silence
from notifiers.tables import approvals, guarded, notices
from rules.notices import Notice, decoded
from streams.clock import Clock, utc

_log = structlog.get_logger(__name__)

SHOWN_DAYS = 7
"""How long an alert stays in the feed after it was sent. A reader that was away for a week has missed the episode."""
_DECIDED_WITHIN_S = 3600  # a notice is made within an hour after the hour it is about
_READ_DAYS = 60  # no episode is longer; its first notices are needed for the chain


@dataclass(frozen=True)
class Folder:
    """Documents of one type of alert: by identifier, and the feed of them."""

    documents: dict[str, bytes] = field(default_factory=dict)
    feed: bytes = b""


@dataclass
class Publication:
    """Builds what is published, anew whenever it is asked and something has changed.

    Attributes:
        address: where the console serves it, ``https://…/cap``; exercises are under ``…/cap/exercise``.
        folder: where files of it are written, if they are wanted; exercises into a folder ``exercise`` in it.
    """

    engine: Engine
    publisher: Publisher
    speaker: Speaker
    address: str
    clock: Clock
    folder: Path | None = None
    _seen: object = None
    _folders: dict[str, Folder] = field(default_factory=dict)

    def current(self) -> dict[str, Folder]:
        """``public`` and ``exercise``. While all sending is stopped nothing is added to them."""
        now = utc(self.clock.now_s())
        with reading(self.engine) as connection:
            stop = switch.position(connection)
            if stop.stopped and self._folders:
                return self._folders
            found = _published(connection, now)
        if stop.stopped:  # this process was started after the stop: what surely was out before it
            found = [notice for notice in found if notice.time.timestamp() < stop.time_s - _DECIDED_WITHIN_S]
        seen = (tuple(notice.id for notice in found), now.replace(minute=0, second=0, microsecond=0))
        if seen != self._seen:
            made = alerts(found, self.publisher, self.speaker)
            recent = [alert for alert in made if alert.sent > now - timedelta(days=SHOWN_DAYS)]
            self._folders = {"public": self._public(recent, now), "exercise": self._exercise(recent, now)}
            self._seen = seen
        return self._folders

    def write(self) -> None:
        """Write the files that are new and the feeds, each whole or not at all. What is no longer shown stays."""
        if self.folder is None:
            return
        folders = self.current()
        for name, place in (("public", self.folder), ("exercise", self.folder / "exercise")):
            place.mkdir(parents=True, exist_ok=True)
            for identifier, content in folders[name].documents.items():
                _replace(place / f"{identifier}.xml", content)
            _replace(place / "feed.atom", folders[name].feed)

    def _public(self, made: Iterable[Alert], now: datetime) -> Folder:
        actual = [alert for alert in made if isinstance(alert, ActualAlert)]
        documents = _documents(actual)
        feed = Feed(ActualAlert, self.address, "Airshed: alerts", self.publisher.sender)
        return Folder(documents, feed.document([a for a in actual if a.identifier in documents], now))

    def _exercise(self, made: Iterable[Alert], now: datetime) -> Folder:
        exercises = [alert for alert in made if isinstance(alert, ExerciseAlert)]
        documents = _documents(exercises)
        feed = Feed(ExerciseAlert, f"{self.address}/exercise", "DIỄN TẬP / EXERCISE: Airshed", self.publisher.sender)
        return Folder(documents, feed.document([a for a in exercises if a.identifier in documents], now))


def _documents(made: Iterable[Alert]) -> dict[str, bytes]:
    """The valid ones; what breaks a rule is not published, and operators are told."""
    documents = {}
    for alert in made:
        try:
            documents[alert.identifier] = document(alert)
        except CapError as error:
            _log.error("alert is not published", identifier=alert.identifier, problems=error.found)
            says = f"{alert.identifier}: {error.found[0]}"
            operators.tell(OperatorEvent(occasion=Occasion.CAP_REFUSED, about=alert.incidents, says=says))
    return documents


@dataclass(frozen=True)
class _LetGo:
    """A notice that may go out, and since when (machine time)."""

    notice: Notice
    since_s: float


def _published(connection: Connection, now: datetime) -> list[Notice]:
    """The notices that count: of the public kinds, let go by the storm guard, with whatever yes they need, and not
    kept quiet as a whole.

    A warning that was let go late, when something newer of its episode was out already, is left out: nobody gets it by
    message either, and what has been published must not change under its readers.
    """
    since_s = (now - timedelta(days=_READ_DAYS)).timestamp()
    rows = connection.execute(
        select(notices.c.body, notices.c.approval, notices.c.taken_s, guarded.c.released_s)
        .outerjoin(guarded, guarded.c.notice == notices.c.id)
        .where(notices.c.kind.in_(PUBLIC_KINDS), notices.c.time_s >= since_s, notices.c.guard == "open")
        .order_by(notices.c.time_s, notices.c.id)
    ).all()
    agreed = _agreed(connection, now.timestamp()) if any(row.approval != "none" for row in rows) else {}
    quiet = silences.listed(connection, after_s=since_s)
    found = []
    for row in rows:
        notice = decoded(row.body)
        if (notice.approval == "none" or notice.id in agreed) and not _is_quiet(notice, row.taken_s, quiet):
            later = max(row.released_s or 0.0, agreed.get(notice.id, 0.0))
            found.append(_LetGo(notice, later or row.taken_s))
    return [one.notice for one in found if not _is_overtaken(one, found)]


def _agreed(connection: Connection, now_s: float) -> dict[str, float]:
    """When each notice that needs a yes has got the last one."""
    said = select(approvals.c.notice, func.max(approvals.c.time_s).label("last_s")).group_by(approvals.c.notice)
    times = {row.notice: row.last_s for row in connection.execute(said)}
    return {
        w.notice.id: times[w.notice.id] for w in listed(connection, now_s) if w.state == "released" and w.approved_by
    }


def _is_quiet(notice: Notice, taken_s: float, quiet: Sequence[Silence]) -> bool:
    """Whether an officer had silenced all of it when it was taken up. A later silence takes nothing back."""
    time_s = notice.time.timestamp()
    known = [one for one in quiet if one.created_s <= taken_s and (one.holds(time_s) or one.holds(taken_s))]
    return silences.wholly(notice, [one for one in known if one.concerns(notice)])


def _is_overtaken(one: _LetGo, found: Sequence[_LetGo]) -> bool:
    if one.notice.kind != "advisory":
        return False
    return any(
        other.notice.episode == one.notice.episode
        and type(other.notice) is type(one.notice)
        and other.notice.kind in ("advisory", "all-clear")
        and other.notice.time > one.notice.time
        and other.since_s < one.since_s
        for other in found
    )


def _replace(path: Path, content: bytes) -> None:
    if path.exists() and path.read_bytes() == content:
        return
    draft = path.with_suffix(".part")
    draft.write_bytes(content)
    draft.replace(path)
