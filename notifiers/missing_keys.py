"""A contact that no configured key opens: that one's own damage, or a key that is missing for all of them?"""

from __future__ import annotations

from sqlalchemy import Connection, select, union_all

from notifiers.contacts import Vault
from notifiers.tables import facilities, subscribers
from streams.errors import ConfigurationError

_LOOKED_AT = 20
"""Contacts tried: after a rotation that nobody finished, some of any twenty are under the key that is there."""


def is_missing(connection: Connection, vault: Vault) -> bool:
    """Whether none of some contacts can be opened. One alone that cannot is damaged, as far as anybody can tell."""
    columns = (subscribers.c.sms, subscribers.c.email, facilities.c.sms, facilities.c.email)
    some = [select(column).where(column.is_not(None)).limit(_LOOKED_AT).subquery() for column in columns]
    found = list(connection.execute(union_all(*(select(one) for one in some))).scalars())
    return len(found) > 1 and not any(_opens(vault, sealed) for sealed in found)


def _opens(vault: Vault, sealed: bytes) -> bool:
    try:
        vault.open(sealed)
    except ConfigurationError:
        return False
    return True
