"""Who gets a notice on a channel, and who does not and why: as SQL that both databases understand.

A row of the audience names the recipient, the places of theirs that the notice is about, the lowest level they asked
for, and a reason that is empty for those who get the message. The tests stand in a fixed order; the first that
speaks gives the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, get_args

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    String,
    Table,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from notifiers import thresholds
from notifiers.database import has_word
from notifiers.deliveries import ChannelName
from notifiers.ledger import MAY_HAVE_ARRIVED_CODE
from notifiers.place_lists import without
from notifiers.silences import Silence, loud, silenced
from notifiers.tables import facilities, ledger, notices, subscriber_places, subscribers, suppressions
from notifiers.told import NOT_GOT, Caps, already_told, is_capped, mode_of, was_warned
from notifiers.waiting import own_wait_in_sql
from rules.notices import Notice

CAPPED_KINDS = ("advisory", "bulletin")
"""Kinds that may be too many. A request is an agreement with a plant; the end is told once by its nature."""


class Suppressed(StrEnum):
    """Why a recipient of the audience gets no message. Every such row stands in the ledger."""

    NO_CONTACT = "no-contact"  # wants the channel, has no usable number or address for it
    OPTED_OUT = "opted-out"  # has withdrawn consent to the channel, here or at the provider
    INVALID_CONTACT = "invalid-contact"  # the provider says that nobody can be reached there
    BELOW_THRESHOLD = "below-threshold"  # asked to hear of higher levels only than that of any place of theirs
    NOT_TOLD = "not-told"  # was never warned in this episode, so needs no all-clear
    ALREADY_TOLD = "already-told"  # the last message said the same of these places, less than a day ago
    FREQUENCY_CAP = "frequency-cap"  # has got as many messages of this episode as anybody may
    SILENCED = "silenced"  # an officer keeps the rule, the province or the plant quiet (:mod:`notifiers.silences`)
    SAME_CONTACT = "same-contact"  # the same number or address gets this notice for another recipient


@dataclass(frozen=True)
class Slice:
    """A range of recipient ids: after the first, up to and with the last; ``None``: to the end."""

    after: str
    upto: str | None

    def of(self, key: ColumnElement[str]) -> ColumnElement[bool]:
        above = key > self.after
        return above if self.upto is None else and_(above, key <= self.upto)


@dataclass(frozen=True)
class Circumstances:
    """What the tests need to be asked at all; found out once per notice, because each costs a look per recipient.

    Attributes:
        earlier: the episode has other notices of this kind; beside: one of them is of the same transition.
        shared: some contacts of the channel belong to several recipients.
        refused: some contacts of the channel are refused by a provider.
        silences: in force at the hour of the notice, and about it.
    """

    earlier: bool
    beside: bool
    shared: bool
    refused: bool
    silences: tuple[Silence, ...]


def registry_of(notice: Notice) -> tuple[Table, ColumnElement[str]]:
    """The table recipients come from, and its key."""
    if notice.audience.recipients == "residents":
        return subscribers, subscribers.c.subscriber_id
    return facilities, facilities.c.facility_id


def channels_of(notice: Notice) -> list[ChannelName]:
    """The channels that its recipients can have a contact for."""
    table, _ = registry_of(notice)
    every: tuple[ChannelName, ...] = get_args(ChannelName)
    return [channel for channel in every if f"{channel}_hash" in table.c]


def boundary(notice: Notice, behind: Slice, size: int) -> Select[Any]:
    """The id that ends the first ``size`` recipients of a slice; no row when it has not that many."""
    _, key = registry_of(notice)
    return select(key).where(behind.of(key)).order_by(key).offset(size - 1).limit(1)


def audience(notice: Notice, channel: ChannelName, part: Slice, caps: Caps, known: Circumstances) -> Select[Any]:
    """Everybody in a slice: recipient, language, places, threshold, end of their own quiet hours, and reason."""
    table, key = registry_of(notice)
    covered = _covered(notice, channel, part)
    asked = thresholds.apply_to(notice)
    heard = thresholds.heard(notice, table.c.level, covered) if asked else covered.c.places
    # who is below their threshold everywhere has a row all the same, about all of their places
    places: ColumnElement[str] = func.coalesce(heard, covered.c.places)
    below: ColumnElement[bool] = heard.is_(None) if asked else false()
    same: ColumnElement[bool] = false()
    if known.shared:
        contact = table.c[f"{channel}_hash"]
        own = select(covered.c.recipient, places.label("places"), below.label("below"), contact.label("contact"))
        mine = own.join(table, key == covered.c.recipient).where(part.of(key)).subquery("mine")
        left = _left_by_others(notice, channel, mine.c.recipient, mine.c.contact, mine.c.places, known)
        covered = select(mine, left.label("left_to_say")).subquery("covered")
        same = covered.c.left_to_say == ""
        places = case((same, covered.c.places), else_=covered.c.left_to_say)
        below = covered.c.below
    reason = _reason(notice, channel, table, covered.c.recipient, places, below, same, caps, known)
    everybody = select(
        key.label("recipient"),
        table.c.language,
        places.label("places"),
        (table.c.level if "level" in table.c else literal(0)).label("threshold"),
        _own_wait(notice, table).label("own_until_s"),
        reason.label("reason"),
    ).join(covered, covered.c.recipient == key)
    return everybody.where(part.of(key), *_takes_part(table, channel)).order_by(key)


def shared_contacts(notice: Notice, channel: ChannelName) -> Select[Any]:
    """A row if any contact of the channel belongs to several recipients."""
    table, _ = registry_of(notice)
    contact = table.c[f"{channel}_hash"]
    return select(contact).where(contact.is_not(None)).group_by(contact).having(func.count() > 1).limit(1)


def refused_contacts(channel: ChannelName) -> Select[Any]:
    """A row if any contact of the channel is refused by a provider."""
    return select(suppressions.c.contact_hash).where(suppressions.c.channel == channel).limit(1)


def earlier_notices(notice: Notice) -> Select[Any]:
    """Transitions of the other notices of this kind that the episode has had."""
    found = (
        select(notices.c.transition)
        .distinct()
        .where(notices.c.episode == notice.episode, notices.c.kind == notice.kind)
    )
    return found.where(notices.c.mode == mode_of(notice), notices.c.id != notice.id)


def _takes_part(table: FromClause, channel: ChannelName) -> list[ColumnElement[bool]]:
    wants = has_word(table.c.channels, channel)
    return [wants, table.c.state == "active"] if "state" in table.c else [wants]


def _own_wait(notice: Notice, table: Table) -> ColumnElement[int]:
    if "quiet_from" not in table.c:
        return literal(0)
    return own_wait_in_sql(notice, notice.time, table.c.quiet_from, table.c.quiet_to)


def _covered(notice: Notice, channel: ChannelName, part: Slice) -> FromClause:
    """Recipient and places: those of theirs that lie in the notice's provinces."""
    if notice.audience.corrects is not None:
        wrong = select(ledger.c.recipient, ledger.c.places)
        wrong = wrong.where(ledger.c.notice == notice.audience.corrects, ledger.c.channel == channel)
        return wrong.where(part.of(ledger.c.recipient), may_have_got(ledger)).subquery("covered")
    if notice.audience.recipients == "facilities":
        plants = select(facilities.c.facility_id.label("recipient"), facilities.c.province.label("places"))
        return plants.where(facilities.c.province.in_(notice.audience.provinces)).subquery("covered")
    touched = subscriber_places
    inside = select(touched).where(touched.c.province.in_(notice.audience.provinces))
    inside = inside.where(part.of(touched.c.subscriber_id))
    # in the order of the primary key, so that the text is the same whenever it is made
    ordered = inside.order_by(touched.c.subscriber_id, touched.c.place, touched.c.province).subquery("touched")
    place = cast(ordered.c.place, String) + ":" + ordered.c.province
    together = select(
        ordered.c.subscriber_id.label("recipient"),
        func.aggregate_strings(place, ",").label("places"),
        *thresholds.lists_above(notice, place, ordered.c.province),
    )
    return together.group_by(ordered.c.subscriber_id).subquery("covered")


def _reason(
    notice: Notice,
    channel: ChannelName,
    table: FromClause,
    recipient: ColumnElement[str],
    places: ColumnElement[str],
    below: ColumnElement[bool],
    same: ColumnElement[bool],
    caps: Caps,
    known: Circumstances,
) -> ColumnElement[str]:
    own = _own_tests(notice, channel, table, recipient, places, below, known)
    own += _silenced(notice, recipient, places, known)
    capped = notice.kind in CAPPED_KINDS and notice.audience.corrects is None
    if known.earlier and notice.audience.recipients == "residents" and capped:
        again = already_told(notice, channel, recipient, places, caps, beside=known.beside)
        own.append((again, Suppressed.ALREADY_TOLD))
        own.append((is_capped(notice, channel, recipient, caps), Suppressed.FREQUENCY_CAP))
    if known.shared:
        own.append((same, Suppressed.SAME_CONTACT))
    return case(*((test, literal(why.value)) for test, why in own), else_=literal(""))


def _own_tests(
    notice: Notice,
    channel: ChannelName,
    table: FromClause,
    recipient: ColumnElement[str],
    places: ColumnElement[str] | None,
    below: ColumnElement[bool],
    known: Circumstances,
) -> list[tuple[ColumnElement[bool], Suppressed]]:
    """The tests that ask only about the recipient, not about other messages of the episode."""
    contact = table.c[f"{channel}_hash"]
    tests: list[tuple[ColumnElement[bool], Suppressed]] = [(contact.is_(None), Suppressed.NO_CONTACT)]
    if "stopped_channels" in table.c:
        tests.append((has_word(table.c.stopped_channels, channel), Suppressed.OPTED_OUT))
    if known.refused:
        for why in (Suppressed.OPTED_OUT, Suppressed.INVALID_CONTACT):
            refused = exists().where(
                suppressions.c.channel == channel,
                suppressions.c.contact_hash == contact,
                suppressions.c.reason == why.value,
            )
            tests.append((refused, why))
    if thresholds.apply_to(notice):
        tests.append((below, Suppressed.BELOW_THRESHOLD))
    if notice.audience.told_in is not None:
        tests.append((~was_warned(notice, channel, recipient, places), Suppressed.NOT_TOLD))
    return tests


def _silenced(
    notice: Notice, recipient: ColumnElement[str], places: ColumnElement[str], known: Circumstances
) -> list[tuple[ColumnElement[bool], Suppressed]]:
    if not known.silences:
        return []
    return [(silenced(notice, known.silences, recipient, places), Suppressed.SILENCED)]


def _left_by_others(
    notice: Notice,
    channel: ChannelName,
    recipient: ColumnElement[str],
    contact: ColumnElement[str],
    places: ColumnElement[str],
    known: Circumstances,
) -> ColumnElement[str]:
    """The list of places without those that the contact is told of for somebody else: a family may share a telephone,
    and live in two provinces. A correction goes out once, whatever places it is about, and a plant has one."""
    if notice.audience.corrects is None and notice.audience.recipients == "residents":
        return without(places, lambda province: _told_to_another(notice, channel, recipient, contact, known, province))
    return case((_told_to_another(notice, channel, recipient, contact, known), ""), else_=places)


def _told_to_another(
    notice: Notice,
    channel: ChannelName,
    recipient: ColumnElement[str],
    contact: ColumnElement[str],
    known: Circumstances,
    province: ColumnElement[str] | None = None,
) -> ColumnElement[bool]:
    """Whether somebody with a lower id and the same contact gets the message, by their own choices; about a province,
    if one is given."""
    table, _ = registry_of(notice)
    other: Any = aliased(table, name="other")
    other_key = other.c.subscriber_id if table is subscribers else other.c.facility_id
    below = ~thresholds.hears(notice, other.c.level, other_key, province) if thresholds.apply_to(notice) else false()
    speaks_against = or_(*(test for test, _ in _own_tests(notice, channel, other, other_key, province, below, known)))
    told = exists().where(
        other.c[f"{channel}_hash"] == contact,
        other_key < recipient,
        *_takes_part(other, channel),
        _is_covered(notice, channel, other, other_key, known, province),
        ~speaks_against,
    )
    return told if province is None else told.correlate_except(other)


def may_have_got(row: Any) -> ColumnElement[bool]:
    """Whether the message of a row may have reached its recipient, as far as the provider can tell."""
    return or_(row.c.state.not_in(NOT_GOT), row.c.reason == MAY_HAVE_ARRIVED_CODE)


def _is_covered(
    notice: Notice,
    channel: ChannelName,
    other: Any,
    key: ColumnElement[str],
    known: Circumstances,
    province: ColumnElement[str] | None,
) -> ColumnElement[bool]:
    if notice.audience.corrects is not None:
        wrong = aliased(ledger, name="wrong")
        return exists().where(
            wrong.c.notice == notice.audience.corrects,
            wrong.c.channel == channel,
            wrong.c.recipient == key,
            may_have_got(wrong),
        )
    if notice.audience.recipients == "facilities":
        quiet = silenced(notice, known.silences, key, other.c.province)
        return and_(other.c.province.in_(notice.audience.provinces), ~quiet)
    place = aliased(subscriber_places, name="place")
    there = [] if province is None else [place.c.province == province]
    covered = exists().where(place.c.subscriber_id == key, place.c.province.in_(loud(notice, known.silences)), *there)
    return covered.correlate_except(place)
