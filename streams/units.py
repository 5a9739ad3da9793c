"""Units of concentration: one canonical spelling each, and exact factors to and from µg/m³.

Gases are converted at 25 °C and 1 atm, where a mole of ideal gas fills 24.465 L (R·298.15 K / 101 325 Pa):
1 ppb of a gas of molar mass M g/mol is M / 24.465 µg/m³. Vietnamese limits are written per Nm³, by Vietnamese
practice at 25 °C and 760 mmHg as well (unverified), so Nm³ is read as m³.
"""

from __future__ import annotations

from functools import lru_cache

from streams.errors import ReadingError
from streams.schemas import WIND

MOLAR_VOLUME_L = 24.465
"""Litres per mole at 25 °C and 1 atm. EU practice (20 °C, 24.055 L) would give values 1.7 % higher."""

MOLAR_MASS_G = {"o3": 47.998, "no2": 46.0055, "so2": 64.064, "co": 28.010}
"""g/mol, from the IUPAC standard atomic weights. Gives 1.962, 1.880, 2.619 and 1.145 µg/m³ per ppb."""

UNITS = ("ug/m3", "mg/m3", "ng/m3", "ppb", "ppm")

_MASS_IN_UG = {"ug/m3": 1.0, "mg/m3": 1000.0, "ng/m3": 0.001}
_VOLUME_IN_PPB = {"ppb": 1.0, "ppm": 1000.0}

# What stands for "micro" in the wild, after case folding (which turns U+00B5 into U+03BC): the Greek letter, the
# Symbol font's private code, its UTF-8 bytes read as Latin-1, "mc", and the replacement character of a broken
# decoding: the prefixes m, n and k are ASCII and survive any decoding, so only micro can have been lost.
_MICRO = ("âμ", "îμ", "î¼", "\N{GREEK SMALL LETTER MU}", "\uf06d", "\N{REPLACEMENT CHARACTER}", "mcg")
_PER_CUBIC_METRE = ("/nm3", "/m3", "/cbm", "nm-3", "m-3")


@lru_cache(maxsize=1024)
def canonical_unit(text: str) -> str:
    """The canonical spelling of a unit: ``ug/m3``, ``mg/m3``, ``ng/m3``, ``ppb`` or ``ppm``.

    Raises:
        ReadingError: for any other unit, naming the known ones.
    """
    plain = _plain(text)
    if plain in ("ppb", "ppbv"):
        return "ppb"
    if plain in ("ppm", "ppmv"):
        return "ppm"
    for suffix in _PER_CUBIC_METRE:
        mass = plain.removesuffix(suffix)
        if mass != plain and f"{mass}/m3" in _MASS_IN_UG:
            return f"{mass}/m3"
    raise ReadingError(
        f"unknown unit {text[:40]!r}", field="unit", remedy=f"write one of {', '.join(UNITS)}, or have the feed mapped"
    )


def factor(pollutant: str, unit_from: str, unit_to: str) -> float:
    """What a value in ``unit_from`` is multiplied by to be in ``unit_to`` (any spelling; exactly 1 if the same).

    Raises:
        ReadingError: for an unknown unit, or a mixing ratio (ppb, ppm) of something that is not a known gas.
    """
    here, there = canonical_unit(unit_from), canonical_unit(unit_to)
    if here == there:
        return 1.0
    if here in _VOLUME_IN_PPB and there in _VOLUME_IN_PPB:
        return _VOLUME_IN_PPB[here] / _VOLUME_IN_PPB[there]
    return _in_ug_m3(pollutant, here) / _in_ug_m3(pollutant, there)


def to_ug_m3(pollutant: str, unit: str) -> float:
    """What a value in ``unit`` is multiplied by to be in µg/m³. Raises like :func:`factor`."""
    return factor(pollutant, unit, "ug/m3")


_IN_M_S = {"m/s": 1.0, "ms-1": 1.0, "mps": 1.0, "km/h": 1 / 3.6, "kmh": 1 / 3.6, "kt": 0.514444, "kn": 0.514444}
_DEGREES = ("deg", "degree", "degrees", "°", "degrees_north", "do")


def to_base(name: str, unit: str) -> float:
    """What a value is multiplied by to be in the unit in which it travels: µg/m³, for wind m/s and degrees.

    Raises:
        ReadingError: as :func:`factor`, and for a wind in a unit that is none of wind.
    """
    if name not in WIND:
        return to_ug_m3(name, unit)
    plain = "".join(unit.split()).casefold()
    known = _IN_M_S if name == "wind_speed" else dict.fromkeys(_DEGREES, 1.0)
    if plain not in known:
        raise ReadingError(f"unknown unit {unit[:40]!r}", field="unit", remedy=f"write one of {', '.join(known)}")
    return known[plain]


def base_unit(name: str) -> str:
    """The unit in which values of this name travel."""
    return {"wind_speed": "m/s", "wind_from_deg": "deg"}.get(name, "ug/m3")


def _in_ug_m3(pollutant: str, unit: str) -> float:
    if unit in _MASS_IN_UG:
        return _MASS_IN_UG[unit]
    if pollutant not in MOLAR_MASS_G:
        raise ReadingError(
            f"{pollutant} cannot be given in {unit}: it has no molar mass", field="unit", remedy="give it in ug/m3"
        )
    return _VOLUME_IN_PPB[unit] * MOLAR_MASS_G[pollutant] / MOLAR_VOLUME_L


def _plain(text: str) -> str:
    plain = "".join(text.split()).casefold().replace("³", "3").replace("^", "").replace("**", "").replace("−", "-")
    for spelling in _MICRO:
        plain = plain.replace(spelling, "ug" if spelling == "mcg" else "u")
    return plain.replace("(", "").replace(")", "").replace(".", "").replace("·", "")
