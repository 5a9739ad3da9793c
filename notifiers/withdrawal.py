"""Saying no: consent taken back for a channel or altogether, and everything erased.

Of who has stopped, the keyed hash of the contact stays and nothing else of it, so that no file can bring the person
back; of who is erased, the id and the bare record that there was a consent and that it ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, delete, or_, select, update

from notifiers import consents
from notifiers.contacts import Vault
from notifiers.database import insert
from notifiers.deliveries import ChannelName
from notifiers.places import drop_places
from notifiers.tables import confirmations, erasures, ledger, quotas, subscribers

OPTED_OUT = "opted-out"
"""Reason of a delivery that was planned when its recipient said no."""


def withdraw(
    connection: Connection, person: str, channels: Iterable[str] | None = None, *, by: str, now_s: float
) -> bool:
    """Stop these channels of a person (``None``: all of them), in the caller's transaction.

    What is planned for them and has not been claimed is suppressed. Repeating it changes nothing. ``by`` says
    through what: ``one-click``, ``page``, ``sms``, ``command``.

    Returns whether anything was stopped.
    """
    row = connection.execute(
        select(subscribers.c.channels, subscribers.c.stopped_channels)
        .where(subscribers.c.subscriber_id == person, subscribers.c.state != "pending")
        .with_for_update()
    ).first()
    if row is None:
        return False
    chosen, before = row.channels.split(), set(row.stopped_channels.split())
    stopped = before | (set(chosen) if channels is None else set(channels) & set(chosen))
    if stopped == before:
        return False
    everything = stopped >= set(chosen)
    values: dict[str, object] = dict.fromkeys(stopped)
    values["stopped_channels"] = " ".join(channel for channel in chosen if channel in stopped)
    if everything:
        values |= {"state": "stopped", "sensitive": 0}
    connection.execute(update(subscribers).where(subscribers.c.subscriber_id == person).values(**values))
    consents.take_back(connection, person, by=by, now_s=now_s, what=None if everything else stopped)
    _suppress(connection, person, sorted(stopped - before))
    return True


def withdraw_contact(
    connection: Connection, vault: Vault, contact: str, channel: ChannelName, *, by: str, now_s: float
) -> int:
    """Stop a channel of everybody who has this normalised number or address there. Returns how many were stopped.

    For a keyword (STOP, DUNG, HUY) that came from the number itself.
    """
    return sum(
        withdraw(connection, person, [channel], by=by, now_s=now_s)
        for person in people_with(connection, vault.fingerprint(contact), channel)
    )


def people_with(connection: Connection, fingerprint: str, channel: str | None = None) -> list[str]:
    """Ids of the people with this contact (by its keyed hash), pending ones left out."""
    table = subscribers
    hashes: Sequence[ColumnElement[bool]] = [
        table.c[f"{name}_hash"] == fingerprint for name in ("sms", "email") if channel in (None, name)
    ]
    query = select(table.c.subscriber_id).where(or_(*hashes), table.c.state != "pending")
    return list(connection.execute(query.order_by(table.c.subscriber_id)).scalars())


def erase(connection: Connection, person: str, *, by: str, now_s: float) -> bool:
    """Erase a person, in the caller's transaction: contacts, hashes, places, choices, requests for codes.

    Left are: the ledger's rows with the id; consents as what, when, in which words and until when; and the id among
    the erased, so that no file brings it back. Returns whether there was anything to erase.
    """
    row = connection.execute(
        select(subscribers.c.sms_hash, subscribers.c.email_hash).where(subscribers.c.subscriber_id == person)
    ).first()
    consents.take_back(connection, person, by=by, now_s=now_s)
    if row is None:
        return False
    hashes = [found for found in row if found]
    connection.execute(
        delete(confirmations).where(
            or_(confirmations.c.subscriber_id == person, confirmations.c.contact_hash.in_(hashes))
        )
    )
    connection.execute(delete(quotas).where(quotas.c.key.in_(hashes)))
    drop_places(connection, [person])
    connection.execute(delete(subscribers).where(subscribers.c.subscriber_id == person))
    _suppress(connection, person, ["sms", "email"])
    tombstone = insert(connection, erasures).values(subscriber_id=person, erased_s=int(now_s), erased_by=by)
    connection.execute(tombstone.on_conflict_do_nothing())
    return True


def _suppress(connection: Connection, person: str, channels: list[str]) -> None:
    """What nobody has claimed yet is not sent; what is claimed right now finds no contact any more, or is out."""
    connection.execute(
        update(ledger)
        .where(ledger.c.registry == "residents", ledger.c.recipient == person, ledger.c.channel.in_(channels))
        .where(ledger.c.state.in_(("planned", "held")))
        .values(state="suppressed", reason=OPTED_OUT, revision=ledger.c.revision + 1)
    )
