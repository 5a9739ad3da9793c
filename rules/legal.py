"""What must hold of a legal definition, and of the rules that listen to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from rules.documents import Document, Path
from rules.levels import HIGHEST_INDEX
from rules.model import Pack, Rule
from streams.errors import Problem

FROM_THE_LAW = ("order-draft", "bulletin")
"""All that the legal track may lead to: what the law defines is declared by people with the power to do so."""


def legal_problems(document: Document, pack: Pack) -> Iterator[Problem]:
    """Everything wrong with the legal track of a pack."""
    yield from _definition(document, pack)
    for number, rule in enumerate(pack.rules):
        if rule.track == "legal":
            yield from _rule(document, ("rules", number), rule, defined=pack.airshed.legal_track is not None)


def _definition(document: Document, pack: Pack) -> Iterator[Problem]:
    path: Path = ("airshed", "legal_track")
    definition, zone = pack.airshed.legal_track, pack.airshed.zone
    if definition is None:
        return
    limits = {"index": (1, HIGHEST_INDEX), "days": (1, 10), "provinces": (1, len(pack.airshed.provinces))}
    for name, (low, high) in limits.items():
        value = getattr(definition, name)
        if not low <= value <= high:
            yield document.problem((*path, name), f"{value} is out of range", f"give {low} to {high}")
    missing = sorted(set(pack.sender) - set(definition.names))
    if missing:
        remedy = f"every text has the languages of sender: {', '.join(sorted(pack.sender))}"
        yield document.problem((*path, "names"), f"nothing for language {', '.join(missing)}", remedy)
    if zone in available_timezones() and _changes_clocks(zone):
        message = f"the days of {zone} are not all 24 hours long"
        yield document.problem(path, message, "days in a row can only be counted in a zone that does not change clocks")


def _rule(document: Document, path: Path, rule: Rule, *, defined: bool) -> Iterator[Problem]:
    if not defined:
        remedy = "describe it under airshed.legal_track, or write track: operational"
        yield document.problem((*path, "track"), "there is no legal definition", remedy)
    if rule.notice not in FROM_THE_LAW:
        remedy = f"write {' or '.join(FROM_THE_LAW)}; warnings and requests belong to the operational track"
        yield document.problem((*path, "notice"), f"the legal track makes no {rule.notice}", remedy)


def _changes_clocks(zone: str) -> bool:
    offsets = {datetime(2026, month, 15, tzinfo=ZoneInfo(zone)).utcoffset() for month in (1, 7)}
    return len(offsets) > 1
