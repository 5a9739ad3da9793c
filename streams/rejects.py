"""Why something that came in cannot be used: the named reasons, and how a rejection is written.

The same names are used in ``readings.rejected``, in the metric ``airshed_rejected_total`` and on the pages.
"""

from __future__ import annotations

from enum import StrEnum

from streams.errors import InputError
from streams.schemas import Rejected

MOST_RAW_BYTES = 65_536
"""Original bytes kept with a rejection. One reading has about 200, one station file a few thousand; 64 KiB holds
both and keeps a rejected archive of megabytes from travelling through every topic and page."""


MOST_MESSAGE = 1_000
"""Characters of a message. What is wrong is said in a hundred; a hostile field must not travel in it a second time."""


class Reason(StrEnum):
    """What is wrong with a reading, a line or a file."""

    BAD_JSON = "bad-json"
    """Not JSON, or JSON that is neither an object nor a list of objects."""
    BAD_READING = "bad-reading"
    """A field is missing or has the wrong type."""
    BAD_LINE = "bad-line"
    """A line of a file does not have the fields it should."""
    BAD_FILE = "bad-file"
    """A file is empty, damaged, too large or of no known kind."""
    UNREADABLE_FILE = "unreadable-file"
    """The operating system does not let the file be read."""
    TRUNCATED_FILE = "truncated-file"
    """A file ends before its end; what came before it was used."""
    UNKNOWN_STATION = "unknown-station"
    NOT_YOUR_STATION = "not-your-station"
    """The sender may not write this station."""
    UNKNOWN_POLLUTANT = "unknown-pollutant"
    UNKNOWN_UNIT = "unknown-unit"
    BAD_VALUE = "bad-value"
    """Not a finite number."""
    BAD_TIME = "bad-time"
    """Not a time, or a year in which nothing was measured."""
    NAIVE_TIME = "naive-time"
    """A time without an offset."""
    BAD_PERIOD = "bad-period"
    BAD_STATUS = "bad-status"
    CLOCK_AHEAD = "clock-ahead"
    """The reading ends later than now: the station's clock or its zone is wrong."""


def rejected(reason: Reason, problem: InputError, raw: bytes, source: str = "") -> Rejected:
    """A rejection with the message of ``problem``, up to ``MOST_MESSAGE``, and the bytes, up to ``MOST_RAW_BYTES``."""
    message = str(problem)[:MOST_MESSAGE]
    return Rejected(reason=reason.value, message=message, place=problem.place, raw=raw[:MOST_RAW_BYTES], source=source)
