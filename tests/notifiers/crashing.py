"""Run as a process: dispatches what is planned and kills itself at the named point, the given time it passes there.

``python -m tests.notifiers.crashing DATABASE_URL SANDBOX_DIR ADDRESSES FAILPOINT NTH``; FAILPOINT ``none`` runs to
the end. The sandbox runs in the test's own process and outlives this one.
"""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec

from notifiers.database import connect
from notifiers.failpoints import FailpointName, arm
from notifiers.sandbox import Addresses
from tests.notifiers.workplace import dispatching, email_channel, sms_channel

CRASHED = 77


def killer(name: str, nth: int) -> None:
    """Die without a word at the ``nth`` passing of the failpoint."""
    passed = 0

    def action(reached: FailpointName) -> None:
        nonlocal passed
        passed += reached == name
        if passed >= nth:
            os._exit(CRASHED)

    arm(action)


async def main(url: str, addresses: str, name: str, nth: int) -> int:
    if name != "none":
        killer(name, nth)
    where = msgspec.json.decode(addresses, type=Addresses)
    engine = connect(url)
    channels = [sms_channel(where, lookup_after_s=0.05), email_channel(where, lookup_after_s=0.05)]
    async with dispatching(engine, channels) as dispatcher:
        left = await dispatcher.drain(5)
    return 1 if any(left.values()) else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))))
