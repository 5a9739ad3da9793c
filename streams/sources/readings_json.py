"""Files of readings as JSON: one object per line, or a list of objects, in the schema of the topic ``readings``."""

from __future__ import annotations

import msgspec

from streams.errors import ReadingError
from streams.rejects import Reason, rejected
from streams.sources.arrivals import Loaded
from streams.sources.json_records import records_of
from streams.sources.rows import Feed
from streams.wire import decode_messages

KEYS = frozenset(("station", "pollutant", "time"))


def parse(data: bytes, feed: Feed) -> Loaded:
    """Read the bytes. Never raises; a damaged list gives its whole readings."""
    if _is_object(data.lstrip().split(b"\n", 1)[0]):
        lines = [(number, line) for number, line in enumerate(data.split(b"\n"), start=1) if line.strip()]
        places = [f"{feed.place}:{number}" for number, _ in lines]
        decoded = decode_messages([line for _, line in lines], places, feed.registry, feed.source)
        return Loaded(decoded.batch, decoded.rejected, decoded.unused)
    records = records_of(data, KEYS)
    places = [f"{feed.place}: reading {number}" for number in range(1, len(records.whole) + 1)]
    decoded = decode_messages(records.whole, places, feed.registry, feed.source)
    damaged = [
        rejected(Reason.BAD_JSON, _not_whole(f"{feed.place}: byte {position}"), raw, feed.source)
        for position, raw in records.damaged
    ]
    return Loaded(decoded.batch, damaged + decoded.rejected, decoded.unused)


def _is_object(line: bytes) -> bool:
    if line[:1] != b"{":
        return False
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def _not_whole(place: str) -> ReadingError:
    return ReadingError(
        "is no whole reading", place=place, remedy="write an object with station, pollutant, value, unit, time"
    )
