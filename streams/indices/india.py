"""India's National AQI: Central Pollution Control Board, National Air Quality Index, October 2014.

The PM breakpoints, the classes, the running 24 h and 8 h means and the rule of three pollutants with 16 hours each
were read in public sources; the gas breakpoints, continuous interpolation and the reach of the last segment (from the
Board's calculator sheet, capped at 500) are from memory and unverified. Ammonia and lead are not measured here.
"""

from __future__ import annotations

from streams.indices.standard import Average, Category, Column, Standard, continuous

_INDEX = (50.0, 100.0, 200.0, 300.0, 400.0, 500.0)

_COLUMNS = (
    Column("pm25", ("24h",), "ug/m3", continuous(_INDEX, (30, 60, 90, 120, 250, 380))),
    Column("pm10", ("24h",), "ug/m3", continuous(_INDEX, (50, 100, 250, 350, 430, 510))),
    Column("o3", ("8h",), "ug/m3", continuous(_INDEX, (50, 100, 168, 208, 748, 1287))),
    Column("no2", ("24h",), "ug/m3", continuous(_INDEX, (40, 80, 180, 280, 400, 520))),
    Column("so2", ("24h",), "ug/m3", continuous(_INDEX, (40, 80, 380, 800, 1600, 2400))),
    Column("co", ("8h",), "mg/m3", continuous(_INDEX, (1, 2, 10, 17, 34, 51))),
)

IN_NAQI = Standard(
    code="in_naqi",
    citation="CPCB, National Air Quality Index, CUPS/82/2014-15, October 2014 (gas breakpoints unverified)",
    language="en",
    columns=_COLUMNS,
    categories=(
        Category(0, 50, {"en": "Good"}, (0, 176, 80)),
        Category(51, 100, {"en": "Satisfactory"}, (146, 208, 80)),
        Category(101, 200, {"en": "Moderate"}, (255, 255, 0)),
        Category(201, 300, {"en": "Poor"}, (255, 153, 0)),
        Category(301, 400, {"en": "Very Poor"}, (255, 0, 0)),
        Category(401, 500, {"en": "Severe"}, (192, 0, 0)),
    ),
    hourly={
        "pm25": ((Average.TRAILING_24H, "pm25_24h"),),
        "pm10": ((Average.TRAILING_24H, "pm10_24h"),),
        "o3": ((Average.TRAILING_8H, "o3_8h"),),
        "no2": ((Average.TRAILING_24H, "no2_24h"),),
        "so2": ((Average.TRAILING_24H, "so2_24h"),),
        "co": ((Average.TRAILING_8H, "co_8h"),),
    },
    hourly_note="the Board's real-time index: running 24 h means, running 8 h means for ozone and carbon monoxide",
    daily=tuple(column.key for column in _COLUMNS),
    one_of=frozenset({"pm25", "pm10"}),
    at_least=3,
    hours_of_24=16,
)
