"""The scenarios that every detector should face, by name, each with what should become of it.

``stagnation`` is the weather of the demonstration. Of the eighteen others, the pause between two stretches of bad air
comes in two lengths; the fireworks are beyond the eighteen.
"""

from __future__ import annotations

from difflib import get_close_matches

from streams.errors import InputError
from streams.sources.scenario_library import instruments, motion, transmission, weather
from streams.sources.scenarios import STAGNATION, Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        STAGNATION,
        *weather.SCENARIOS,
        *motion.SCENARIOS,
        *instruments.SCENARIOS,
        *transmission.SCENARIOS,
    )
}


def scenario_named(name: str) -> Scenario:
    """The scenario of this name. Raises :class:`InputError` with the nearest one."""
    if name not in SCENARIOS:
        near = get_close_matches(name, SCENARIOS, 1)
        remedy = f"did you mean {near[0]}?" if near else "airshed scenarios list names them"
        raise InputError(f"there is no scenario {name!r}", remedy=remedy)
    return SCENARIOS[name]
