"""Signing up: asked for on a page, nothing is changed until a code sent to the contact has come back.

Nothing here tells whether a contact is known: who signs up with one that is registered gets the same page and the
same message as anybody else, and by the code becomes who the registry has under that contact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from notifiers import confirmations, consents, quotas
from notifiers.choices import Choices
from notifiers.confirmations import Asked, Checked
from notifiers.contacts import Vault
from notifiers.deliveries import ChannelName, Mode
from notifiers.places import Place, drop_places, store_places
from notifiers.quotas import Quota
from notifiers.tables import confirmations as confirmations_table
from notifiers.tables import consents as consents_table
from notifiers.tables import subscriber_places, subscribers
from notifiers.withdrawal import erase, people_with, withdraw

_HOUR_S, _DAY_S = 3600, 86_400
_BLOCK_DIGITS = 4
"""Numbers that differ in the last four digits only are one block: who earns by the messages owns such blocks."""


@dataclass(frozen=True)
class Limits:
    """How many codes may be asked for.

    Attributes:
        contact / contact_day: by number or address. Beyond it nothing is sent, and the page says the same as ever.
        address: by internet address. Mobile networks put many people behind one, so it is not tight.
        block: by block of ten thousand numbers.
        everybody: of the installation: a ceiling on what an attack can cost.
    """

    contact: Quota = field(default=Quota("contact", 3))
    contact_day: Quota = field(default=Quota("contact-day", 6, _DAY_S))
    address: Quota = field(default=Quota("address", 30))
    block: Quota = field(default=Quota("block", 20))
    everybody: Quota = field(default=Quota("everybody", 1_000))


class Outcome(StrEnum):
    """What came of asking for codes."""

    ASKED = "asked"
    TOO_OFTEN = "too-often"  # from this internet address, or altogether


class Action(StrEnum):
    """What a person can do with a code besides signing up."""

    STOP = "stop"  # the channel of the contact
    STOP_ALL = "stop-all"
    ERASE = "erase"


@dataclass(frozen=True, kw_only=True)
class SignUp:
    """What a person filled in, checked. ``contacts``: normalised, by channel."""

    choices: Choices
    places: Sequence[Place]
    contacts: Mapping[ChannelName, str] = field(repr=False)


@dataclass(frozen=True)
class Desk:
    """Takes requests for one installation. Everything happens in the caller's transaction.

    Attributes:
        mode: of the messages with the codes.
    """

    vault: Vault
    mode: Mode
    limits: Limits = Limits()

    def sign_up(self, connection: Connection, asked: SignUp, *, address: str, now_s: float) -> tuple[Outcome, str]:
        """Keep what was asked for as pending, and plan a code to each contact. Returns the request's id."""
        confirmations.forget(connection, now_s)
        quotas.forget(connection, now_s)
        if not self._within(connection, address, now_s):
            return Outcome.TOO_OFTEN, ""
        person, request = confirmations.new_id(), confirmations.new_id()
        home = asked.places[0].provinces[0]
        values = changed(asked.choices, channels=()).columns()
        state = {"subscriber_id": person, "province": home, "state": "pending", "created_s": int(now_s)}
        connection.execute(insert(subscribers).values(**values, **state))
        store_places(connection, {person: asked.places})
        for channel, contact in asked.contacts.items():
            self._ask(connection, request, person, channel, contact, asked.choices.language, now_s)
        return Outcome.ASKED, request

    def manage(
        self, connection: Connection, channel: ChannelName, contact: str, language: str, *, address: str, now_s: float
    ) -> tuple[Outcome, str]:
        """Plan a code with which the owner of a contact can stop or erase. Nothing is sent to one that nobody knows."""
        confirmations.forget(connection, now_s)
        if not self._within(connection, address, now_s):
            return Outcome.TOO_OFTEN, ""
        request = confirmations.new_id()
        self._ask(connection, request, "", channel, contact, language, now_s)
        return Outcome.ASKED, request

    def again(self, connection: Connection, request: str, channel: str, *, address: str, now_s: float) -> Outcome:
        """Plan a new code for a contact of a request. The older ones stay good for their time."""
        if not self._within(connection, address, now_s):
            return Outcome.TOO_OFTEN
        for asked in confirmations.asked_in(connection, request, channel):
            sealed = confirmations.sealed_contact(connection, asked.id)
            if sealed is not None and not asked.is_confirmed:
                contact = self.vault.open(sealed)
                self._ask(connection, request, asked.subscriber_id, asked.channel, contact, asked.language, now_s)
        return Outcome.ASKED

    def confirm(self, connection: Connection, request: str, channel: str, code: str, now_s: float) -> Checked:
        """Take a code of a sign-up. The right one makes the person active on that channel."""
        found = [asked for asked in confirmations.asked_in(connection, request, channel) if asked.purpose == "sign-up"]
        if not found:
            return Checked.UNKNOWN
        checked = confirmations.check(connection, self.vault, request, channel, code, now_s)
        if checked is Checked.RIGHT and not found[0].is_confirmed:
            _activate(connection, found[0], now_s)
        return checked

    def act(self, connection: Connection, request: str, code: str, action: Action, now_s: float) -> Checked:
        """Take a code of a request to stop or erase, and do it to everybody registered under that contact."""
        for asked in confirmations.asked_in(connection, request):
            if asked.purpose != "manage":
                continue
            checked = confirmations.check(connection, self.vault, request, asked.channel, code, now_s)
            if checked is Checked.RIGHT:
                for person in people_with(connection, asked.contact_hash, asked.channel):
                    _do(connection, person, asked.channel, action, now_s)
            return checked
        return Checked.UNKNOWN

    def _ask(
        self,
        connection: Connection,
        request: str,
        person: str,
        channel: ChannelName,
        contact: str,
        language: str,
        now_s: float,
    ) -> None:
        fingerprint = self.vault.fingerprint(contact)
        asked = Asked(
            id=confirmations.new_id(),
            request=request,
            purpose="sign-up" if person else "manage",
            subscriber_id=person,
            channel=channel,
            contact_hash=fingerprint,
            language=language,
            created_s=int(now_s),
            is_confirmed=False,
        )
        send = self._may_send(connection, channel, contact, fingerprint, now_s)
        if not person:
            send &= bool(people_with(connection, fingerprint, channel))
        confirmations.ask(connection, self.vault, asked, contact, mode=self.mode, send=send)

    def _within(self, connection: Connection, address: str, now_s: float) -> bool:
        key = self.vault.fingerprint(f"address:{address}")
        own = quotas.take(connection, self.limits.address, key, now_s)
        return own and quotas.take(connection, self.limits.everybody, "", now_s)

    def _may_send(
        self, connection: Connection, channel: ChannelName, contact: str, fingerprint: str, now_s: float
    ) -> bool:
        taken = [
            quotas.take(connection, self.limits.contact, fingerprint, now_s),
            quotas.take(connection, self.limits.contact_day, fingerprint, now_s),
        ]
        if channel == "sms":
            block = self.vault.fingerprint(f"block:{contact[:-_BLOCK_DIGITS]}")
            taken.append(quotas.take(connection, self.limits.block, block, now_s))
        return all(taken)


def _do(connection: Connection, person: str, channel: str, action: Action, now_s: float) -> None:
    if action is Action.ERASE:
        erase(connection, person, by="page", now_s=now_s)
    else:
        channels = [channel] if action is Action.STOP else None
        withdraw(connection, person, channels, by="page", now_s=now_s)


def _activate(connection: Connection, asked: Asked, now_s: float) -> None:
    """Give the proven contact to the person who asked; if somebody has it already, they are the same person."""
    person = asked.subscriber_id
    row = connection.execute(select(subscribers).where(subscribers.c.subscriber_id == person)).mappings().one()
    others = [other for other in people_with(connection, asked.contact_hash, asked.channel) if other != person]
    if row["state"] == "pending" and others:
        adopted, *others = others
        _adopt(connection, row, adopted)
        person = adopted
    for other in others:
        _take_from(connection, other, asked.channel, now_s)
    _give_channel(connection, person, asked)
    what = [asked.channel, *([consents.SENSITIVE] if row["sensitive"] else [])]
    consents.give(connection, person, what, by=consents.PAGE, now_s=asked.created_s)


def _adopt(connection: Connection, pending: RowMapping, person: str) -> None:
    """What was chosen now replaces what ``person`` chose before, under the id that the ledger knows: who was warned
    under it must get the all-clear."""
    chosen = ("language", "province", "level", "sensitive", "timing", "quiet_from", "quiet_to", "accented")
    connection.execute(
        update(subscribers)
        .where(subscribers.c.subscriber_id == person)
        .values({name: pending[name] for name in chosen})
    )
    drop_places(connection, [person])
    for table in (subscriber_places, consents_table, confirmations_table):
        connection.execute(
            update(table).where(table.c.subscriber_id == pending["subscriber_id"]).values(subscriber_id=person)
        )
    connection.execute(delete(subscribers).where(subscribers.c.subscriber_id == pending["subscriber_id"]))


def _give_channel(connection: Connection, person: str, asked: Asked) -> None:
    row = connection.execute(
        select(subscribers.c.channels, subscribers.c.stopped_channels).where(subscribers.c.subscriber_id == person)
    ).one()
    channels = {*row.channels.split(), asked.channel}
    stopped = [channel for channel in row.stopped_channels.split() if channel != asked.channel]
    connection.execute(
        update(subscribers)
        .where(subscribers.c.subscriber_id == person)
        .values(
            {
                asked.channel: confirmations.sealed_contact(connection, asked.id),
                f"{asked.channel}_hash": asked.contact_hash,
                "channels": " ".join(channel for channel in ("sms", "email") if channel in channels),
                "stopped_channels": " ".join(stopped),
                "state": "active",
            }
        )
    )


def _take_from(connection: Connection, person: str, channel: str, now_s: float) -> None:
    """Somebody else proved to own this person's contact: the person loses the channel, and goes with the last one."""
    row = connection.execute(
        select(subscribers.c.channels, subscribers.c.stopped_channels).where(subscribers.c.subscriber_id == person)
    ).one()
    left = [own for own in row.channels.split() if own != channel]
    consents.take_back(connection, person, by="contact of another", now_s=now_s, what=[channel] if left else None)
    if not left:
        drop_places(connection, [person])
        connection.execute(delete(subscribers).where(subscribers.c.subscriber_id == person))
        return
    stopped = [own for own in row.stopped_channels.split() if own != channel]
    values: dict[str, Any] = {channel: None, f"{channel}_hash": None, "channels": " ".join(left)}
    values |= {"stopped_channels": " ".join(stopped), "state": "stopped" if stopped == left else "active"}
    connection.execute(update(subscribers).where(subscribers.c.subscriber_id == person).values(values))
