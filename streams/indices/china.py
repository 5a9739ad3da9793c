"""China's AQI: HJ 633-2026, in force since 1 March 2026, and HJ 633-2012 before it.

The 2012 table was read in the `mep` table of python-aqi. Of the 2026 edition only the moved boundaries (PM2.5 60,
PM10 120) and the treatment of high SO2 (1 h) and O3 (8 h) are known here, from press reports and one library; that
its other values are those of 2012 is unverified. An exact index is always rounded up.
"""

from __future__ import annotations

from streams.indices.standard import Average, Beyond, Category, Column, Rounding, Standard, continuous

_INDEX = (50.0, 100.0, 150.0, 200.0, 300.0, 400.0, 500.0)

_UNCHANGED = (
    Column("o3", ("1h",), "ug/m3", continuous(_INDEX, (160, 200, 300, 400, 800, 1000, 1200))),
    Column("no2", ("24h",), "ug/m3", continuous(_INDEX, (40, 80, 180, 280, 565, 750, 940))),
    Column("no2", ("1h",), "ug/m3", continuous(_INDEX, (100, 200, 700, 1200, 2340, 3090, 3840))),
    Column("so2", ("24h",), "ug/m3", continuous(_INDEX, (50, 150, 475, 800, 1600, 2100, 2620))),
    Column("co", ("24h",), "mg/m3", continuous(_INDEX, (2, 4, 14, 24, 36, 48, 60))),
    Column("co", ("1h",), "mg/m3", continuous(_INDEX, (5, 10, 35, 60, 90, 120, 150))),
)

_CATEGORIES = (
    Category(0, 50, {"zh": "优", "en": "Excellent"}, (0, 228, 0)),
    Category(51, 100, {"zh": "良", "en": "Good"}, (255, 255, 0)),
    Category(101, 150, {"zh": "轻度污染", "en": "Lightly polluted"}, (255, 126, 0)),
    Category(151, 200, {"zh": "中度污染", "en": "Moderately polluted"}, (255, 0, 0)),
    Category(201, 300, {"zh": "重度污染", "en": "Heavily polluted"}, (153, 0, 76)),
    Category(301, 500, {"zh": "严重污染", "en": "Severely polluted"}, (126, 0, 35)),
)


def _standard(code: str, citation: str, pm25_at_100: float, pm10_at_100: float, beyond: Beyond) -> Standard:
    return Standard(
        code=code,
        citation=citation,
        language="zh",
        columns=(
            Column("pm25", ("24h", "1h"), "ug/m3", continuous(_INDEX, (35, pm25_at_100, 115, 150, 250, 350, 500))),
            Column("pm10", ("24h", "1h"), "ug/m3", continuous(_INDEX, (50, pm10_at_100, 250, 350, 420, 500, 600))),
            Column("o3", ("8h",), "ug/m3", continuous(_INDEX, (100, 160, 215, 265, 800)), beyond),
            Column("so2", ("1h",), "ug/m3", continuous(_INDEX, (150, 500, 650, 800)), beyond),
            *_UNCHANGED,
        ),
        categories=_CATEGORIES,
        hourly={
            "pm25": ((Average.HOUR, "pm25_24h"),),
            "pm10": ((Average.HOUR, "pm10_24h"),),
            "o3": ((Average.HOUR, "o3_1h"),),
            "no2": ((Average.HOUR, "no2_1h"),),
            # Above 800 the 2012 edition turns to the 24 h column; a trailing mean is the hour's form of it.
            "so2": ((Average.HOUR, "so2_1h"), (Average.TRAILING_24H, "so2_24h"))
            if beyond is Beyond.NOTHING
            else ((Average.HOUR, "so2_1h"),),
            "co": ((Average.HOUR, "co_1h"),),
        },
        hourly_note=(
            "practice of the national real-time platform: 1 h means throughout, PM against the 24 h column "
            "(unverified; the 2012 text has trailing 24 h means for PM, which index_24h carries)"
        ),
        daily=("pm25_24h", "pm10_24h", "o3_1h", "o3_8h", "no2_24h", "so2_24h", "co_24h"),
        rounding=Rounding.UP,
        dominant_above=50,
    )


CN_AQI = _standard("cn_aqi", "HJ 633-2026, in force since 1 March 2026 (original text not seen)", 60, 120, Beyond.CAP)
CN_AQI_2012 = _standard("cn_aqi_2012", "HJ 633-2012, in force until 28 February 2026", 75, 150, Beyond.NOTHING)
