"""The legal track: what the law calls seriously polluted air, beside the levels of the pack and apart from them.

A province's days take the place of its hours; otherwise the life of a legal episode is that of any other. It opens
when adjacent provinces have the definition's index on as many calendar days in a row, the same days, and a province
leaves it with the first day known to lie below: the law names no margin and no holding time. What a day's stations say
is not asked for corroboration either; it is the law's own count, and leads to a draft that a person judges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from streams.airsheds import Airshed, LegalDefinition, Level
from streams.components import Neighbours
from streams.corrections import history_of
from streams.decisions import Decisions
from streams.history import Window, weight
from streams.schemas import EpisodeEvent, ProvinceDay, ProvinceState, WithoutOne
from streams.transitions import Scene

LEVEL = "serious"
"""Machine name of the only level of the legal track."""

WINDOW_DAYS = 5
"""Days that can still be revised: those the province watch may revise, and the one before them."""

LoadDays = Callable[[int], Mapping[str, ProvinceDay]]
"""Gives what was said about the day that ends at an epoch second, by province code."""


def as_airshed(airshed: Airshed, definition: LegalDefinition) -> Airshed:
    """The airshed as its days are judged: one level, entered after so many days, left with the first one below."""
    level = Level(
        name=LEVEL,
        names=definition.names,
        enter=definition.index,
        exit=definition.index,
        enter_hours=definition.days,
        exit_hours=1,
    )
    detection = msgspec.structs.replace(
        airshed.detection,
        minimum_provinces=definition.provinces,
        together_hours=1,
        merge_gap_hours=0,
        hourly_status=definition.daily_status,
    )
    return msgspec.structs.replace(airshed, levels=[level], detection=detection)


class LegalTrack(msgspec.Struct):
    """What is decided about the days of one airshed."""

    window: Window
    decisions: Decisions = msgspec.field(default_factory=Decisions)

    @classmethod
    def before(cls, day_s: int, airshed: Airshed, definition: LegalDefinition) -> LegalTrack:
        """Nothing is decided before the day that ends at ``day_s``."""
        return cls(Window.of_days(day_s, as_airshed(airshed, definition), WINDOW_DAYS))

    def step(
        self, airshed: Airshed, neighbours: Neighbours, load: LoadDays, touched: set[int], pack: str
    ) -> list[EpisodeEvent]:
        """The next day: first what late readings change, then the day itself.

        Args:
            touched: ends of days about which something was said since the last step.
        """
        assert airshed.legal_track is not None
        view = as_airshed(airshed, airshed.legal_track)
        self.window.adapt(view)

        def states(end_s: int) -> dict[str, ProvinceState]:
            return {code: _as_state(day) for code, day in load(end_s).items()}

        known = [end_s for end_s in touched if self.window.start_s < end_s <= self.window.end_s]
        corrections = []
        if any(weight(states(end_s)) != self.window.folded.get(end_s) for end_s in known):
            before = history_of(self.window)
            self.window.refold(view, states)
            corrections = self.decisions.correct(view, neighbours, self.window, before)
        self.window.fold(view, states)
        window, now = self.window, states(self.window.end_s)
        levels, since, sure = window.levels(), window.since(), window.corroborated()
        scene = Scene(
            view, neighbours, window.end_s, now, levels, since, sure, "legal", states, window.step_s, own=window.own()
        )
        told = [correction.tell(scene) for correction in corrections]
        return told + self.decisions.decide(scene, window, pack)

    def take_over(self, pack: str) -> None:
        """Another pack goes on with the episodes. Its definition is the same, or it would not have been let on."""
        for episode in [*self.decisions.open, *self.decisions.closed]:
            episode.pack = pack


def _as_state(day: ProvinceDay) -> ProvinceState:
    """A day in the place of an hour: what it reaches is what as many stations as the definition asks for show."""
    known = day.index is not None
    return ProvinceState(
        airshed=day.airshed,
        province=day.province,
        time=day.time,
        condition="clean" if known else "unknown",
        level=0,
        median_index=day.index,
        median_index_24h=None,
        valid=day.valid,
        known=day.known,
        coverage=round(day.valid / day.known, 4) if day.known else 0.0,
        single_station=day.known == 1,
        stations=[(station, index, None) for station, index in day.stations],
        revision=day.revision,
        reached=day.index,
        without_one=None if day.index is None else WithoutOne(day.index, day.index, None),
    )
