"""Korea's Comprehensive Air-quality Index (CAI, 통합대기환경지수), breakpoints as in force since 2018.

Breakpoints were read in one library; the bonus for several bad pollutants, the cutting of concentrations to the
table's decimals and the colours are from memory and unverified. Korea weighs recent hours of PM in a forecast mean
whose exact weights were not found; trailing 24 h means stand in for it.
"""

from __future__ import annotations

from streams.indices.standard import Average, Beyond, Category, Column, Row, Standard

_INDEX = ((0.0, 50.0), (51.0, 100.0), (101.0, 250.0), (251.0, 500.0))


def _rows(*bounds: tuple[float, float]) -> tuple[Row, ...]:
    return tuple((*bound, *index) for bound, index in zip(bounds, _INDEX, strict=True))


_COLUMNS = (
    Column("pm25", ("24h",), "ug/m3", _rows((0, 15), (16, 35), (36, 75), (76, 500)), Beyond.CAP, 0),
    Column("pm10", ("24h",), "ug/m3", _rows((0, 30), (31, 80), (81, 150), (151, 600)), Beyond.CAP, 0),
    Column("o3", ("1h",), "ppm", _rows((0, 0.030), (0.031, 0.090), (0.091, 0.150), (0.151, 0.600)), Beyond.CAP, 3),
    Column("no2", ("1h",), "ppm", _rows((0, 0.030), (0.031, 0.060), (0.061, 0.200), (0.201, 2.0)), Beyond.CAP, 3),
    Column("so2", ("1h",), "ppm", _rows((0, 0.020), (0.021, 0.050), (0.051, 0.150), (0.151, 1.0)), Beyond.CAP, 3),
    Column("co", ("1h",), "ppm", _rows((0, 2.0), (2.01, 9.0), (9.01, 15.0), (15.01, 50.0)), Beyond.CAP, 2),
)

KR_CAI = Standard(
    code="kr_cai",
    citation="Comprehensive Air-quality Index, National Institute of Environmental Research (unverified in parts)",
    language="ko",
    columns=_COLUMNS,
    categories=(
        Category(0, 50, {"ko": "좋음", "en": "Good"}, (50, 161, 255)),
        Category(51, 100, {"ko": "보통", "en": "Moderate"}, (0, 199, 60)),
        Category(101, 250, {"ko": "나쁨", "en": "Unhealthy"}, (253, 155, 90)),
        Category(251, 500, {"ko": "매우나쁨", "en": "Very Unhealthy"}, (255, 89, 89)),
    ),
    hourly={
        "pm25": ((Average.TRAILING_24H, "pm25_24h"),),
        "pm10": ((Average.TRAILING_24H, "pm10_24h"),),
        "o3": ((Average.HOUR, "o3_1h"),),
        "no2": ((Average.HOUR, "no2_1h"),),
        "so2": ((Average.HOUR, "so2_1h"),),
        "co": ((Average.HOUR, "co_1h"),),
    },
    hourly_note="1 h means for gases; trailing 24 h means stand in for Korea's forecast-weighted PM mean (unverified)",
    daily=tuple(column.key for column in _COLUMNS),
    bonus=((2, 50), (3, 75)),
    bonus_from=101,
)
