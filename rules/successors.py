"""Which packs may follow each other while the system runs.

The stages before the tracker know one airshed, from their first reading on: which stations and provinces there are,
how their hours are averaged, when an hour is complete, and how many stations may speak for a province. A pack that
describes any of that otherwise cannot take over from one hour to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from rules.documents import Document, Path
from rules.model import Pack
from streams.airsheds import Airshed
from streams.errors import Problem

FREE = {"names", "provinces", "levels", "detection", "legal_track"}
"""Of an airshed: what may change, or is looked at more closely below. Anything else must stay."""

FREE_IN_PROVINCE = {"names", "neighbours", "population"}
FREE_IN_DETECTION = {"minimum_provinces", "together_hours", "merge_gap_hours", "hourly_status"}
"""What only the tracker looks at."""

REMEDY = "it needs a restart with an empty state, or another airshed code; keep {} as in {}"


def structural_problems(document: Document, base: Pack, new: Pack) -> list[Problem]:
    """Everything in which a pack is too different from the base to take over while the system runs."""
    found = [*_airshed(base.airshed, new.airshed)]
    problems = [
        document.problem(path, message, REMEDY.format(str(path[-1]), base.reference))
        for path, message in sorted(found, key=str)
    ]
    return [*problems, *_legal_track(document, base, new)]


def _legal_track(document: Document, base: Pack, new: Pack) -> Iterator[Problem]:
    """Days are counted by the stages before the tracker, from their first reading on and by one definition."""
    before, after = base.airshed.legal_track, new.airshed.legal_track
    if before == after:
        return
    if before is None:
        message = f"is new: {base.reference} has none, so no days have been counted that it could rest on"
        keep = "leave it out of this pack, everything else in it can be activated"
    elif after is None:
        message = f"is gone: {base.reference} has one, and its days are being counted"
        keep = f"put it back as in {base.reference}"
    else:
        changed = [f.name for f in msgspec.structs.fields(after) if getattr(before, f.name) != getattr(after, f.name)]
        message = f"{', '.join(changed)} changed: days have been counted by the definition of {base.reference}"
        keep = f"keep it as in {base.reference}"
    remedy = (
        f"{keep}. To change it: stop, name this pack as `pack` in airshed.toml, and start with an empty state (another "
        "data_dir or, on Kafka, another group), or give the airshed another code"
    )
    yield document.problem(("airshed", "legal_track"), message, remedy)


def _airshed(old: Airshed, new: Airshed) -> Iterator[tuple[Path, str]]:
    yield from _changed(old, new, FREE, ("airshed",))
    yield from _changed(old.detection, new.detection, FREE_IN_DETECTION, ("airshed", "detection"))
    yield from _provinces(old, new)
    yield from _levels(old, new)


def _provinces(old: Airshed, new: Airshed) -> Iterator[tuple[Path, str]]:
    path: Path = ("airshed", "provinces")
    before = {province.code: province for province in old.provinces}
    gone = sorted(before.keys() - {province.code for province in new.provinces})
    if gone:
        yield path, f"without {', '.join(gone)}"
    for number, province in enumerate(new.provinces):
        if province.code in before:
            yield from _changed(before[province.code], province, FREE_IN_PROVINCE, (*path, number))
        else:
            yield (*path, number, "code"), f"{province.code!r} is new"


def _levels(old: Airshed, new: Airshed) -> Iterator[tuple[Path, str]]:
    if not old.levels or not new.levels:
        return
    if old.levels[0].quantity != new.levels[0].quantity:
        yield ("airshed", "levels", 0, "quantity"), f"{new.levels[0].quantity} instead of {old.levels[0].quantity}"
    unknown = sorted(set(new.concentrations) - set(old.concentrations))
    if unknown:
        yield ("airshed", "levels"), f"looks at {', '.join(unknown)}, which is not computed now"


def _changed(old: Any, new: Any, free: set[str], path: Path) -> Iterator[tuple[Path, str]]:
    for field in msgspec.structs.fields(new):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if field.name not in free and before != after:
            yield (*path, field.name), f"{_short(after)} instead of {_short(before)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def unheard(before: Pack, after: Pack) -> list[str]:
    """Recipients that one pack warns and tells the end, and to whom the other would never say that it is over."""
    return sorted(_told_the_end(before) - _told_the_end(after))


def _told_the_end(pack: Pack) -> set[str]:
    return {r.audience.recipients for r in pack.rules if r.notice == "all-clear" and "closed" in r.on}
