"""``python -m notifiers.sandbox DIR``: the sandbox as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import msgspec

from notifiers.sandbox.server import Sandbox


def main() -> None:
    """Serve until told to stop; the first line printed is a JSON object with the addresses."""
    parser = argparse.ArgumentParser(prog="python -m notifiers.sandbox", description=__doc__)
    parser.add_argument("directory", type=Path, help="where messages are kept")
    parser.add_argument("--http-port", type=int, default=0)
    parser.add_argument("--smtp-port", type=int, default=0)
    given = parser.parse_args()
    asyncio.run(_serve(Sandbox(given.directory, http_port=given.http_port, smtp_port=given.smtp_port)))


async def _serve(sandbox: Sandbox) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    addresses = await sandbox.start()
    sys.stdout.write(msgspec.json.encode(addresses).decode() + "\n")
    sys.stdout.flush()
    await stop.wait()
    await sandbox.stop()


if __name__ == "__main__":
    main()
