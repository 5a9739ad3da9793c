"""Questions about a record: why a rule spoke at a moment, or did not, and why nothing happened at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from airshed.retelling import Record, Retold, last_hour_s, retell
from rules.activations import Entry
from rules.explanations import RuleAnswer, answers
from rules.model import Pack
from rules.shelf import Shelf
from rules.structure import nearest
from streams.airsheds import Airshed
from streams.clock import HOUR_S, epoch_s, utc
from streams.errors import InputError
from streams.legal_account import LegalAccount, account
from streams.schemas import EpisodeEvent
from streams.shortfall import ProvinceShortfall, of_province, of_region


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked; empty fields ask about everything.

    Attributes:
        at: the moment, aware; ``None``: the whole record, or the whole episode.
        province: code, name or former name.
    """

    rule: str = ""
    episode: str = ""
    at: datetime | None = None
    province: str = ""


class Transition(msgspec.Struct, frozen=True):
    """A transition in short."""

    time: datetime
    episode: str
    kind: str
    level_name: str
    provinces: list[str]
    reason: str


class Activated(msgspec.Struct, frozen=True):
    """An activation of the shelf, and how it stood at the hour: ``in force``, ``over``, ``pending`` or ``to come``."""

    pack: str
    from_: datetime
    by: str
    reason: str
    episode: str
    standing: str


class Explanation(msgspec.Struct, kw_only=True):
    """The answer.

    Attributes:
        hour: the decided hour it speaks of, ``None`` when it speaks of a whole episode or record.
        notes: what limits the answer.
        rules: what the rules made of the transitions asked about.
        transitions: those asked about; ``before`` and ``after``: the nearest ones around the hour.
        open_episodes: that were open at the hour.
        provinces / region: how they stood then, and what was missing; empty without an hour.
        legal: what the legal definition had counted by then; ``None`` without an hour, a definition or days.
        activations: of the shelf, when one was asked, in the order in which they were written.
    """

    pack: str
    zone: str
    hour: datetime | None
    notes: list[str]
    transitions: list[Transition]
    rules: list[RuleAnswer]
    before: Transition | None = None
    after: Transition | None = None
    open_episodes: list[str] = []
    provinces: list[ProvinceShortfall] = []
    region: list[str] = []
    legal: LegalAccount | None = None
    activations: list[Activated] = []


def explain(record: Record, pack: Pack, question: Question, shelf: Shelf | None = None) -> Explanation:
    """Answer a question about a record under a pack: the one that decided it, or another one to try.

    With a shelf, each hour is judged by the pack that was in force; ``pack`` is its base.

    Raises:
        InputError: when the question names a rule, an episode, a province or a time that is not there.
    """
    _check_rule(pack, question.rule)
    code = _province(pack.airshed, question.province)
    hour_s = _hour_s(record, question)
    told = retell(record, pack, hour_s, shelf)
    same_pack = record.pack in ("", pack.reference) or (shelf is not None and record.pack in _references(shelf))
    # Under the pack that decided, what was really said counts; under another one, what it would have said.
    events = record.events if same_pack else retell(record, pack, last_hour_s(record), shelf).events
    asked = _asked(events, question, hour_s)
    wanted = {(event.episode, event.transition) for event in asked}
    said = answers(pack, events, shelf.pack if shelf else None)
    rules = [answer for answer in said if (answer.episode, answer.transition) in wanted]
    answer = Explanation(
        pack=pack.reference,
        zone=pack.airshed.zone,
        hour=utc(hour_s) if question.at else None,
        notes=_notes(record, told, pack, same_pack=same_pack),
        transitions=[_short(event) for event in asked],
        rules=[answer for answer in rules if not question.rule or answer.rule == question.rule],
    )
    if shelf is not None:
        answer.activations = [_activated(line.entry, told) for line in shelf.contents.lines]
    if not question.at:
        return answer
    answer.legal = account(told.airshed, record.days, told.hour_s, only=code) if record.days else None
    return _at_the_hour(answer, told, events, code)


def _references(shelf: Shelf) -> set[str]:
    return {line.entry.pack for line in shelf.contents.lines}


def _activated(entry: Entry, told: Retold) -> Activated:
    if epoch_s(entry.from_) > told.hour_s:
        standing = "to come"
    elif entry.activation == told.reign.activated(told.hour_s):
        open_ones = ", ".join(open_at(told.events, told.hour_s))
        standing = "in force" if entry.pack == told.reign.pack else f"pending: waits for the close of {open_ones}"
    else:
        standing = "in force until then" if entry.pack == told.reign.pack else "over"
    return Activated(entry.pack, entry.from_, entry.by, entry.reason, entry.episode, standing)


def _at_the_hour(answer: Explanation, told: Retold, events: Sequence[EpisodeEvent], code: str) -> Explanation:
    earlier = [event for event in events if epoch_s(event.time) < told.hour_s]
    later = [event for event in events if epoch_s(event.time) > told.hour_s]
    answer.before = _short(earlier[-1]) if earlier else None
    answer.after = _short(later[0]) if later else None
    answer.open_episodes = open_at(events, told.hour_s)
    answer.region = of_region(told.airshed, told.counted)
    answer.provinces = [
        of_province(told.airshed, province.code, told.counted.get(province.code), told.states.get(province.code))
        for province in told.airshed.provinces
        if code in ("", province.code)
    ]
    return answer


def open_at(events: Sequence[EpisodeEvent], hour_s: int) -> list[str]:
    """Episodes that are open after an hour, by onset."""
    latest = {event.episode: event for event in events if epoch_s(event.time) <= hour_s}
    ongoing = [event for event in latest.values() if event.kind not in ("closed", "merged") and event.level]
    return [event.episode for event in sorted(ongoing, key=lambda event: (event.onset, event.episode))]


def moment(text: str, zone: str) -> datetime:
    """A time as people write it; without an offset it is the airshed's own.

    Raises:
        InputError: for what is no time.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        remedy = "write 2026-01-13T06:00, in local time, or with an offset: 2026-01-12T23:00Z"
        raise InputError(f"{text!r} is no time", field="--at", remedy=remedy) from None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))


def _asked(events: Sequence[EpisodeEvent], question: Question, hour_s: int) -> list[EpisodeEvent]:
    """The transitions a question is about."""
    if question.episode and question.episode not in {event.episode for event in events}:
        known = sorted({event.episode for event in events})
        remedy = nearest(question.episode, known) or f"there are: {', '.join(known) or 'none'}"
        raise InputError(f"there is no episode {question.episode!r}", field="--episode", remedy=remedy)
    own = [event for event in events if question.episode in ("", event.episode)]
    return [event for event in own if epoch_s(event.time) == hour_s] if question.at else own


def _hour_s(record: Record, question: Question) -> int:
    first_s, last_s = epoch_s(record.states[0].time), last_hour_s(record)
    if question.at is None:
        return last_s
    hour_s = int(question.at.timestamp()) // HOUR_S * HOUR_S
    if not first_s <= hour_s <= last_s:
        span = f"{utc(first_s):%Y-%m-%dT%H:%MZ} to {utc(last_s):%Y-%m-%dT%H:%MZ}"
        raise InputError(f"{utc(hour_s):%Y-%m-%dT%H:%MZ} is not in the record", field="--at", remedy=f"it has {span}")
    return hour_s


def _check_rule(pack: Pack, rule: str) -> None:
    known = [own.id for own in pack.rules]
    if rule and rule not in known:
        remedy = nearest(rule, known) or f"it has: {', '.join(known)}"
        raise InputError(f"the pack {pack.reference} has no rule {rule!r}", field="--rule", remedy=remedy)


def _province(airshed: Airshed, text: str) -> str:
    found = airshed.province(text) if text else None
    if text and found is None:
        known = ", ".join(f"{p.code} {next(iter(p.names.values()), '')}" for p in airshed.provinces)
        raise InputError(f"no province {text!r} in {airshed.code}", field="--province", remedy=f"it has: {known}")
    return found.code if found else ""


def _notes(record: Record, told: Retold, pack: Pack, *, same_pack: bool) -> list[str]:
    notes = []
    if not same_pack:
        left_out = "" if record.days else " (its legal track left out: the record has no days)"
        would = f"this is what {pack.reference} would have made of the same hours{left_out}"
        notes.append(f"decided under {record.pack}; {would}")
    if same_pack:
        known = [event for event in record.events if event.track == "operational"]
        recorded = [event for event in known if epoch_s(event.time) <= told.hour_s]
        if [_key(event) for event in recorded] != [
            _key(event) for event in told.events if event.track == "operational"
        ]:
            notes.append("the record does not follow from this pack alone: its levels were changed without its version")
    return notes


def _key(event: EpisodeEvent) -> tuple[str, int, str, datetime]:
    return event.episode, event.transition, event.kind, event.time


def _short(event: EpisodeEvent) -> Transition:
    codes = [province.code for province in event.provinces]
    return Transition(event.time, event.episode, event.kind, event.level_name, codes, event.reason)
