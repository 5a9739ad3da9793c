"""Connected groups of provinces on the adjacency graph. Deterministic: groups and members in code order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from streams.airsheds import Airshed

Neighbours = Mapping[str, frozenset[str]]


def neighbours_of(airshed: Airshed) -> dict[str, frozenset[str]]:
    """The adjacency graph of an airshed, by province code."""
    return {province.code: frozenset(province.neighbours) for province in airshed.provinces}


def connected(codes: Iterable[str], neighbours: Neighbours) -> list[frozenset[str]]:
    """The connected parts of a set of provinces, ordered by their lowest code.

    A dozen provinces an hour: a plain search is faster here than building a matrix for scipy's.
    """
    waiting = set(codes)
    parts = []
    for seed in sorted(waiting):
        if seed in waiting:
            part = _reached_from(seed, waiting, neighbours)
            waiting -= part
            parts.append(frozenset(part))
    return parts


def _reached_from(seed: str, allowed: set[str], neighbours: Neighbours) -> set[str]:
    reached, edge = {seed}, [seed]
    while edge:
        new = (neighbours[edge.pop()] & allowed) - reached
        reached |= new
        edge.extend(new)
    return reached


def regional(codes: Iterable[str], neighbours: Neighbours, minimum: int) -> list[frozenset[str]]:
    """The connected parts with at least ``minimum`` provinces: those that are cross-provincial."""
    return [part for part in connected(codes, neighbours) if len(part) >= minimum]


def carried(
    levels: Mapping[str, int], corroborated: Iterable[str], neighbours: Neighbours, minimum: int
) -> list[frozenset[str]]:
    """The connected parts of the provinces on a level in which enough connected ones are surely on it."""
    sure = frozenset(corroborated)
    return [part for part in connected(levels, neighbours) if regional(part & sure, neighbours, minimum)]


def backed(on: Iterable[str], proved: Collection[str], neighbours: Neighbours, minimum: int) -> frozenset[str]:
    """The provinces that others stand in for: they do not prove by themselves that they are on a level, because they
    have a single station or rest on one, but their group would be cross-provincial without any one of them.

    So three adjacent provinces with one station each make an episode, and two do not: whichever station lies, the
    others show an episode without it.

    Args:
        on: the provinces on the level whose reference stations are asked.
        proved: those of them that are on it without any single station.
    """
    found: set[str] = set()
    for part in regional(on, neighbours, minimum + 1):
        unproved = part.difference(proved)
        if all(regional(part - {code}, neighbours, minimum) for code in sorted(unproved)):
            found |= unproved
    return frozenset(found)


def regional_level(levels: Mapping[str, int], neighbours: Neighbours, minimum: int) -> int:
    """Highest level that at least ``minimum`` connected provinces have reached, 0 for none."""
    for level in sorted({level for level in levels.values() if level}, reverse=True):
        if regional((code for code, own in levels.items() if own >= level), neighbours, minimum):
            return level
    return 0


def regional_onset(since: Mapping[str, int], neighbours: Neighbours, minimum: int) -> int:
    """First moment from which ``minimum`` connected provinces were exceeding together, UTC epoch seconds.

    Args:
        since: by province, the first hour of the exceedance it is still in.
    """
    for moment in sorted(set(since.values())):
        if regional((code for code, began in since.items() if began <= moment), neighbours, minimum):
            return moment
    raise ValueError(f"no {minimum} of these provinces are connected: {sorted(since)}")
