"""The tables of the database. Times are UTC epoch seconds.

Contacts are stored sealed (see :mod:`notifiers.contacts`) beside a keyed hash. Migrations build the same
(``notifiers/migrations``; a test compares them).
"""

from __future__ import annotations

from notifiers.tables.messages import (
    acknowledgements,
    approvals,
    attempts,
    fan_out_parts,
    heard,
    ledger,
    notices,
    progress,
    suppressions,
)
from notifiers.tables.operations import (
    episode_standings,
    escalation_calls,
    escalations,
    guarded,
    paces,
    silences,
    switchings,
)
from notifiers.tables.people import (
    confirmations,
    consents,
    erasures,
    facilities,
    quotas,
    subscriber_places,
    subscribers,
)
from notifiers.tables.schema import metadata

__all__ = [
    "acknowledgements",
    "approvals",
    "attempts",
    "confirmations",
    "consents",
    "episode_standings",
    "erasures",
    "escalation_calls",
    "escalations",
    "facilities",
    "fan_out_parts",
    "guarded",
    "heard",
    "ledger",
    "metadata",
    "notices",
    "paces",
    "progress",
    "quotas",
    "silences",
    "subscriber_places",
    "subscribers",
    "suppressions",
    "switchings",
]
