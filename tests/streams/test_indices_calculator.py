"""``airshed index``: the shape of answers, and errors that say what to write instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streams.errors import ReadingError
from streams.indices.calculator import answer


def test_a_single_value() -> None:
    request = {"standard": "vn_aqi", "pollutant": "o3", "averaging": "1h", "value": 180.0, "unit": "ug/m3"}
    assert answer(request) == {
        "index": 75,
        "exact": 75.0,
        "nowcast": None,
        "category": "Trung bình",
        "dominant": "o3",
    }


def test_a_nowcast_of_few_hours_and_of_too_many() -> None:
    short = answer({"standard": "vn_aqi", "pollutant": "pm25", "averaging": "nowcast", "hours": [20.0, 10.0]})
    assert (short["nowcast"], short["index"]) == (13.3333, 27)
    long = answer({"standard": "vn_aqi", "pollutant": "pm25", "averaging": "nowcast", "hours": [999.0] + [40.0] * 12})
    assert (long["nowcast"], long["index"]) == (40.0, 80), "what is older than twelve hours does not matter"


def test_no_nowcast_no_index() -> None:
    request = {"standard": "vn_aqi", "pollutant": "pm25", "averaging": "nowcast", "hours": [10.0, None, None]}
    assert answer(request) == {"index": None, "exact": None, "nowcast": None, "category": None, "dominant": None}


def test_the_us_nowcast_is_cut_before_the_table() -> None:
    request = {"standard": "us_aqi", "pollutant": "pm25", "averaging": "nowcast", "hours": [9.09] * 12}
    assert (answer(request)["nowcast"], answer(request)["index"]) == (9.0, 50)


def test_the_highest_8_hours_of_a_day() -> None:
    hours = [100.0] * 7 + [10.0] * 24
    result = answer({"standard": "vn_aqi", "pollutant": "o3", "averaging": "max_8h_of_day", "hours": hours})
    assert result["exact"] == round((7 * 100 + 10) / 8 / 2, 4)


def test_relabelling_the_hours_changes_the_daily_value() -> None:
    """Hour-beginning labels would take the series one hour later."""
    series: list[float | None] = [float(10 + n) for n in range(32)]
    labelled = [
        answer({"standard": "vn_aqi", "pollutant": "o3", "averaging": "max_8h_of_day", "hours": series[start:][:31]})
        for start in (0, 1)
    ]
    assert labelled[0]["exact"] != labelled[1]["exact"]


def test_units_are_converted_to_the_table() -> None:
    by_mass = answer({"standard": "us_aqi", "pollutant": "no2", "averaging": "1h", "value": 188.1, "unit": "µg/m³"})
    assert (
        by_mass["index"] == answer({"standard": "us_aqi", "pollutant": "no2", "averaging": "1h", "value": 100})["index"]
    )
    carbon = {"standard": "vn_aqi", "pollutant": "co", "averaging": "1h"}
    assert answer({**carbon, "value": 20, "unit": "mg/m3"}) == answer({**carbon, "value": 20_000, "unit": "ug/m3"})


def test_a_day() -> None:
    day = {"o3_8h": 110.0, "o3_1h": 100.0, "pm25_24h": 30.0, "no2_1h": None}
    result = answer({"standard": "vn_aqi", "daily": day})
    assert (result["index"], result["dominant"], result["category"]) == (75, "o3", "Trung bình")


def test_ozone_of_8_hours_above_400_is_left_out_of_a_day() -> None:
    result = answer({"standard": "vn_aqi", "daily": {"o3_8h": 401.0, "o3_1h": 300.0, "pm10_24h": 20.0}})
    assert (result["index"], result["dominant"]) == (150, "o3")


def test_a_day_of_gases_alone_has_no_index() -> None:
    result = answer({"standard": "vn_aqi", "daily": {"so2_1h": 2000.0}})
    assert (result["index"], result["category"], result["dominant"]) == (None, None, None)


def test_clean_chinese_air_has_no_primary_pollutant() -> None:
    assert answer({"standard": "cn_aqi", "daily": {"pm25_24h": 20.0}})["dominant"] is None
    assert answer({"standard": "cn_aqi", "daily": {"pm25_24h": 70.0}})["dominant"] == "pm25"


SINGLE = {"standard": "vn_aqi", "pollutant": "pm25", "averaging": "24h", "value": 10}


@pytest.mark.parametrize(
    ("request_", "field", "remedy"),
    [
        ({**SINGLE, "standard": "aqi"}, "standard", "kr_cai"),
        ({**SINGLE, "pollutant": "pm1"}, "pollutant", "pm25"),
        ({**SINGLE, "averaging": "1h"}, "averaging", "nowcast"),
        ({**SINGLE, "averaging": ["24h"]}, "averaging", "24h"),
        ({**SINGLE, "standard": "cn_aqi", "averaging": "nowcast"}, "averaging", "24h"),
        ({**SINGLE, "unit": "furlong"}, "unit", "ug/m3"),
        ({**SINGLE, "unit": "ppb"}, "unit", "ug/m3"),
        ({**SINGLE, "unit": 3}, "unit", "ug/m3"),
        ({**SINGLE, "value": "10"}, "value", "finite"),
        ({**SINGLE, "value": float("nan")}, "value", "finite"),
        ({**SINGLE, "value": True}, "value", "finite"),
        ({**SINGLE, "hours": [1.0]}, "value", "hours"),
        ({**SINGLE, "when": 1}, "when", "averaging"),
        ({"standard": "vn_aqi", "pollutant": "pm25", "averaging": "24h"}, "value", "finite"),
        ({"standard": "vn_aqi", "pollutant": "pm25", "averaging": "24h", "hours": [1.0]}, "hours", "24"),
        ({"standard": "vn_aqi", "pollutant": "o3", "averaging": "max_8h_of_day", "hours": [1.0] * 24}, "hours", "31"),
        (
            {"standard": "vn_aqi", "pollutant": "pm25", "averaging": "nowcast", "hours": [1.0, "x"]},
            "hours[1]",
            "finite",
        ),
        ({"standard": "vn_aqi", "pollutant": "pm25", "averaging": "nowcast", "hours": []}, "hours", "oldest first"),
        ({"standard": "vn_aqi", "daily": {"pm25_1h": 3.0}}, "daily.pm25_1h", "pm25_24h"),
        ({"standard": "vn_aqi", "daily": {}}, "daily", "pm25_24h"),
        ({"standard": "vn_aqi", "daily": {"pm25_24h": "3"}}, "daily.pm25_24h", "finite"),
        ({**SINGLE, "daily": {"pm25_24h": 3.0}}, "averaging", "day"),
    ],
)
def test_what_is_wrong_is_named_with_the_remedy(request_: dict[str, Any], field: str, remedy: str) -> None:
    with pytest.raises(ReadingError) as caught:
        answer(request_)
    assert caught.value.field == field
    assert remedy in caught.value.remedy


@pytest.mark.recorded
def test_golden_vectors(recorded: Path) -> None:
    rows = json.loads((recorded / "vectors" / "index.json").read_text(encoding="utf-8"))
    wrong = []
    for row in rows:
        got = answer(row["request"])
        for name, expected in row["expect"].items():
            same = (
                got[name] == pytest.approx(expected, abs=5.1e-5)
                if isinstance(expected, float)
                else got[name] == expected
            )
            if not same:
                wrong.append((row["id"], name, expected, got[name]))
    assert len(rows) >= 59
    assert not wrong
