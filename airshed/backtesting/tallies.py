"""What a pack said over months, kept small: levels by hour and province, the lives of episodes, the notices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from airshed.backtesting.grid import Grid
from airshed.backtesting.lives import Lives
from airshed.pipeline import Outcome
from notifiers.quiet_hours import quiet_until_s
from rules.model import Pack
from rules.notices import Notice, NoticeKind, Recipients, levels_told
from streams.clock import HOUR_S, epoch_s

UNKNOWN = -1
NOTHING_SAID = -2


@dataclass(frozen=True)
class Told:
    """A notice, as a back-test keeps it.

    Attributes:
        time_s: the hour of the decision.
        sent_s: when its messages could go out: the lateness later, after quiet hours.
        lapsed: by then they are of no use any more, and nobody gets them.
        levels: by province, see :func:`rules.notices.levels_told`.
        told_in: see :class:`rules.notices.Audience`.
    """

    id: str
    kind: NoticeKind
    rule: str
    recipients: Recipients
    provinces: tuple[str, ...]
    levels: Mapping[str, int]
    told_in: str | None
    level: int
    level_name: str
    episode: str
    time_s: int
    sent_s: int
    lapsed: bool
    reason: str


class Tally:
    """Takes what the stages say, step by step.

    Attributes:
        levels: by hour and province, the highest level whose entry threshold the hour met; 0 = none, ``UNKNOWN``, or
            ``NOTHING_SAID``.
        index: median index of the hour, -1 where unknown.
    """

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.codes = [province.code for province in pack.airshed.provinces]
        self.levels = Grid(len(self.codes), np.int8(NOTHING_SAID))
        self.index = Grid(len(self.codes), np.int16(-1))
        self.lives = Lives()
        self.told: list[Told] = []
        self._columns = {code: number for number, code in enumerate(self.codes)}

    def add(self, outcome: Outcome) -> None:
        """One step."""
        for state in outcome.provinces:
            hour, column = epoch_s(state.time) // HOUR_S, self._columns[state.province]
            self.levels.put(hour, column, UNKNOWN if state.condition == "unknown" else state.level)
            self.index.put(hour, column, -1 if state.median_index is None else state.median_index)
        self.lives.follow(outcome.episodes)
        self.told += [self._told(notice) for notice in outcome.notices]

    def _told(self, notice: Notice) -> Told:
        time_s = epoch_s(notice.time)
        decided_s = time_s + self.pack.airshed.detection.lateness_s
        quiet_s = quiet_until_s(notice, notice.time)
        return Told(
            id=notice.id,
            kind=notice.kind,
            rule=notice.rule,
            recipients=notice.audience.recipients,
            provinces=tuple(notice.audience.provinces),
            levels=levels_told(notice),
            told_in=notice.audience.told_in,
            level=notice.level,
            level_name=notice.level_name,
            episode=notice.episode,
            time_s=time_s,
            sent_s=quiet_s or decided_s,
            lapsed=quiet_s >= epoch_s(notice.valid_until),
            reason=notice.reason,
        )
