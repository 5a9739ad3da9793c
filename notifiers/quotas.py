"""How often something may be asked for. Counted in the database, so that restarts and further processes forget nothing.

Who asks is kept as a keyed hash, for as long as the window lasts.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete

from notifiers.database import insert
from notifiers.tables import quotas

_KEPT_S = 2 * 86_400  # the longest window is a day


@dataclass(frozen=True)
class Quota:
    """At most ``limit`` within each ``window_s`` seconds, by ``name`` of what is counted."""

    name: str
    limit: int
    window_s: int = 3600


def take(connection: Connection, quota: Quota, key: str, now_s: float) -> bool:
    """Count one more for ``key``, and say whether it is still within the quota. Refused ones count too."""
    window_s = int(now_s) // quota.window_s * quota.window_s
    row = insert(connection, quotas).values(name=quota.name, key=key, window_s=window_s, used=1)
    counted = row.on_conflict_do_update(
        index_elements=["name", "key", "window_s"], set_={"used": quotas.c.used + 1}
    ).returning(quotas.c.used)
    return bool(connection.execute(counted).scalar_one() <= quota.limit)


def forget(connection: Connection, now_s: float) -> int:
    """Drop the windows that are surely over. Returns how many there were."""
    return connection.execute(delete(quotas).where(quotas.c.window_s < int(now_s - _KEPT_S))).rowcount
