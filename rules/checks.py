"""What must hold in a rule pack beyond the types of its values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from zoneinfo import available_timezones

from rules.conditions import flaws
from rules.documents import Document, Path
from rules.legal import legal_problems
from rules.levels import level_problems
from rules.model import Pack, Rule
from rules.stages import stage_problems
from rules.structure import nearest, twice
from streams.airsheds import Airshed
from streams.clock import HOUR_S
from streams.errors import Problem

STANDARDS = ("vn_aqi", "us_aqi", "us_aqi_2012", "cn_aqi", "cn_aqi_2012", "in_naqi", "kr_cai")

ASKING = ("request", "instruction", "order-draft")
"""Kinds of notice that ask for measures, and so must name some."""


def problems_of(document: Document, pack: Pack) -> list[Problem]:
    """Everything that does not hold in a pack whose values have the right types."""
    return [
        *_provinces(document, pack.airshed),
        *level_problems(document, pack.airshed),
        *_detection(document, pack.airshed),
        *legal_problems(document, pack),
        *_languages(document, pack),
        *_rules(document, pack),
        *stage_problems(document, pack),
    ]


def _provinces(document: Document, airshed: Airshed) -> Iterator[Problem]:
    path: Path = ("airshed", "provinces")
    codes = [province.code for province in airshed.provinces]
    yield from twice(document, [((*path, number, "code"), code) for number, code in enumerate(codes)], "province code")
    known = {province.code: province for province in airshed.provinces}
    for number, province in enumerate(airshed.provinces):
        for position, code in enumerate(province.neighbours):
            place = (*path, number, "neighbours", position)
            if code == province.code:
                yield document.problem(place, f"{code} is its own neighbour", "take it out")
            elif code not in known:
                remedy = nearest(code, codes) or "name neighbours of this airshed only"
                yield document.problem(place, f"{code!r} is no province of this airshed", remedy)
            elif province.code not in known[code].neighbours:
                remedy = f"add {province.code} to the neighbours of {code}, or take {code} out here"
                yield document.problem(place, f"{code} does not name {province.code} as its neighbour", remedy)
    names = [
        ((*path, number), name.casefold())
        for number, province in enumerate(airshed.provinces)
        for name in {*province.names.values(), *province.aliases}
    ]
    yield from twice(document, sorted(names, key=str), "name or alias")


def _detection(document: Document, airshed: Airshed) -> Iterator[Problem]:
    path: Path = ("airshed", "detection")
    detection = airshed.detection
    limits = {
        "minimum_coverage": (detection.minimum_coverage, 0.01, 1.0),
        "minimum_stations": (detection.minimum_stations, 1, 100),
        "minimum_provinces": (detection.minimum_provinces, 1, 100),
        "together_hours": (detection.together_hours, 1, 72),
        "lateness_s": (detection.lateness_s, 0, 6 * HOUR_S),
        "merge_gap_hours": (detection.merge_gap_hours, 0, 240),
    }
    for name, (value, low, high) in limits.items():
        if not low <= value <= high:
            yield document.problem((*path, name), f"{value} is out of range", f"give {low} to {high}")
    if detection.step_s != HOUR_S:
        yield document.problem((*path, "step_s"), f"steps of {detection.step_s} s", f"decisions fall every {HOUR_S} s")
    if airshed.standard not in STANDARDS:
        remedy = nearest(airshed.standard, STANDARDS) or f"known: {', '.join(STANDARDS)}"
        yield document.problem(("airshed", "standard"), f"unknown index standard {airshed.standard!r}", remedy)
    zones = available_timezones()
    if airshed.zone not in zones:
        remedy = nearest(airshed.zone, zones) or "use an IANA name, e.g. Asia/Ho_Chi_Minh"
        yield document.problem(("airshed", "zone"), f"unknown time zone {airshed.zone!r}", remedy)


def _languages(document: Document, pack: Pack) -> Iterator[Problem]:
    languages = sorted(pack.sender)
    if not languages:
        yield document.problem(("sender",), "no sender", "name the authority that speaks, by language")
    texts: list[tuple[Path, Iterable[str]]] = [(("airshed", "names"), pack.airshed.names)]
    texts += [(("airshed", "provinces", n, "names"), p.names) for n, p in enumerate(pack.airshed.provinces)]
    texts += [(("airshed", "levels", n, "names"), level.names) for n, level in enumerate(pack.airshed.levels)]
    texts += [(("rules", n, "actions"), rule.actions) for n, rule in enumerate(pack.rules) if rule.actions]
    for path, given in texts:
        missing = sorted(set(languages) - set(given))
        if missing:
            remedy = f"every text has the languages of sender: {', '.join(languages)}"
            yield document.problem(path, f"nothing for language {', '.join(missing)}", remedy)


def _rules(document: Document, pack: Pack) -> Iterator[Problem]:
    yield from twice(document, [(("rules", n, "id"), rule.id) for n, rule in enumerate(pack.rules)], "rule id")
    for number, rule in enumerate(pack.rules):
        yield from _rule(document, ("rules", number), rule, pack.airshed)


def _rule(document: Document, path: Path, rule: Rule, airshed: Airshed) -> Iterator[Problem]:
    if not rule.on:
        yield document.problem((*path, "on"), "listens to no event", "name the kinds of event, e.g. [opened]")
    if rule.notice in ASKING and not rule.actions:
        yield document.problem(
            path, f"a notice of kind {rule.notice} asks for nothing", "list the measures under actions"
        )
    if rule.audience.provinces == "told" and rule.notice != "bulletin":
        remedy = "write bulletin; an all-clear goes to those who were warned in any case"
        yield document.problem((*path, "audience", "provinces"), f"a {rule.notice} to those who were told", remedy)
    if rule.notice == "all-clear" and rule.audience.provinces == "joined":
        remedy = "use left, episode or episode-and-neighbours"
        yield document.problem((*path, "audience", "provinces"), "those who joined were not warned before", remedy)
    for flaw in flaws(rule.when, airshed, list(rule.on)):
        place = (*path, "when")
        line, column = 0, 0
        if place in document.nodes:
            line, column = document.position_in(place, flaw.line, flaw.column)
        yield document.problem_at(line, column, place, flaw.message, flaw.remedy)
