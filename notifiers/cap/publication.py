"""What is published now: alerts from the notices in the database, as documents in memory and as files in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import structlog
from sqlalchemy import Connection, Engine, select

from notifiers import operators, switch
from notifiers.approvals import listed
from notifiers.cap.alerts import PUBLIC_KINDS, Publisher, alerts
from notifiers.cap.documents import CapError, document
from notifiers.cap.feed import Feed
from notifiers.cap.model import ActualAlert, Alert, ExerciseAlert
from notifiers.cap.words import Speaker
from notifiers.database import reading
from notifiers.operators import Occasion, OperatorEvent
from notifiers.tables import notices
from rules.notices import Notice
from streams.clock import Clock, utc

_log = structlog.get_logger(__name__)
_decoder: msgspec.json.Decoder[Notice] = msgspec.json.Decoder(Notice)

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


def _published(connection: Connection, now: datetime) -> list[Notice]:
    """The notices that count: of the public kinds, with whatever yes they need."""
    since_s = (now - timedelta(days=_READ_DAYS)).timestamp()
    rows = connection.execute(
        select(notices.c.body, notices.c.approval)
        .where(notices.c.kind.in_(PUBLIC_KINDS), notices.c.time_s >= since_s)
        .order_by(notices.c.time_s, notices.c.id)
    ).all()
    found = [_decoder.decode(row.body) for row in rows]
    if all(notice.approval == "none" for notice in found):
        return found
    released = {w.notice.id for w in listed(connection, now.timestamp()) if w.state == "released"}
    return [notice for notice in found if notice.approval == "none" or notice.id in released]


def _replace(path: Path, content: bytes) -> None:
    if path.exists() and path.read_bytes() == content:
        return
    draft = path.with_suffix(".part")
    draft.write_bytes(content)
    draft.replace(path)
