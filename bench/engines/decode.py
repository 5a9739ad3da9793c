"""Limit 2: nothing but JSON to objects, from memory."""

from __future__ import annotations

import msgspec

from bench.stopwatch import Run, Stopwatch
from bench.workload import Workload
from streams.wire import WireReading

_AT_ONCE = 7_000
"""Messages in a fetch of one megabyte."""


def main() -> None:
    """Decode as many messages as the run asks for."""
    run = Run.from_command_line()
    distinct = [value for _, value in Workload(readings=min(run.readings, 200_000)).payloads()]
    decode = msgspec.json.Decoder(WireReading).decode
    watch = Stopwatch(run.readings)
    watch.first()
    done = 0
    while not watch.passed(done):
        at = done % len(distinct)
        fetched = distinct[at : at + _AT_ONCE]
        for payload in fetched:
            decode(payload)
        done += len(fetched)
    watch.report()


if __name__ == "__main__":
    main()
