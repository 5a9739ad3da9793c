"""What a pack asks of people: messages, wake-ups, days of curtailment, and what was taken back soon after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from airshed.backtesting.lives import Life
from airshed.backtesting.people import Group, People
from airshed.backtesting.tallies import Told
from rules.engine import WARNINGS
from streams.clock import HOUR_S, utc

NIGHT_FROM, NIGHT_UNTIL = 22, 6
"""Local hours in which a message wakes people up."""

WITHDRAWN_HOURS = 24
"""A warning that is over within a day of being given was hardly worth a plan for the day."""

DAY_S = 86_400


class Distribution(msgspec.Struct, frozen=True):
    """Messages per resident and calendar month, over all residents and months."""

    mean: float
    median: int
    ninetieth: int
    most: int
    none_share: float


class ProvinceBurden(msgspec.Struct, frozen=True, kw_only=True):
    """One province. Messages are per resident who wants every level, over the whole recording."""

    code: str
    name: str
    residents: int
    messages: int
    most_in_a_month: int
    wake_ups: int
    plants: int
    curtailment_days: float


class Burden(msgspec.Struct, frozen=True, kw_only=True):
    """Attributes:
    notional_residents / notional_plants: one per province stands for all; no file was given.
    months: calendar months the recording touches.
    per_month: messages per resident and month.
    wake_ups: messages between 22:00 and 06:00 local time, per resident over the whole recording; ``most`` of any.
    plant_days: days of curtailment requested, summed over plants: from request to release, or to the end.
    open_requests: provinces in which a request was not released by the end of the recording.
    withdrawn_episodes: open for less than 24 hours, of ``episodes``.
    withdrawn_warnings: whose level no longer held 24 hours later, of ``warnings``.
    """

    notional_residents: bool
    notional_plants: bool
    residents: int
    plants: int
    months: int
    per_month: Distribution
    wake_ups: float
    wake_ups_most: int
    plant_days: float
    open_requests: int
    episodes: int
    withdrawn_episodes: int
    warnings: int
    withdrawn_warnings: int
    provinces: list[ProvinceBurden]


@dataclass(frozen=True)
class Season:
    """The stretch a back-test covers, epoch seconds, in the airshed's zone."""

    first_s: int
    last_s: int
    zone: ZoneInfo

    def month(self, time_s: int) -> tuple[int, int]:
        """Local year and month."""
        local = self.local(time_s)
        return local.year, local.month

    def months(self) -> list[tuple[int, int]]:
        """Every calendar month it touches."""
        found = {self.month(time_s) for time_s in range(self.first_s, self.last_s, DAY_S)}
        return sorted(found | {self.month(self.last_s)})

    def is_night(self, time_s: int) -> bool:
        """Whether people sleep."""
        return not NIGHT_UNTIL <= self.local(time_s).hour < NIGHT_FROM

    def local(self, time_s: int) -> datetime:
        """The moment in the airshed's zone."""
        return utc(time_s).astimezone(self.zone)


def burden(
    told: Sequence[Told], lives: Sequence[Life], people: People, season: Season, names: Mapping[str, str]
) -> Burden:
    """Everything that a list of notices asks of people. ``names``: of the provinces, by code."""
    received = {group: list(_received(told, group)) for group in people.residents}
    curtailed = {code: _curtailment(told, code, season) for code in names}
    warnings = [notice for notice in told if notice.kind in WARNINGS]
    residents = sum(people.residents.values())
    nights = {group: sum(season.is_night(n.sent_s) for n in notices) for group, notices in received.items()}
    return Burden(
        notional_residents=people.notional_residents,
        notional_plants=people.notional_plants,
        residents=residents,
        plants=sum(people.plants.values()),
        months=len(season.months()),
        per_month=_distribution(received, people, season),
        wake_ups=round(sum(nights[g] * n for g, n in people.residents.items()) / max(residents, 1), 2),
        wake_ups_most=max(nights.values(), default=0),
        plant_days=round(sum(people.plants.get(code, 0) * days for code, (days, _) in curtailed.items()), 1),
        open_requests=sum(unreleased for _, unreleased in curtailed.values()),
        episodes=len(lives),
        withdrawn_episodes=sum(_was_short(life) for life in lives),
        warnings=len(warnings),
        withdrawn_warnings=sum(_was_withdrawn(notice, lives, season) for notice in warnings),
        provinces=[_of_province(code, name, told, people, season, curtailed[code][0]) for code, name in names.items()],
    )


def _received(told: Sequence[Told], group: Group) -> Iterator[Told]:
    """The notices a resident of a group gets: by the same rules as the planner's."""
    province, lowest = group
    warned_in: set[str] = set()
    for notice in told:
        if notice.lapsed or notice.recipients != "residents" or province not in notice.provinces:
            continue
        is_warning = notice.kind in WARNINGS
        if is_warning and notice.levels[province] < lowest:
            continue
        if notice.told_in is not None and notice.told_in not in warned_in:
            continue
        if is_warning:
            warned_in.add(notice.episode)
        yield notice


def _distribution(received: Mapping[Group, Sequence[Told]], people: People, season: Season) -> Distribution:
    numbers: Counter[int] = Counter()
    for group, notices in received.items():
        by_month = Counter(season.month(notice.sent_s) for notice in notices)
        for month in season.months():
            numbers[by_month[month]] += people.residents[group]
    total = sum(numbers.values())
    if not total:
        return Distribution(0.0, 0, 0, 0, 1.0)
    mean = sum(number * weight for number, weight in numbers.items()) / total
    return Distribution(
        round(mean, 2), _quantile(numbers, 0.5), _quantile(numbers, 0.9), max(numbers), round(numbers[0] / total, 3)
    )


def _quantile(numbers: Counter[int], share: float) -> int:
    """The smallest number that at least this share of the weight does not exceed."""
    weight = 0
    for number in sorted(numbers):
        weight += numbers[number]
        if weight >= share * sum(numbers.values()):
            return number
    return max(numbers)


def _curtailment(told: Sequence[Told], code: str, season: Season) -> tuple[float, bool]:
    """Days from each request to its release in a province, and whether the last was never released."""
    days, since = 0.0, 0
    for notice in told:
        if notice.lapsed or notice.recipients != "facilities" or code not in notice.provinces:
            continue
        if notice.kind == "request" and not since:
            since = notice.sent_s
        elif notice.kind == "all-clear" and since:
            days += (notice.sent_s - since) / DAY_S
            since = 0
    if since:
        days += max(season.last_s - since, 0) / DAY_S
    return days, bool(since)


def _was_short(life: Life) -> bool:
    return life.closed_s is not None and life.closed_s - life.opened_s < WITHDRAWN_HOURS * HOUR_S


def _was_withdrawn(notice: Told, lives: Sequence[Life], season: Season) -> bool:
    """Whether the episode had fallen below the level of a warning within a day. The end of the data is no end."""
    life = next((life for life in lives if life.name == notice.episode), None)
    later_s = notice.time_s + WITHDRAWN_HOURS * HOUR_S
    if life is None or life.merged_into is not None:
        return False
    falls = [turn.time_s for turn in life.turns if notice.time_s < turn.time_s < later_s]
    return any(life.level_at(time_s) < notice.level for time_s in falls if time_s <= season.last_s)


def _of_province(
    code: str, name: str, told: Sequence[Told], people: People, season: Season, curtailed: float
) -> ProvinceBurden:
    notices = list(_received(told, (code, 1)))
    by_month = Counter(season.month(notice.sent_s) for notice in notices)
    return ProvinceBurden(
        code=code,
        name=name,
        residents=sum(number for (province, _), number in people.residents.items() if province == code),
        messages=len(notices),
        most_in_a_month=max(by_month.values(), default=0),
        wake_ups=sum(season.is_night(notice.sent_s) for notice in notices),
        plants=people.plants.get(code, 0),
        curtailment_days=round(curtailed, 2),
    )
