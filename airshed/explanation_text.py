"""An explanation for people: first what happened, then why, then what was missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from airshed.explaining import Explanation, Question, Transition
from rules.activations import BEGINNING
from rules.explanations import NOT_ASKED, RuleAnswer
from streams.legal_account import LegalAccount
from streams.shortfall import ProvinceShortfall

_SHORT_VALUE = 60  # characters of a value that are shown; a map of 34 provinces is cut


def show(explanation: Explanation, question: Question, out: Console) -> None:
    """Print it. With a rule in the question its condition is taken apart; without, each rule gets a line."""
    for note in explanation.notes:
        out.print(f"note: {note}", style="yellow", markup=False)
    for line in _happened(explanation, question):
        out.print(line, markup=False)
    for answer in explanation.rules:
        if question.rule or answer.reason != NOT_ASKED:
            for line in _rule(answer, explanation.zone, whole=bool(question.rule)):
                out.print(line, markup=False)
    for line in _activations(explanation):
        out.print(line, markup=False)
    if explanation.hour is not None:
        _stand(explanation, out)
    if explanation.legal is not None:
        for line in _legal(explanation.legal):
            out.print(line, markup=False, soft_wrap=True)


def _happened(explanation: Explanation, question: Question) -> Iterator[str]:
    if explanation.hour is None:
        yield f"{len(explanation.transitions)} transitions, pack {explanation.pack}"
        return
    when = _local(explanation.hour, explanation.zone)
    if not explanation.transitions:
        what = f"nothing changed in {question.episode}" if question.episode else "no episode changed"
        asked = f"{question.rule} was not asked" if question.rule else "no rule was asked"
        yield f"{when} ({explanation.zone}), pack {explanation.pack}"
        yield f"  {what}, so {asked}: rules speak when an episode changes."
        yield "  before: " + _line(explanation.before, explanation.zone)
        yield "  after:  " + _line(explanation.after, explanation.zone)
        return
    yield f"{when} ({explanation.zone}), pack {explanation.pack}"
    for transition in explanation.transitions:
        yield f"  {transition.kind} {transition.episode}, level {transition.level_name}: {transition.reason}"


def _line(transition: Transition | None, zone: str) -> str:
    if transition is None:
        return "nothing"
    provinces = " ".join(transition.provinces)
    when = _local(transition.time, zone)
    return f"{when} {transition.kind} {transition.episode}, level {transition.level_name}, {provinces}"


def _rule(answer: RuleAnswer, zone: str, *, whole: bool) -> Iterator[str]:
    head = f"{answer.rule} at {answer.event} of {answer.episode}, {_local(answer.time, zone)}"
    yield f"\n{head}" if whole else head
    yield f"  {answer.reason}: {answer.because}"
    for notice in answer.made:
        yield f"  notice {notice.id}: {notice.kind}, level {notice.level}, to {' '.join(notice.provinces)}"
    if answer.needed:
        yield f"  it would have needed: {answer.needed}"
    if whole:
        yield from _condition(answer)


def _condition(answer: RuleAnswer) -> Iterator[str]:
    if not answer.steps:
        return
    yield "  condition"
    width = max(len("  " * step.depth + _named(step.element, step.text)) for step in answer.steps)
    for step in answer.steps:
        yield f"    {'  ' * step.depth + _named(step.element, step.text):<{min(width, 80)}}  {_cut(step.value)}"
    yield "  variables"
    for name, value in answer.values.items():
        yield f"    {name:<18}  {_cut(repr(value))}"


def _named(element: str, text: str) -> str:
    one_line = " ".join(text.split())
    return f"[{element}] {one_line}" if element else one_line


def _activations(explanation: Explanation) -> Iterator[str]:
    """The shelf at the hour: which pack was in force, and who had decided what."""
    for one in explanation.activations:
        since = "from the beginning" if one.from_ == BEGINNING else f"from {_local(one.from_, explanation.zone)}"
        moves = f", moves {one.episode}" if one.episode else ""
        why = f": {one.reason}" if one.reason else ""
        yield f"activated: {one.pack} {since}{moves}, by {one.by}{why} ({one.standing})"


def _legal(legal: LegalAccount) -> Iterator[str]:
    """The legal track: what was counted of the days, by province."""
    yield f"\nlegal track: {legal.definition}"
    for group in legal.groups:
        yield f"  met in {' '.join(group)}"
    if legal.missing:
        yield f"  no case: {legal.missing}"
    for province in legal.provinces:
        days = ", ".join(f"{'?' if day.index is None else day.index}" for day in province.days)
        stations = ""
        if province.days and province.days[-1].stations:
            shown = ", ".join(f"{station} {index}" for station, index in province.days[-1].stations[:4])
            stations = f" (the last day: {shown})"
        missing = f"; {province.missing}" if province.missing else ""
        yield f"  {province.code} {province.name}: daily index {days or 'not known'}{stations}{missing}"


def _stand(explanation: Explanation, out: Console) -> None:
    opened = ", ".join(explanation.open_episodes) or "none"
    out.print(f"\nopen episodes: {opened}", markup=False)
    for lack in explanation.region:
        out.print(f"missing for an episode: {lack}", markup=False)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("province", "index", "24 h", "stations", "level", "counted", "what is missing, or keeps it"):
        table.add_column(name, no_wrap=name != "what is missing, or keeps it")
    for province in explanation.provinces:
        table.add_row(*(Text(cell) for cell in _cells(province)))
    out.print(table)


def _cells(province: ProvinceShortfall) -> tuple[str, ...]:
    index = "?" if province.median_index is None else str(province.median_index)
    day = "?" if province.median_index_24h is None else str(province.median_index_24h)
    counted = f"{min(province.hours, province.hours_needed)}/{province.hours_needed} h" if province.next_level else ""
    lacks = "; ".join(province.lacks)
    missing = f"for {province.next_level}: {lacks}" if lacks else ""
    alone = f"to carry an episode, without any one station: {'; '.join(province.alone)}" if province.alone else ""
    words = "\n".join(text for text in (province.leaving, alone, missing) if text)
    stations = f"{province.valid}/{province.known}"
    return f"{province.code} {province.name}", index, day, stations, province.level_name, counted, words


def _local(time: datetime, zone: str) -> str:
    return time.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT_VALUE else f"{text[: _SHORT_VALUE - 1]}…"
