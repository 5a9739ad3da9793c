"""What every province lacks, at one hour, for a level and for an episode: the answer to "why was there no alert?"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from streams.airsheds import Airshed, Criterion, Level
from streams.clock import utc
from streams.components import neighbours_of, regional
from streams.levels import STALE_HOURS, ProvinceLevels, Run, Standing
from streams.quantities import value_of
from streams.quorum import without_one
from streams.schemas import ProvinceState

_WORDS = {
    "index": "index",
    "index_24h": "24-hour index",
    "pm25_1h": "PM2.5 of the hour",
    "pm25_24h": "PM2.5 of 24 hours",
    "pm10_1h": "PM10 of the hour",
    "pm10_24h": "PM10 of 24 hours",
}


class ProvinceShortfall(msgspec.Struct, frozen=True, kw_only=True):
    """How a province stands at an hour, and what it lacks for the next level.

    Attributes:
        level: the one it is on, 0 for none; ``since``: first hour of the exceedance, ``None`` while off.
        next_level: the one above, empty at the highest.
        hours / hours_needed: counted in a row towards it, and wanted.
        lacks: in words, one entry for each thing that is missing; empty at the highest level.
        leaving: how far it is with leaving its level, in words; empty while off.
        alone: what it lacks to carry an episode on this level, when any one of its stations is left out.
    """

    code: str
    name: str
    condition: str
    median_index: int | None
    median_index_24h: int | None
    valid: int
    known: int
    level: int
    level_name: str
    since: datetime | None
    next_level: str
    hours: int
    hours_needed: int
    lacks: list[str]
    leaving: str = ""
    alone: list[str] = []


def of_province(
    airshed: Airshed, code: str, counted: Standing | None, state: ProvinceState | None
) -> ProvinceShortfall:
    """How one province stands.

    Args:
        counted: what the tracker has counted up to and with this hour; ``None`` before its first hour.
        state: what was known of the hour when it was decided; ``None`` when nothing was said.
    """
    standing = counted or Standing.off(airshed.levels)
    number, said = standing.level, standing.said
    above = airshed.levels[number] if number < len(airshed.levels) else None
    run = said.runs[number] if above else None
    province = next(province for province in airshed.provinces if province.code == code)
    return ProvinceShortfall(
        code=code,
        name=next(iter(province.names.values()), code),
        condition=state.condition if state else "unknown",
        median_index=state.median_index if state else None,
        median_index_24h=state.median_index_24h if state else None,
        valid=state.valid if state else 0,
        known=state.known if state else 0,
        level=number,
        level_name=airshed.level_name(number),
        since=utc(standing.since) if number else None,
        next_level=above.name if above else "",
        hours=run.above if run else 0,
        hours_needed=above.enter_hours if above else 0,
        lacks=list(_lacks(airshed, above, run, said, state)) if above and run else [],
        leaving=_leaving(airshed.levels[number - 1], said.runs[number - 1], state) if number else "",
        alone=list(_alone(airshed, standing, state)),
    )


def _alone(airshed: Airshed, standing: Standing, state: ProvinceState | None) -> Iterator[str]:
    """What is missing once any one of the stations is left out; an episode rests on what stands then."""
    number = standing.corroborated
    if number < standing.level:
        without = without_one(state)
        if without is None and state is not None and state.median_index is not None:
            yield "with so few reference stations it carries an episode only where others would make one without it"
        else:
            yield from _lacks(airshed, airshed.levels[number], standing.sure.runs[number], standing.sure, without)


def _lacks(
    airshed: Airshed, level: Level, run: Run, counted: ProvinceLevels, state: ProvinceState | None
) -> Iterator[str]:
    if state is None or state.median_index is None:
        yield _unknown(airshed, counted, state)
    elif run.above < level.enter_hours:
        yield _too_few_hours(level, run, state)
    if state is not None and level.enter_24h is not None and (state.median_index_24h or 0) < level.enter_24h:
        yield f"{_held(state, 'index_24h')}, {level.enter_24h} is needed"
    for criterion, tally in zip(level.criteria, run.tallies, strict=False):
        if tally.hours < criterion.enter_hours:
            yield _criterion(criterion, tally.hours, state, alone=criterion in level.instead)


def _unknown(airshed: Airshed, counted: ProvinceLevels, state: ProvinceState | None) -> str:
    valid, known = (state.valid, state.known) if state else (0, 0)
    share = airshed.detection.minimum_coverage
    silent = f", for {counted.unknown} h" if counted.unknown > 1 else ""
    gone = f"; what was counted before is forgotten after {STALE_HOURS} h" if counted.unknown > STALE_HOURS else ""
    return f"unknown{silent}: {valid} of {known} stations have an index, {share:.0%} are needed{gone}"


def _too_few_hours(level: Level, run: Run, state: ProvinceState) -> str:
    held = _held(state, level.quantity)
    at = f"{level.enter:g}"
    if run.above:
        return f"{run.above} h in a row at or above {at}, {level.enter_hours} h are needed ({held})"
    value = value_of(state, level.quantity)
    if value is not None and value >= level.enter:
        return f"{held}, but fewer than half of its stations are at or above {at}"
    return f"{held}, {at} is needed for {level.enter_hours} h in a row"


def _criterion(criterion: Criterion, hours: int, state: ProvinceState | None, *, alone: bool) -> str:
    role = "or instead" if alone else "and as well"
    held = _held(state, criterion.quantity) if state else "nothing known"
    return f"{role} {criterion.enter:g} for {criterion.enter_hours} h in a row: {held}, {hours} h so far"


def _held(state: ProvinceState, quantity: str) -> str:
    value = value_of(state, quantity)  # type: ignore[arg-type]  # the quantities of a level are its own type
    return f"{_WORDS[quantity]} {'not known' if value is None else f'{value:g}'}"


def _leaving(level: Level, run: Run, state: ProvinceState | None) -> str:
    if state is None or state.median_index is None:
        return f"{level.name} stands: nothing is known of the hour"
    held = _held(state, level.exit_quantity or level.quantity)
    if not run.below:
        return f"{level.name} stands: {held}, below {level.exit:g} it begins to leave"
    return f"{run.below} of the {level.exit_hours} h below {level.exit:g} after which it leaves {level.name} ({held})"


def of_region(airshed: Airshed, counted: Mapping[str, Standing]) -> list[str]:
    """What the provinces on a level lack to be one episode, in words; empty when they are enough."""
    detection = airshed.detection
    on = [code for code, standing in sorted(counted.items()) if standing.corroborated]
    if not on:
        return [f"no province is surely on a level; {detection.minimum_provinces} adjacent ones are needed"]
    parts = regional(on, neighbours_of(airshed), detection.minimum_provinces)
    if not parts:
        names = ", ".join(_names(airshed, on))
        return [f"on a level: {names}; {detection.minimum_provinces} that share a border are needed"]
    lacks = []
    for part in parts:
        hours = sorted((counted[code].steady_hours for code in part), reverse=True)[detection.minimum_provinces - 1]
        if hours < detection.together_hours:
            names = ", ".join(_names(airshed, sorted(part)))
            lacks.append(f"{names} have been on a level together for {hours} of {detection.together_hours} h")
    return lacks if len(lacks) == len(parts) else []


def _names(airshed: Airshed, codes: Sequence[str]) -> list[str]:
    return [next(iter(p.names.values()), p.code) for p in airshed.provinces if p.code in codes]
