"""How episodes stand now, as far as their events have come here: for messages that are sent later than planned."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, func, select

from notifiers.database import insert
from notifiers.tables import episode_standings
from rules.notices import Notice, NoticeProvince
from streams.schemas import EpisodeEvent, EpisodeProvince

_decoder: msgspec.json.Decoder[EpisodeEvent] = msgspec.json.Decoder(EpisodeEvent)


def note(connection: Connection, event: EpisodeEvent) -> None:
    """Remember an event, in the caller's transaction. A repeat changes nothing."""
    row = insert(connection, episode_standings).values(
        episode=event.episode,
        transition=event.transition,
        time_s=int(event.time.timestamp()),
        body=msgspec.json.encode(event),
    )
    connection.execute(row.on_conflict_do_nothing(index_elements=["episode", "transition"]))


def of(connection: Connection, episodes: Collection[str], now_s: float) -> dict[str, EpisodeEvent]:
    """The latest event of each of these episodes that has happened by ``now_s``; nothing of those not heard of.

    Earlier ones are kept: recorded episodes are sent on their own time, when all their events are known already.
    """
    if not episodes:
        return {}
    happened = episode_standings.c.time_s <= now_s
    latest = (
        select(episode_standings.c.episode, func.max(episode_standings.c.transition).label("transition"))
        .where(episode_standings.c.episode.in_(sorted(episodes)), happened)
        .group_by(episode_standings.c.episode)
        .subquery()
    )
    query = select(episode_standings.c.episode, episode_standings.c.body).join(
        latest,
        (latest.c.episode == episode_standings.c.episode) & (latest.c.transition == episode_standings.c.transition),
    )
    return {row.episode: _decoder.decode(row.body) for row in connection.execute(query)}


def is_over(event: EpisodeEvent) -> bool:
    """Whether the episode goes on no more. A merged one goes on under another name: its messages still hold."""
    return event.kind == "closed"


def has_eased(notice: Notice, event: EpisodeEvent, told: Collection[str]) -> bool:
    """Whether the episode has sunk below the level a notice speaks of, or left all provinces that a message of it is
    about. ``told``: their codes; not those of the notice, for a message can have taken over places of another one."""
    if event.transition <= notice.transition or event.kind == "merged":
        return False
    here = {province.code for province in event.provinces}
    meant = {province.code for province in notice.provinces} & set(told)
    return event.level < notice.level or (bool(meant) and not meant & here)


def refreshed(notice: Notice, event: EpisodeEvent | None) -> Notice:
    """A notice with the values that hold now: those of the latest event, for the provinces that it speaks of.

    The words, the level it was made for, and who says it remain. Without news it is the same notice.
    """
    if event is None or event.transition <= notice.transition or event.kind in ("closed", "merged"):
        return notice
    now = {province.code: province for province in event.provinces}
    provinces = [_province(old, now[old.code]) for old in notice.provinces if old.code in now]
    if not provinces:
        return notice
    return msgspec.structs.replace(notice, time=event.time, provinces=provinces)


def _province(old: NoticeProvince, now: EpisodeProvince) -> NoticeProvince:
    return msgspec.structs.replace(
        old, level=now.level, level_name=now.level_name, index=now.median_index, index_24h=now.median_index_24h
    )
