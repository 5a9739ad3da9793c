"""Times as people write them on the command line."""

from __future__ import annotations

from datetime import datetime

from streams.clock import epoch_s
from streams.errors import InputError


def seconds_of(text: str, field: str) -> int:
    """A time with an offset, as UTC epoch seconds. Raises :class:`InputError` that names ``field``, for anything
    else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InputError(f"{text!r} is no time with an offset", field=field, remedy="write 2026-01-14T05:00+07:00")
    return epoch_s(moment)
