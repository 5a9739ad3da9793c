"""Everything a back-test found, as numbers: what ``--json`` prints and the report shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from airshed.backtesting.burden import Burden, Season, burden
from airshed.backtesting.comparison import Comparison, compare
from airshed.backtesting.lives import Life
from airshed.backtesting.people import People
from airshed.backtesting.reference import Event, Reference
from airshed.backtesting.running import Played, Trial
from airshed.backtesting.tallies import Told
from airshed.backtesting.verification import Frame, Verification, verify
from rules.engine import WARNINGS
from streams.clock import HOUR_S, utc


class EpisodeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One episode of a pack.

    Attributes:
        closed: ``None``: still open at the end of the recording.
        hours: from opening to close, or to the end of the recording.
        peak_ug_m3 / peak_time: highest mean, over its provinces, of their median 24-hour means of PM2.5.
        first_notice: first warning to residents; ``notice_to_peak_h``: hours from it to the peak.
        reference: the reference event it belongs to.
    """

    name: str
    track: str
    onset: datetime
    opened: datetime
    closed: datetime | None
    hours: int
    peak_level: int
    peak_level_name: str
    provinces: list[str]
    population: int
    transitions: list[str]
    peak_ug_m3: float | None
    peak_time: datetime | None
    first_notice: datetime | None
    notice_to_peak_h: int | None
    reference: str | None
    parent: str | None
    merged_into: str | None


class ReferenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One reference event."""

    name: str
    first: datetime
    last: datetime
    hours: int
    provinces: list[str]


class NoticeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One notice, with what made it."""

    id: str
    time: datetime
    kind: str
    rule: str
    recipients: str
    provinces: list[str]
    level: int
    level_name: str
    episode: str
    reason: str


class PackFindings(msgspec.Struct, frozen=True, kw_only=True):
    """What one pack did. ``kinds``: notices by kind."""

    pack: str
    airshed: str
    levels: list[str]
    episodes: list[EpisodeRow]
    episode_hours: int
    unknown_share: float
    kinds: dict[str, int]
    notices: list[NoticeRow]
    burden: Burden
    verification: Verification


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """Attributes:
    first / last: end of the first and the last reading.
    packs: the pack that was asked about, and the one it is held against, if any.
    comparison: of their notices.
    """

    recording: str
    readings: int
    rejected: int
    unused: int
    refused: list[str]
    stations: int
    first: datetime
    last: datetime
    zone: str
    provinces: dict[str, str]
    reference: str
    reference_events: list[ReferenceRow]
    packs: list[PackFindings]
    comparison: Comparison | None


@dataclass(frozen=True)
class Yardstick:
    """The reference over the hours of a recording.

    Attributes:
        frame: rows and columns of the arrays.
        hour / day: median hourly and 24-hour means of PM2.5, µg/m³, ``(hours, provinces)``, NaN = unknown.
    """

    reference: Reference
    frame: Frame
    hour: NDArray[np.float32]
    day: NDArray[np.float32]
    events: Sequence[Event]


def yardstick(played: Played, reference: Reference) -> Yardstick:
    """Lay the reference over what was observed."""
    airshed = played.trials[-1].pack.airshed
    first, last = -(-played.first_s // HOUR_S), -(-played.last_s // HOUR_S)
    frame = Frame(first, last - first + 1, [province.code for province in airshed.provinces])
    day = played.observed.day.between(first, last)
    return Yardstick(reference, frame, played.observed.hour.between(first, last), day, reference.events(day, airshed))


def findings(played: Played, measure: Yardstick, people: People, name: str) -> Findings:
    """Put everything together. ``name``: of the recording."""
    airshed = played.trials[-1].pack.airshed
    packs = [_of_pack(one, played, measure, people) for one in played.trials]
    told = [one.tally.told for one in played.trials]
    refused = [*played.intake.refused, *people.refused]
    return Findings(
        recording=name,
        readings=played.intake.readings,
        rejected=played.intake.rejected,
        unused=played.intake.unused,
        refused=refused,
        stations=sum(station.airshed == airshed.code for station in played.trials[-1].registry.stations),
        first=utc(played.first_s),
        last=utc(played.last_s),
        zone=airshed.zone,
        provinces={code: name for one in reversed(played.trials) for code, name in names_of(one).items()},
        reference=measure.reference.sentence(),
        reference_events=[_reference_row(event, measure.frame) for event in measure.events],
        packs=packs,
        comparison=compare(*told) if len(told) == 2 else None,
    )


def names_of(one: Trial) -> dict[str, str]:
    """Names of a pack's provinces, by code, in the first language of each."""
    return {province.code: next(iter(province.names.values())) for province in one.pack.airshed.provinces}


def _of_pack(one: Trial, played: Played, measure: Yardstick, people: People) -> PackFindings:
    tally, airshed = one.tally, one.pack.airshed
    season = Season(played.first_s, played.last_s, ZoneInfo(airshed.zone))
    lives = tally.lives.operational()
    verification = verify(measure.reference.sentence(), measure.events, lives, measure.frame, ~np.isnan(measure.day))
    partner = {match.episode: match.event for match in verification.matches}
    levels = tally.levels.between(measure.frame.first, measure.frame.first + measure.frame.hours - 1)
    return PackFindings(
        pack=one.label,
        airshed=airshed.code,
        levels=[level.name for level in airshed.levels],
        episodes=[_episode_row(life, one, played, measure, partner) for life in tally.lives],
        episode_hours=round(sum(life.hours(played.last_s) for life in lives if life.merged_into is None)),
        unknown_share=round(float((levels < 0).mean()), 4),
        kinds=dict(sorted(Counter(notice.kind for notice in tally.told).items())),
        notices=[_notice_row(notice) for notice in tally.told],
        burden=burden(tally.told, lives, people, season, names_of(one)),
        verification=verification,
    )


def _episode_row(life: Life, one: Trial, played: Played, measure: Yardstick, partner: Mapping[str, str]) -> EpisodeRow:
    peak = _peak(life, measure, played.last_s)
    first = next((told for told in one.tally.told if _warns_residents(told, life)), None)
    return EpisodeRow(
        name=life.name,
        track=life.track,
        onset=utc(life.onset_s),
        opened=utc(life.opened_s),
        closed=utc(life.closed_s) if life.closed_s else None,
        hours=round(life.hours(played.last_s)),
        peak_level=life.peak_level,
        peak_level_name=one.pack.airshed.level_name(life.peak_level),
        provinces=life.provinces,
        population=life.population,
        transitions=[turn.kind for turn in life.turns],
        peak_ug_m3=round(peak[1], 1) if peak else None,
        peak_time=utc(peak[0]) if peak else None,
        first_notice=utc(first.time_s) if first else None,
        notice_to_peak_h=(peak[0] - first.time_s) // HOUR_S if peak and first else None,
        reference=partner.get(life.name),
        parent=life.parent,
        merged_into=life.merged_into,
    )


def _warns_residents(told: Told, life: Life) -> bool:
    return told.episode == life.name and told.recipients == "residents" and told.kind in WARNINGS


def _peak(life: Life, measure: Yardstick, last_s: int) -> tuple[int, float] | None:
    """Hour (epoch seconds) and height of the highest mean over an episode's provinces, from onset to close."""
    frame = measure.frame
    columns = [number for number, code in enumerate(frame.codes) if code in life.provinces]
    start = max(life.onset_s // HOUR_S - frame.first, 0)
    end = (life.closed_s or last_s) // HOUR_S - frame.first + 1
    values = measure.day[start:end][:, columns]
    if not values.size or np.isnan(values).all():
        return None
    known = ~np.isnan(values)
    means = np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    row = int(means.argmax())
    return (frame.first + start + row) * HOUR_S, float(means[row])


def _reference_row(event: Event, frame: Frame) -> ReferenceRow:
    return ReferenceRow(
        name=event.name,
        first=utc((frame.first + event.first) * HOUR_S),
        last=utc((frame.first + event.last) * HOUR_S),
        hours=event.hours,
        provinces=[frame.codes[column] for column in sorted(event.provinces)],
    )


def _notice_row(notice: Told) -> NoticeRow:
    return NoticeRow(
        id=notice.id,
        time=utc(notice.time_s),
        kind=notice.kind,
        rule=notice.rule,
        recipients=notice.recipients,
        provinces=list(notice.provinces),
        level=notice.level,
        level_name=notice.level_name,
        episode=notice.episode,
        reason=notice.reason,
    )
