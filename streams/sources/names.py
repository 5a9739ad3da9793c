"""Which station a file belongs to: by its name, its folder, and a table; never by a province prefix alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePath
from typing import Protocol

from streams.errors import ReadingError
from streams.sources.circular10 import local_time
from streams.stations import StationRegistry

_FOURTEEN = re.compile(r"(?P<prefix>.*?)[_\-. ]*(?P<time>\d{14})$", re.ASCII)
_DASHED = re.compile(
    r"(?P<prefix>.*?)[_\-. ]*(?P<day>\d{4}-\d{2}-\d{2})[_T \-](?P<clock>\d{2}-\d{2}(?:-\d{2})?)$", re.ASCII
)


def split_name(path: PurePath) -> tuple[str, datetime | None]:
    """Prefix and naive local time of a file name: ``TH_BSON_KHILO2_20260112080500.txt``, ``2026-01-12_08-05.txt``.

    Without a time the whole stem is the prefix.
    """
    stem = path.stem
    for pattern in (_DASHED, _FOURTEEN):
        match = pattern.fullmatch(stem)
        if match:
            parts = match.groupdict()
            digits = parts.get("time") or f"{parts['day']}{parts['clock']}".replace("-", "").ljust(14, "0")
            time = local_time(digits)
            if time is not None:
                return parts["prefix"], time
    return stem, None


class Names(Protocol):
    """Says which station a file belongs to."""

    def station_of(self, path: PurePath) -> str:
        """The station code. Raises ``ReadingError`` where there is none to be found."""
        ...


class OneStation:
    """Every file belongs to one station, whatever it is called: for accounts that a station has to itself."""

    def __init__(self, registry: StationRegistry, code: str) -> None:
        if registry.row(code) < 0:
            raise ReadingError(
                f"station {code[:80]!r} is not registered", field="station", remedy="add it to the registry"
            )
        self._code = code

    def station_of(self, path: PurePath) -> str:
        return self._code


class StationNames:
    """Finds the station of a file.

    Args:
        aliases: by file-name prefix or folder name, the station code; for loggers whose prefix is not the code,
            such as old province prefixes that stayed after July 2025.
    """

    def __init__(self, registry: StationRegistry, aliases: Mapping[str, str] | None = None) -> None:
        self._by_name = {code.casefold(): code for code in registry.rows}
        for name, code in (aliases or {}).items():
            if registry.row(code) < 0:
                raise ReadingError(
                    f"station {code[:80]!r} is not registered", field=name, remedy="add it to the station registry"
                )
            self._by_name[name.rstrip("_").casefold()] = code

    def station_of(self, path: PurePath) -> str:
        """The station code, by the prefix of the name, then by the nearest folder that names a station.

        Args:
            path: relative to the watched folder.

        Raises:
            ReadingError: naming what was looked for and where to write it down.
        """
        prefix, _ = split_name(path)
        candidates = [prefix, *reversed(path.parts[:-1])]
        for candidate in candidates:
            code = self._by_name.get(candidate.rstrip("_").casefold())
            if code is not None:
                return code
        tried = ", ".join(repr(candidate) for candidate in candidates if candidate) or "nothing"
        raise ReadingError(
            f"no station goes by {tried}",
            place=str(path),
            field="station",
            remedy="register a station with that code, or name the prefix in the source's aliases",
        )
