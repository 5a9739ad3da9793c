"""What kind of file some bytes are, by content. A few wrong bytes at the beginning must not change the answer."""

from __future__ import annotations

import re
from enum import StrEnum

from streams.sources.cnemc import LEADING_COLUMNS
from streams.sources.lines import as_utf8

_LOOKED_AT = 65_536
_TIDY = {"time", "station_id", "station", "pollutant", "value", "unit"}
_ARCHIVE = {"location_id", "sensors_id", "datetime", "parameter", "units"}
_OBSERVATIONS = {"aqsid", "validdate", "validtime", "reportingarea_pipedelimited", "gmtoffset", "datasource"}
_PIPES = 8


class Kind(StrEnum):
    """Text formats; Parquet and gzip are known by their first bytes."""

    TIDY = "tidy"
    STATION_FILE = "circular10"
    READINGS_JSON = "readings-json"
    OPENAQ_PAGE = "openaq-page"
    OPENAQ_ARCHIVE = "openaq-archive"
    HOURLY_DATA = "airnow-hourly-data"
    OBSERVATIONS = "airnow-observations"
    SENSOR_COMMUNITY = "sensor-community"
    CNEMC = "cnemc"


def kind_of(text: bytes) -> Kind:
    """The kind of unpacked text; what is nothing else is read as a station file, whose parser says what it lacks."""
    beginning = as_utf8(text[:_LOOKED_AT])
    head = beginning.split(b"\n", 1)[0].decode(errors="replace").casefold()
    names = {name.strip(' "\r') for name in re.split("[,;\t]", head)}
    if len(_OBSERVATIONS & names) >= 3:
        return Kind.OBSERVATIONS
    if len(_ARCHIVE & names) >= 3:
        return Kind.OPENAQ_ARCHIVE
    if len(set(LEADING_COLUMNS) & names) >= 2 and b"\t" not in beginning[:64]:
        return Kind.CNEMC
    if len(_TIDY & names) >= 2:  # two are enough, the parser says which are missing
        return Kind.TIDY
    if b'"sensordatavalues"' in beginning or b'"value_type"' in beginning:
        return Kind.SENSOR_COMMUNITY
    if b'"datetimeTo"' in beginning or b'"datetimeFrom"' in beginning:
        return Kind.OPENAQ_PAGE
    if beginning.lstrip()[:1] in (b"[", b"{"):
        return Kind.READINGS_JSON
    return Kind.HOURLY_DATA if _mostly_pipes(beginning) else Kind.STATION_FILE


def _mostly_pipes(beginning: bytes) -> bool:
    lines = [line for line in beginning.split(b"\n") if line.strip()]
    piped = sum(line.count(b"|") == _PIPES for line in lines)
    return piped > 0 and 2 * piped >= len(lines) - 1
