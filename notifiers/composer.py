"""From a claimed ledger row to a message: its notice, its recipient's contact, the words, in the right type."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, partial
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, Select, bindparam, exists, func, select
from sqlalchemy.orm import aliased

from notifiers import confirmations, missing_keys, standings
from notifiers.contacts import Vault
from notifiers.database import reading
from notifiers.errors import MissingKeyError, UnsendableError
from notifiers.facts import Addressee
from notifiers.ledger import MAY_HAVE_ARRIVED, WARNING_KINDS, Claimed, precedes
from notifiers.links import Links
from notifiers.messages import ActualMessage, Content, ExerciseMessage, Message
from notifiers.payloads import payload
from notifiers.planner import load_notice
from notifiers.renderer import Renderer
from notifiers.service_words import code_letter, code_sms
from notifiers.speech import spoken
from notifiers.tables import attempts, escalation_calls, facilities, ledger, subscribers
from notifiers.tables import confirmations as asked_for
from notifiers.withdrawal import OPTED_OUT
from rules.notices import ActualNotice, Notice
from streams.errors import ConfigurationError
from streams.schemas import EpisodeEvent

_log = structlog.get_logger(__name__)
_CONTACTS = {"sms": "sms", "voice": "sms", "email": "email", "webhook": "webhook"}
"""In which column of a registry the contact of a channel is: a call goes to the number of the SMS."""
_SERVICE_NAME = "Airshed"
UNREADABLE = "unreadable-contact"
"""Reason of a row whose contact no configured key opens, while it opens others."""
_NOTICES_KEPT = 64  # an episode of a week has a few dozen; each is some kilobytes


class Composer:
    """Composes messages. Composing the same row again gives the same words, unless its episode has moved on since."""

    def __init__(self, engine: Engine, vault: Vault, links: Links, renderer: Renderer | None = None) -> None:
        self._engine = engine
        self._vault = vault
        self._links = links
        self._renderer = renderer or Renderer()
        self._has_key = False
        self._notice = lru_cache(maxsize=_NOTICES_KEPT)(self._load_notice)

    def compose(self, rows: Iterable[Claimed], now_s: float) -> dict[str, Message | UnsendableError]:
        """A message for every row, by delivery id, or the error that says why there cannot be one."""
        rows = list(rows)
        with reading(self._engine) as connection:
            people = _addressees(connection, rows)
            tries = _tries(connection, rows)
            first = _first_ones(connection, rows)
            calls = _calls_so_far(connection, rows)
            events = standings.of(connection, {row.episode for row in rows if row.notice}, now_s)
        composed: dict[str, Message | UnsendableError] = {}
        for row in rows:
            try:
                composed[row.id] = self._message(
                    row,
                    people.get(row.id),
                    now_s,
                    tries.get(row.id, []),
                    events.get(row.episode),
                    first=row.id in first,
                    nth_call=calls.get(row.id, 1),
                )
            except UnsendableError as error:
                composed[row.id] = error
            except Exception as error:  # noqa: BLE001 - one row's defect must not hold up its neighbours; no text of it
                _log.error("defect in composing", delivery=row.id, error=type(error).__name__)
                composed[row.id] = UnsendableError("defect", f"a defect ({type(error).__name__})")
        return composed

    def _opened(self, row: Claimed, sealed: bytes) -> str:
        """The contact in clear. Raises :class:`UnsendableError`: of this row alone, or of a key that is missing."""
        try:
            contact = self._vault.open(sealed)
        except ConfigurationError:
            if not self._has_key:
                with reading(self._engine) as connection:
                    if missing_keys.is_missing(connection, self._vault):
                        raise MissingKeyError from None
            raise UnsendableError(UNREADABLE, f"no key opens the {row.channel} contact of {row.recipient}") from None
        self._has_key = True
        return contact

    def _message(
        self,
        row: Claimed,
        person: dict[str, Any] | None,
        now_s: float,
        tries: list[tuple[float, str]],
        event: EpisodeEvent | None,
        *,
        first: bool,
        nth_call: int,
    ) -> Message:
        if person is None or person["sealed"] is None:
            reason = OPTED_OUT if person is not None and row.channel in person["stopped"] else "no-contact"
            raise UnsendableError(reason, f"{row.recipient} has no {row.channel} contact any more")
        if row.registry == confirmations.REGISTRY:
            return self._code(row, person, now_s, tries)
        notice = self._notice(row.notice)
        if row.kind in WARNING_KINDS:  # what waited for the morning says what holds in the morning
            notice = standings.refreshed(notice, event)
        stop_link = self._links.unsubscribe(row.recipient, row.channel) if row.registry == "residents" else ""
        nearest, *further = (row.provinces if row.registry == "residents" else []) or [person["province"]]
        addressee = Addressee(
            contact=self._opened(row, person["sealed"]),
            province=nearest,
            facility=person["name"],
            places=tuple(further),
            sensitive=person["sensitive"],
            accented=person["accented"],
            stop_link=stop_link,
            stop_page=self._links.stop_page if stop_link else "",
            first=first,
        )
        # only a request can be answered; any other link would invite answers that nobody waits for
        link = self._links.acknowledgement(row.id) if row.kind in ("request", "order-draft") else ""
        message_type = ActualMessage if isinstance(notice, ActualNotice) else ExerciseMessage
        return message_type(
            delivery=row.id,
            kind=row.kind,
            episode=row.episode,
            language=row.language,
            sender_name=_sender(notice, row.language),
            contact=addressee.contact,
            content=self._content(row, notice, addressee, link, nth_call),
            unsubscribe=stop_link,
            useful_s=row.valid_until_s - now_s,
            first_tried_s=min((started_s for started_s, _ in tries), default=0.0),
            tried=frozenset(content for _, content in tries),
        )

    def _code(self, row: Claimed, person: dict[str, Any], now_s: float, tries: list[tuple[float, str]]) -> Message:
        """The message with a code; there is no notice behind it."""
        exercise = row.mode == "exercise"
        words = partial(code_sms, stop_page=self._links.stop_page) if row.channel == "sms" else code_letter
        code = confirmations.code_of(self._vault, row.recipient)
        return (ExerciseMessage if exercise else ActualMessage)(
            delivery=row.id,
            kind=row.kind,
            episode=row.episode,
            language=row.language,
            sender_name=_SERVICE_NAME,
            contact=self._opened(row, person["sealed"]),
            content=words(code, person["purpose"], row.language, exercise=exercise),
            useful_s=row.valid_until_s - now_s,
            first_tried_s=min((started_s for started_s, _ in tries), default=0.0),
            tried=frozenset(content for _, content in tries),
        )

    def _content(self, row: Claimed, notice: Notice, addressee: Addressee, link: str, nth_call: int) -> Content:
        if row.channel == "sms":
            return self._renderer.sms(notice, row.language, addressee, link)
        letter = self._renderer.letter(notice, row.language, addressee, link)
        if row.channel == "voice":
            return spoken(letter, _sender(notice, row.language), row.language, nth_call)
        return payload(notice, row.id, link) if row.channel == "webhook" else letter

    def _load_notice(self, notice: str) -> Notice:
        with reading(self._engine) as connection:
            return load_notice(connection, notice)


def _sender(notice: Notice, language: str) -> str:
    return notice.sender.get(language) or next(iter(notice.sender.values()), "")


def _addressees(connection: Connection, rows: list[Claimed]) -> dict[str, dict[str, Any]]:
    people: dict[tuple[str, str, str], dict[str, Any]] = {}
    for registry, table, key in (
        ("residents", subscribers, subscribers.c.subscriber_id),
        ("facilities", facilities, facilities.c.facility_id),
    ):
        wanted = sorted({row.recipient for row in rows if row.registry == registry})
        if not wanted:
            continue
        for found in connection.execute(select(table).where(key.in_(wanted))).mappings():
            for channel, column in _CONTACTS.items():
                people[registry, str(found[key.name]), channel] = {
                    "sealed": found.get(column),
                    "province": found["province"],
                    "name": found.get("name", ""),
                    "stopped": found.get("stopped_channels", "").split(),
                    "sensitive": bool(found.get("sensitive", 0)),
                    "accented": bool(found.get("accented", 0)),
                }
    people |= _unproven(connection, [row.recipient for row in rows if row.registry == confirmations.REGISTRY])
    return {
        row.id: people[row.registry, row.recipient, row.channel]
        for row in rows
        if (row.registry, row.recipient, row.channel) in people
    }


def _unproven(connection: Connection, ids: list[str]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The contacts that codes go to."""
    if not ids:
        return {}
    found = connection.execute(select(asked_for).where(asked_for.c.id.in_(ids)))
    return {
        (confirmations.REGISTRY, row.id, row.channel): {"sealed": row.contact, "purpose": row.purpose, "stopped": []}
        for row in found
    }


def _first_ones(connection: Connection, rows: list[Claimed]) -> set[str]:
    """The SMS to residents that have had none of the episode before. Composed again, it is so again: earlier messages
    come to their end before a later one is claimed."""
    wanted = [row.id for row in rows if row.registry == "residents" and row.channel == "sms"]
    return set(connection.execute(_first_statement(), {"among": wanted}).scalars()) if wanted else set()


@lru_cache(maxsize=1)
def _first_statement() -> Select[str]:
    earlier = aliased(ledger, name="earlier")
    had = exists().where(precedes(earlier, ledger), earlier.c.state.in_(MAY_HAVE_ARRIVED))
    return select(ledger.c.id).where(ledger.c.id.in_(bindparam("among", expanding=True)), ~had)


def _calls_so_far(connection: Connection, rows: list[Claimed]) -> dict[str, int]:
    """Which call about its notice each row of an escalation is, from 1; the same whenever it is composed."""
    wanted = [row.id for row in rows if row.channel == "voice"]
    if not wanted:
        return {}
    other = aliased(escalation_calls, name="other")
    of_call = (
        other.c.notice == escalation_calls.c.notice,
        other.c.recipient == escalation_calls.c.recipient,
        other.c.channel == "voice",
        other.c.number <= escalation_calls.c.number,
    )
    number = select(func.count()).where(*of_call).scalar_subquery()
    found = select(escalation_calls.c.delivery, number.label("nth")).where(escalation_calls.c.delivery.in_(wanted))
    return {row.delivery: int(row.nth) for row in connection.execute(found)}


def _tries(connection: Connection, rows: list[Claimed]) -> dict[str, list[tuple[float, str]]]:
    """When each delivery was tried before, and with which words."""
    tried = [row.id for row in rows if row.attempts]
    found: dict[str, list[tuple[float, str]]] = {}
    if tried:
        query = select(attempts.c.delivery, attempts.c.started_s, attempts.c.content)
        for row in connection.execute(query.where(attempts.c.delivery.in_(tried))):
            found.setdefault(row.delivery, []).append((row.started_s, row.content))
    return found
