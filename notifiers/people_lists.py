"""What operators may see of the registry of residents: choices, places, consents; contacts masked, if at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Select, func, select

from notifiers import consents
from notifiers.contacts import Vault, mask
from notifiers.places import places_of
from notifiers.tables import subscriber_places, subscribers

_SHOWN = ("subscriber_id", "state", "province", "language", "level", "channels", "stopped_channels", "sensitive",
          "timing", "quiet_from", "quiet_to", "accented", "created_s")  # fmt: skip
_PAGE = 1_000


def listed(
    connection: Connection, *, province: str = "", state: str = "", limit: int | None = None
) -> Iterator[dict[str, Any]]:
    """People by id, without contacts; those with a place in ``province``, or in ``state``, if these are given."""
    query: Select[Any] = select(*(subscribers.c[name] for name in _SHOWN)).order_by(subscribers.c.subscriber_id)
    if province:
        places = select(subscriber_places.c.subscriber_id).where(subscriber_places.c.province == province)
        query = query.where(subscribers.c.subscriber_id.in_(places))
    if state:
        query = query.where(subscribers.c.state == state)
    for row in connection.execute(query.limit(limit).execution_options(yield_per=_PAGE)).mappings():
        yield dict(row)


def counted(connection: Connection) -> list[dict[str, Any]]:
    """Number of people by state, province of a place, and channel. Who has places in two provinces counts in both."""
    channel = subscribers.c.channels.label("channels")
    query = (
        select(
            subscribers.c.state,
            subscriber_places.c.province,
            channel,
            func.count(subscribers.c.subscriber_id.distinct()),
        )
        .join(subscriber_places, subscriber_places.c.subscriber_id == subscribers.c.subscriber_id)
        .group_by(subscribers.c.state, subscriber_places.c.province, channel)
        .order_by(subscribers.c.state, subscriber_places.c.province, channel)
    )
    return [
        {"state": state, "province": province, "channels": channels, "people": number}
        for state, province, channels, number in connection.execute(query)
    ]


def shown(connection: Connection, vault: Vault, person: str) -> dict[str, Any] | None:
    """Everything kept about one person, contacts masked."""
    row = connection.execute(select(subscribers).where(subscribers.c.subscriber_id == person)).mappings().first()
    given = consents.consents_of(connection, person)
    if row is None:
        return {"subscriber_id": person, "state": "not registered", "consents": given} if given else None
    contacts = {name: mask(vault.open(row[name])) if row[name] else None for name in ("sms", "email")}
    places = [
        {
            "kind": place.kind,
            "provinces": list(place.provinces),
            "commune": place.commune,
            "lat": place.lat,
            "lon": place.lon,
            "radius_km": place.radius_km,
            "label": place.label,
        }
        for place in places_of(connection, person)
    ]
    return {name: row[name] for name in _SHOWN} | contacts | {"places": places, "consents": given}
