"""What a feed calls a pollutant, and what we call it."""

from __future__ import annotations

import difflib

from streams.errors import ReadingError
from streams.schemas import MEASURED, METEOROLOGY, POLLUTANTS

UNUSED = "unused"
"""Known, but no stage needs it: dropped and counted, no error."""

_ALIASES = {
    "pm2.5": "pm25",
    "pm2,5": "pm25",
    "pm2_5": "pm25",
    "pm_2.5": "pm25",
    "pm_25": "pm25",
    "pm-2.5": "pm25",
    "pm-10": "pm10",
    "pm_10": "pm10",
    "ozone": "o3",
    **dict.fromkeys(("ws", "windspd", "wind_spd", "windspeed"), "wind_speed"),
    **dict.fromkeys(("wd", "winddir", "wind_dir", "wind_direction", "winddirection"), "wind_from_deg"),
}

# Symbols that station files and public feeds carry beside the six pollutants of the index.
_OTHER_GASES_AND_PARTICLES = ("pm", "pm1", "tsp", "bc", "no", "nox", "nh3", "h2s", "hcl", "hf", "o2", "co2", "ch4")
_ORGANICS = ("nmhc", "thc", "voc", "benzene", "toluene", "xylene")
_WEATHER = ("temperature", "humidity", "relativehumidity", "dewpoint", "p", "press")
_MORE_WEATHER = ("rainfall", "radiation", "solar", "uv", "light")
_TECHNICAL = ("flow", "lflow", "noise", "um003", "um010", "um025", "aqi", "vn_aqi")
_NOT_NEEDED = frozenset((*METEOROLOGY, *_OTHER_GASES_AND_PARTICLES, *_ORGANICS, *_WEATHER, *_MORE_WEATHER, *_TECHNICAL))


def canonical_pollutant(text: str) -> str:
    """The name in ``MEASURED``, or ``UNUSED`` for what is measured but not needed.

    Upper and lower case, ``PM2.5``, ``PM2,5`` (as official Vietnamese files write it) and ``PM25`` are the same.

    Raises:
        ReadingError: naming the pollutants and the nearest of them.
    """
    name = text.strip().casefold()
    name = _ALIASES.get(name, name)
    if name in MEASURED:
        return name
    if name in _NOT_NEEDED:
        return UNUSED
    nearest = difflib.get_close_matches(name[:20], POLLUTANTS, n=1)
    hint = f"did you mean {nearest[0]}? " if nearest else ""
    raise ReadingError(
        f"unknown pollutant {text[:40]!r}", field="pollutant", remedy=f"{hint}use one of {', '.join(POLLUTANTS)}"
    )
