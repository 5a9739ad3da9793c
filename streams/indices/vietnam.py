"""VN_AQI: Decision 1459/QĐ-TCMT of 12 November 2019, in force from that day.

Table 2 (breakpoints), section 2.2 (formulas), Tables 4 and 5 (meaning and advice; the wording here is our own).
Read in a transcription checked against page images, and in four independent copies of the breakpoints. The Decision
says nothing on the rounding mode (half up reproduces its worked examples, but for one erratum), on completeness
(18 of 24 hours and 6 of 8 are our choice), on values below zero (they count as zero), nor on values above the last
breakpoint (500).
"""

from __future__ import annotations

from streams.indices.standard import Average, Beyond, Category, Column, Standard, continuous

_INDEX = (50.0, 100.0, 150.0, 200.0, 300.0, 400.0, 500.0)

_COLUMNS = (
    Column("pm25", ("24h", "nowcast"), "ug/m3", continuous(_INDEX, (25, 50, 80, 150, 250, 350, 500))),
    Column("pm10", ("24h", "nowcast"), "ug/m3", continuous(_INDEX, (50, 150, 250, 350, 420, 500, 600))),
    Column("o3", ("1h",), "ug/m3", continuous(_INDEX, (160, 200, 300, 400, 800, 1000, 1200))),
    # The Decision: an 8 h maximum above 400 is left out; the 1 h maximum then speaks alone.
    Column("o3", ("8h",), "ug/m3", continuous(_INDEX, (100, 120, 170, 210, 400)), Beyond.NOTHING),
    Column("no2", ("1h",), "ug/m3", continuous(_INDEX, (100, 200, 700, 1200, 2350, 3100, 3850))),
    Column("so2", ("1h",), "ug/m3", continuous(_INDEX, (125, 350, 550, 800, 1600, 2100, 2630))),
    Column("co", ("1h",), "ug/m3", continuous(_INDEX, (10_000, 30_000, 45_000, 60_000, 90_000, 120_000, 150_000))),
)


def _advice(general_vi: str, general_en: str, sensitive_vi: str, sensitive_en: str) -> dict[str, dict[str, str]]:
    return {
        "general": {"vi": general_vi, "en": general_en},
        "sensitive": {"vi": sensitive_vi, "en": sensitive_en},
    }


_STAY_INSIDE = (
    "Ở trong nhà, đóng cửa ra vào và cửa sổ; nếu phải ra ngoài, đeo khẩu trang đạt chuẩn.",
    "Stay indoors with doors and windows closed; wear a proper mask if you must go out.",
)

_CATEGORIES = (
    Category(
        0,
        50,
        {"vi": "Tốt", "en": "Good"},
        (0, 228, 0),
        _advice(
            "Sinh hoạt ngoài trời bình thường.",
            "Outdoor activity as usual.",
            "Sinh hoạt ngoài trời bình thường.",
            "Outdoor activity as usual.",
        ),
    ),
    Category(
        51,
        100,
        {"vi": "Trung bình", "en": "Moderate"},
        (255, 255, 0),
        _advice(
            "Sinh hoạt ngoài trời bình thường.",
            "Outdoor activity as usual.",
            "Vẫn có thể ra ngoài; chú ý khi ho hoặc khó thở.",
            "Going out is fine; watch for cough or shortness of breath.",
        ),
    ),
    Category(
        101,
        150,
        {"vi": "Kém", "en": "Poor"},
        (255, 126, 0),
        _advice(
            "Ai bị cay mắt, ho, đau họng nên bớt hoạt động ngoài trời; học sinh tránh vận động kéo dài.",
            "With sore eyes, cough or sore throat, do less outdoors; pupils should keep exercise short.",
            "Giảm vận động mạnh và thời gian ở ngoài trời; người hen suyễn chuẩn bị sẵn thuốc.",
            "Cut hard exercise and time outdoors; people with asthma should have their medicine at hand.",
        ),
    ),
    Category(
        151,
        200,
        {"vi": "Xấu", "en": "Bad"},
        (255, 0, 0),
        _advice(
            "Giảm vận động mạnh ngoài trời, tránh tập luyện kéo dài, nghỉ ngơi nhiều hơn trong nhà.",
            "Cut hard outdoor activity, avoid long exercise, rest more indoors.",
            "Nên ở trong nhà, tránh vận động mạnh; đeo khẩu trang đạt chuẩn khi ra ngoài.",
            "Stay indoors and avoid exertion; wear a proper mask when going out.",
        ),
    ),
    Category(
        201,
        300,
        {"vi": "Rất xấu", "en": "Very bad"},
        (143, 63, 151),
        _advice(
            "Hạn chế tối đa ra ngoài, chuyển hoạt động vào trong nhà; đeo khẩu trang đạt chuẩn khi ra ngoài.",
            "Go out as little as possible, move activities indoors; wear a proper mask outdoors.",
            "Ở trong nhà, tránh mọi vận động mạnh.",
            "Stay indoors and avoid all exertion.",
        ),
    ),
    Category(
        301,
        500,
        {"vi": "Nguy hại", "en": "Hazardous"},
        (126, 0, 35),
        _advice(*_STAY_INSIDE, *_STAY_INSIDE),
    ),
)

VN_AQI = Standard(
    code="vn_aqi",
    citation="Decision 1459/QĐ-TCMT, 12 November 2019 (Viet Nam Environment Administration), Tables 1–5",
    language="vi",
    columns=_COLUMNS,
    categories=_CATEGORIES,
    hourly={
        "pm25": ((Average.NOWCAST, "pm25_24h"),),
        "pm10": ((Average.NOWCAST, "pm10_24h"),),
        "o3": ((Average.HOUR, "o3_1h"),),
        "no2": ((Average.HOUR, "no2_1h"),),
        "so2": ((Average.HOUR, "so2_1h"),),
        "co": ((Average.HOUR, "co_1h"),),
    },
    hourly_note="the Decision's hourly index: NowCast for PM, 1 h means for gases",
    daily=("pm25_24h", "pm10_24h", "o3_1h", "o3_8h", "no2_1h", "so2_1h", "co_1h"),
    one_of=frozenset({"pm25", "pm10"}),
)
