"""US AQI: 40 CFR 58 Appendix G as amended with effect from 6 May 2024, and as it stood from 2012 to then.

Technical assistance: EPA-454/B-24-002, May 2024. Concentrations are cut (never rounded) to the table's decimals, the
index is rounded to the nearest integer, and the last segment is carried on above 500. Only PM2.5 changed in 2024.
"""

from __future__ import annotations

from streams.indices.standard import Average, Beyond, Category, Column, Row, Standard

_INDEX = ((0.0, 50.0), (51.0, 100.0), (101.0, 150.0), (151.0, 200.0), (201.0, 300.0), (301.0, 500.0))


def _rows(*bounds: tuple[float, float] | None) -> tuple[Row, ...]:
    """Rows from the table's (from, to) per class, lowest class first; ``None`` where the table has no entry."""
    return tuple((*bound, *index) for bound, index in zip(bounds, _INDEX, strict=False) if bound)


_PM25_2024 = _rows((0, 9.0), (9.1, 35.4), (35.5, 55.4), (55.5, 125.4), (125.5, 225.4), (225.5, 325.4))
# Since 2012 (78 FR 3086) Hazardous has had two segments in PM2.5: 301–400 and 401–500.
_PM25_2012: tuple[Row, ...] = (
    *_rows((0, 12.0), (12.1, 35.4), (35.5, 55.4), (55.5, 150.4), (150.5, 250.4)),
    (250.5, 350.4, 301, 400),
    (350.5, 500.4, 401, 500),
)

_GASES_AND_DUST = (
    Column(
        "pm10",
        ("24h", "nowcast"),
        "ug/m3",
        _rows((0, 54), (55, 154), (155, 254), (255, 354), (355, 424), (425, 604)),
        Beyond.EXTEND,
        0,
    ),
    # 8 h ozone defines nothing above 300: higher values come from the 1 h column, the 8 h value stays at 300.
    Column(
        "o3",
        ("8h",),
        "ppm",
        _rows((0, 0.054), (0.055, 0.070), (0.071, 0.085), (0.086, 0.105), (0.106, 0.200)),
        Beyond.CAP,
        3,
    ),
    Column(
        "o3",
        ("1h",),
        "ppm",
        _rows(None, None, (0.125, 0.164), (0.165, 0.204), (0.205, 0.404), (0.405, 0.604)),
        Beyond.EXTEND,
        3,
    ),
    Column(
        "co",
        ("8h",),
        "ppm",
        _rows((0, 4.4), (4.5, 9.4), (9.5, 12.4), (12.5, 15.4), (15.5, 30.4), (30.5, 50.4)),
        Beyond.EXTEND,
        1,
    ),
    # 1 h sulphur dioxide defines nothing above 200: higher values come from the 24 h column.
    Column("so2", ("1h",), "ppb", _rows((0, 35), (36, 75), (76, 185), (186, 304)), Beyond.CAP, 0),
    Column("so2", ("24h",), "ppb", _rows(None, None, None, None, (305, 604), (605, 1004)), Beyond.EXTEND, 0),
    Column(
        "no2",
        ("1h",),
        "ppb",
        _rows((0, 53), (54, 100), (101, 360), (361, 649), (650, 1249), (1250, 2049)),
        Beyond.EXTEND,
        0,
    ),
)

_CATEGORIES = (
    Category(0, 50, {"en": "Good"}, (0, 228, 0)),
    Category(51, 100, {"en": "Moderate"}, (255, 255, 0)),
    Category(101, 150, {"en": "Unhealthy for Sensitive Groups"}, (255, 126, 0)),
    Category(151, 200, {"en": "Unhealthy"}, (255, 0, 0)),
    Category(201, 300, {"en": "Very Unhealthy"}, (143, 63, 151)),
    Category(301, 500, {"en": "Hazardous"}, (126, 0, 35)),
)


def _standard(code: str, citation: str, pm25: tuple[Row, ...]) -> Standard:
    return Standard(
        code=code,
        citation=citation,
        language="en",
        columns=(Column("pm25", ("24h", "nowcast"), "ug/m3", pm25, Beyond.EXTEND, 1), *_GASES_AND_DUST),
        categories=_CATEGORIES,
        hourly={
            "pm25": ((Average.NOWCAST, "pm25_24h"),),
            "pm10": ((Average.NOWCAST, "pm10_24h"),),
            "o3": ((Average.HOUR, "o3_1h"), (Average.TRAILING_8H, "o3_8h")),
            "no2": ((Average.HOUR, "no2_1h"),),
            "so2": ((Average.HOUR, "so2_1h"), (Average.TRAILING_24H, "so2_24h")),
            "co": ((Average.TRAILING_8H, "co_8h"),),
        },
        hourly_note=(
            "AirNow's NowCast for PM; trailing 8 h means stand in for AirNow's ozone NowCast, a regression trained "
            "per site that needs two weeks of history"
        ),
        daily=("pm25_24h", "pm10_24h", "o3_1h", "o3_8h", "no2_1h", "so2_1h", "so2_24h", "co_8h"),
    )


US_AQI = _standard("us_aqi", "40 CFR 58 Appendix G, in force since 6 May 2024; EPA-454/B-24-002", _PM25_2024)
US_AQI_2012 = _standard(
    "us_aqi_2012", "40 CFR 58 Appendix G as in force until 5 May 2024 (PM2.5 of 78 FR 3086)", _PM25_2012
)
