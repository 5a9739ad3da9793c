"""What recipients have been told of an episode before, or will be: the tests of the audience that ask the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, literal, or_, select
from sqlalchemy.orm import aliased

from notifiers.deliveries import ChannelName, Mode
from notifiers.ledger import STOOD_IN, WARNING_KINDS
from notifiers.place_lists import covers, items, meets, mentions, province_of, without
from notifiers.tables import ledger, notices
from notifiers.transitions import sources
from rules.notices import ActualNotice, Notice
from streams.clock import HOUR_S

NOT_GOT = ("suppressed", "failed", "expired")
"""States of a row whose recipient certainly has not got the message."""


@dataclass(frozen=True)
class Caps:
    """How many messages one person may get.

    Attributes:
        per_episode: advisories and bulletins of one episode on one channel. Twenty: a fortnight of daily reminders and
            a few changes of level; who has got so many reads no more of them. A higher level than any told is above it.
        reminder_after_h: hours for which a message that would say the same as the last one is not sent. A day, as
            services that people have stayed with for years do it.
    """

    per_episode: int = 20
    reminder_after_h: int = 24


DEFAULT_CAPS = Caps()


def mode_of(notice: Notice) -> Mode:
    """The mode a notice, its rows, its messages and their channels all have in common."""
    return "actual" if isinstance(notice, ActualNotice) else "exercise"


def was_warned(
    notice: Notice, channel: ChannelName, recipient: ColumnElement[str], places: ColumnElement[str] | None
) -> ColumnElement[bool]:
    """Whether a warning of any of the places was planned; of any place at all where none are given."""
    earlier = aliased(ledger, name="earlier")
    warned = exists().where(
        _to(earlier, notice, channel, recipient, notice.audience.told_in),
        earlier.c.kind.in_(WARNING_KINDS),
        or_(earlier.c.state != "suppressed", earlier.c.reason == STOOD_IN),
        *([] if places is None else [meets(earlier.c.places, places)]),
    )
    return warned.correlate_except(earlier)  # a place may come from further out


def already_told(
    notice: Notice,
    channel: ChannelName,
    recipient: ColumnElement[str],
    places: ColumnElement[str],
    caps: Caps,
    *,
    beside: bool,
) -> ColumnElement[bool]:
    """The same level as in the last message, of the same places; or (asked only if there are notices ``beside`` this
    one) another rule of the same transition says it, or will say it in a message that is still to go out."""
    row, said, earlier = _before(notice, channel, recipient, "earlier")
    since_s = int(notice.time.timestamp()) - caps.reminder_after_h * HOUR_S
    later_row, later_said, later = _before(notice, channel, recipient, "later")
    otherwise = (later, later_row.c.notice_time_s > row.c.notice_time_s, later_said.c.level != notice.level)
    # the recipient is that of the outermost query, which does not correlate by itself two levels down
    changed = exists().where(*otherwise).correlate_except(later_row, later_said)
    again = and_(
        row.c.state != "held",  # what waits has told nobody anything, and gives way to what is newer
        said.c.guard != "waiting",
        row.c.notice_time_s > since_s,
        said.c.level == notice.level,
        covers(row.c.places, places),
        ~changed,
    )
    said_before = exists().where(earlier, again).correlate_except(row, said)
    return or_(said_before, _told_beside(notice, channel, recipient, places)) if beside else said_before


def can_say_more(row: Any, said: Any, notice: Notice) -> ColumnElement[bool]:
    """Whether a row of another rule of the same transition, and its notice, can still be about more places. Neither
    message may wait for a person's yes: it would be said of the other's places as well."""
    return and_(
        said.c.transition == notice.transition,
        said.c.approval == "none",
        said.c.guard != "waiting",
        literal(notice.approval) == "none",
        row.c.state.in_(sources("withdraw", "suppressed")),
    )


def left_to_say(notice: Notice, channel: ChannelName, recipient: Any, places: Any) -> ColumnElement[str]:
    """The list of places without those that another rule of the same transition has told of."""

    def told(province: ColumnElement[str]) -> ColumnElement[bool]:
        row, said, gone = _gone_beside(notice, channel, recipient)
        return exists().where(gone, mentions(row.c.places, province)).correlate_except(row, said)

    return without(places, told)


def told_of_some(notice: Notice, channel: ChannelName, recipient: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether another rule of the same transition has told the recipient anything."""
    row, said, gone = _gone_beside(notice, channel, recipient)
    return exists().where(gone).correlate_except(row, said)


def _told_beside(
    notice: Notice, channel: ChannelName, recipient: ColumnElement[str], places: ColumnElement[str]
) -> ColumnElement[bool]:
    row, said, earlier = _before(notice, channel, recipient, "beside")
    will_say = exists().where(earlier, can_say_more(row, said, notice)).correlate_except(row, said)
    one, one_said, gone = _gone_beside(notice, channel, recipient)
    place = items(places)
    has_said = exists().where(gone, mentions(one.c.places, province_of(place.c.value))).correlate_except(one, one_said)
    unsaid = exists().select_from(place).where(~has_said).correlate_except(place)
    return or_(will_say, and_(told_of_some(notice, channel, recipient), ~unsaid))


def _gone_beside(notice: Notice, channel: ChannelName, recipient: ColumnElement[str]) -> tuple[Any, Any, Any]:
    row, said, earlier = _before(notice, channel, recipient, "gone")
    gone = row.c.state.not_in(sources("withdraw", "suppressed"))
    return row, said, and_(earlier, gone, said.c.transition == notice.transition)


def _before(notice: Notice, channel: ChannelName, recipient: ColumnElement[str], name: str) -> tuple[Any, Any, Any]:
    """Aliases of the ledger and its notices, and the test for an earlier message like this one to the recipient."""
    row, said = aliased(ledger, name=name), aliased(notices, name=f"{name}_notice")
    test = and_(
        _to(row, notice, channel, recipient, notice.episode),
        row.c.kind == notice.kind,
        row.c.notice != notice.id,
        row.c.notice_time_s <= int(notice.time.timestamp()),
        or_(row.c.state.not_in(NOT_GOT), row.c.reason == STOOD_IN),
        said.c.id == row.c.notice,
    )
    return row, said, test


def _to(
    row: Any, notice: Notice, channel: ChannelName, recipient: ColumnElement[str], episode: str | None
) -> ColumnElement[bool]:
    """Whether a row is of the episode and went to the recipient as the notice would: its channel, registry and mode."""
    return and_(
        row.c.recipient == recipient,
        row.c.channel == channel,
        row.c.episode == episode,
        row.c.registry == notice.audience.recipients,
        row.c.mode == mode_of(notice),
    )


def is_capped(notice: Notice, channel: ChannelName, recipient: ColumnElement[str], caps: Caps) -> ColumnElement[bool]:
    """Whether they have got as many messages of the episode as anybody may, and none of a lower level than this."""
    _, said, earlier = _before(notice, channel, recipient, "said")
    number = select(func.count()).where(earlier).scalar_subquery()
    highest = select(func.max(said.c.level)).where(earlier).scalar_subquery()
    return and_(number >= caps.per_episode, highest >= notice.level)
