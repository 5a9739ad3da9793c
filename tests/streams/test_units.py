"""Every spelling seen in the field, and the factors against hand-worked values."""

from __future__ import annotations

import pytest

from streams.errors import ReadingError
from streams.units import canonical_unit, factor, to_ug_m3


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("ug/m3", "ug/m3"),
        ("µg/m3", "ug/m3"),  # U+00B5
        ("μg/m³", "ug/m3"),  # U+03BC
        ("\uf06dg/Nm3", "ug/m3"),  # Symbol font
        ("Âµg/Nm3", "ug/m3"),  # UTF-8 read as Latin-1
        ("\ufffdg/Nm3", "ug/m3"),  # Latin-1 read as UTF-8
        ("UG/M3", "ug/m3"),
        ("µg/Nm^3", "ug/m3"),
        ("ug m-3", "ug/m3"),
        ("mcg/m3", "ug/m3"),
        (" mg/Nm3 ", "mg/m3"),
        ("mg/m³", "mg/m3"),
        ("ng/m3", "ng/m3"),
        ("PPB", "ppb"),
        ("ppm", "ppm"),
        ("ppmv", "ppm"),
    ],
)
def test_spellings(text: str, unit: str) -> None:
    assert canonical_unit(text) == unit


@pytest.mark.parametrize("text", ["", "%", "oC", "g/m3", "kg/m3", "ug", "ug/m2", "pp", "hPa", "ug/l"])
def test_unknown_units_are_named_with_the_known_ones(text: str) -> None:
    with pytest.raises(ReadingError) as caught:
        canonical_unit(text)
    assert caught.value.field == "unit"
    assert "ug/m3" in caught.value.remedy


@pytest.mark.parametrize(
    ("pollutant", "unit", "expected"),
    [("o3", "ppb", 1.962), ("no2", "ppb", 1.880), ("so2", "ppb", 2.619), ("co", "ppm", 1145.0), ("co", "ppb", 1.145)],
)
def test_gases_at_25_degrees(pollutant: str, unit: str, expected: float) -> None:
    assert to_ug_m3(pollutant, unit) == pytest.approx(expected, rel=5e-4)


def test_decimal_factors_are_exact() -> None:
    assert to_ug_m3("co", "mg/m3") == 1000.0
    assert to_ug_m3("pm25", "ug/m3") == 1.0
    assert factor("o3", "ppm", "ppb") == 1000.0
    assert factor("o3", "ppm", "ppm") == 1.0


def test_there_and_back() -> None:
    assert factor("no2", "ppb", "mg/m3") * factor("no2", "mg/m3", "ppb") == pytest.approx(1.0, rel=1e-12)


def test_dust_has_no_mixing_ratio() -> None:
    with pytest.raises(ReadingError, match="pm25 cannot be given in ppb"):
        to_ug_m3("pm25", "ppb")
