"""Python's cycle collector, set for processes that take readings in by the ten thousand."""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 50_000
"""Objects made before the young ones are looked at. A fetch of readings is some ten thousand objects that live as long
as their batch and hold no cycles; with Python's 700 each of them is visited several times, and now and then everything
the process has: a third of the whole work of the index agent. What does hold cycles (a request that failed, an
exception with its frames) is kept a little longer: some tens of MB at the very most."""

OLDER_ROUNDS = 20


def calm() -> None:
    """Collect seldom, and never look at what is there already. To be called once a process has started up."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, OLDER_ROUNDS, OLDER_ROUNDS)
