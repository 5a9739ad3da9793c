"""Named places where a crash test may kill the process. In production every one of them is an empty call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

FailpointName = Literal[
    "after-notice",
    "before-slice-commit",
    "after-slice",
    "after-fan-out",
    "before-claim",
    "after-claim",
    "after-sending-mark",
    "after-data-mark",
    "after-accept",
    "after-settle",
    "before-reconcile",
    "after-reconcile",
    "between-diversion",
    "after-diversion",
    "between-escalation",
    "after-escalation",
]

_armed: Callable[[FailpointName], None] | None = None


def arm(action: Callable[[FailpointName], None] | None) -> None:
    """Call ``action`` with the name of every failpoint that is passed from now on; ``None`` disarms."""
    global _armed
    _armed = action


def failpoint(name: FailpointName) -> None:
    """Mark a place between two durable effects."""
    if _armed is not None:
        _armed(name)
