"""The live view in a terminal: provinces with their colours, the episode, notices and deliveries."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from airshed.pipeline import Outcome
from notifiers.deliveries import Delivery
from rules.notices import ExerciseNotice, Notice
from streams.airsheds import Airshed
from streams.indices import STANDARDS
from streams.schemas import EpisodeEvent, ProvinceState

_RECENT = 8
_SPARK = "▁▂▃▄▅▆▇█"
_SPARK_TOP = 350  # index drawn as a full bar: between "rất xấu" and "nguy hại"
_HISTORY_HOURS = 36

Colour = tuple[int, int, int]


class LiveView:
    """What has happened so far, as one picture. Fed with outcomes and deliveries; draws only when asked."""

    def __init__(self, airshed: Airshed, title: str) -> None:
        self._airshed = airshed
        self._title = title
        self._zone = ZoneInfo(airshed.zone)
        self._states: dict[str, ProvinceState] = {}
        self._history: dict[str, deque[int]] = {p.code: deque(maxlen=_HISTORY_HOURS) for p in airshed.provinces}
        self._episode: EpisodeEvent | None = None
        self._events: deque[EpisodeEvent] = deque(maxlen=_RECENT)
        self._notices: deque[Notice] = deque(maxlen=_RECENT)
        self._delivery_states: dict[str, tuple[str, str, str]] = {}
        self.now: datetime | None = None
        self.readings = 0

    def saw(self, outcome: Outcome, now: datetime, readings: int) -> None:
        """Take in what one slice of input led to."""
        self.now, self.readings = now, self.readings + readings
        for state in outcome.provinces:
            self._states[state.province] = state
            self._history[state.province].append(state.median_index or 0)
        for event in outcome.episodes:
            self._episode = event
            self._events.append(event)
        self._notices.extend(outcome.notices)

    def delivered(self, deliveries: Sequence[Delivery]) -> None:
        """Take in changed deliveries."""
        for delivery in deliveries:
            self._delivery_states[delivery.id] = (delivery.kind, delivery.channel, delivery.state)

    def __rich__(self) -> RenderableType:
        columns = Table.grid(expand=True, padding=(0, 1))
        columns.add_column(ratio=3)
        columns.add_column(ratio=2)
        columns.add_row(self._provinces(), Group(self._episode_panel(), self._deliveries()))
        return Group(self._header(), columns, self._notice_panel())

    def _header(self) -> Panel:
        moment = self.now.astimezone(self._zone).strftime("%a %d %b %Y %H:%M") if self.now else "–"
        text = Text(f"{self._title}   {moment} ({self._airshed.zone})   {self.readings:,} readings")
        return Panel(text, title="Airshed", border_style="magenta")

    def _provinces(self) -> Panel:
        table = Table(expand=True, box=None, padding=(0, 1))
        table.add_column("province", no_wrap=True, min_width=11)
        for name in ("index", "24 h", "stations"):
            table.add_column(name, justify="right", no_wrap=True, min_width=len(name))
        table.add_column(f"last {_HISTORY_HOURS} h", no_wrap=True, overflow="crop")
        for province in self._airshed.provinces:
            state = self._states.get(province.code)
            name = province.names.get("vi") or province.names["en"]
            table.add_row(name, *self._cells(state), self._sparkline(province.code))
        return Panel(table, title=f"Provinces, hourly {self._airshed.standard} (median of stations)")

    def _cells(self, state: ProvinceState | None) -> tuple[Text, str, str]:
        if state is None:
            return Text("–"), "", ""
        stations = f"{state.valid}/{state.known}"
        if state.median_index is None:
            return Text("unknown", style="dim"), "", stations
        colour = self._colour(state.median_index)
        badge = Text(f" {state.median_index:>3} ", style=f"{_ink(colour)} on {_rgb(colour)}")
        return badge, str(state.median_index_24h or ""), stations

    def _sparkline(self, code: str) -> Text:
        line = Text()
        for value in self._history[code]:
            bar = _SPARK[min(value * len(_SPARK) // _SPARK_TOP, len(_SPARK) - 1)]
            line.append(bar, style=_rgb(self._colour(value)))
        return line

    def _colour(self, index: int) -> Colour:
        return STANDARDS[self._airshed.standard].category(index).colour

    def _episode_panel(self) -> Panel:
        event = self._episode
        if event is None:
            return Panel("no episode", title="Episode")
        lines = [
            f"{event.episode}",
            f"{event.kind.upper()}  level {event.level_name}  peak {self._airshed.level_name(event.peak_level)}",
            ", ".join(province.name for province in event.provinces),
        ]
        style = "green" if event.kind == "closed" else "red"
        return Panel("\n".join(lines), title="Episode", border_style=style)

    def _deliveries(self) -> Panel:
        counts = Counter(self._delivery_states.values())
        table = Table(expand=True, box=None, padding=(0, 1))
        for name in ("message", "by", "state", "number"):
            table.add_column(name, justify="right" if name == "number" else "left")
        for (kind, channel, state), number in sorted(counts.items()):
            table.add_row(kind, channel, state, str(number))
        return Panel(table, title="Deliveries")

    def _notice_panel(self) -> Panel:
        lines = [notice_line(notice, self._zone) for notice in self._notices] or ["none yet"]
        return Panel("\n".join(lines), title="Notices")


def notice_line(notice: Notice, zone: ZoneInfo) -> str:
    """One line about a notice, for terminals."""
    moment = notice.time.astimezone(zone).strftime("%d %b %H:%M")
    places = ", ".join(
        p.names.get("vi") or p.names["en"] for p in notice.provinces if p.code in notice.audience.provinces
    )
    prefix = "EXERCISE " if isinstance(notice, ExerciseNotice) else ""
    return f"{moment}  {prefix}{notice.kind} ({notice.rule}) to {notice.audience.recipients} of {places}"


def event_line(event: EpisodeEvent, zone: ZoneInfo) -> str:
    """One line about a transition of an episode, for terminals."""
    moment = event.time.astimezone(zone).strftime("%d %b %H:%M")
    places = ", ".join(f"{p.name} {p.median_index if p.median_index is not None else '?'}" for p in event.provinces)
    return f"{moment}  {event.kind:<9} level {event.level_name:<10} {places}"


def _rgb(colour: Colour) -> str:
    return "rgb({},{},{})".format(*colour)


def _ink(colour: Colour) -> str:
    """Black or white, whichever reads better on a colour (its relative luminance, after WCAG 2)."""
    red, green, blue = (part / 255 for part in colour)
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.35 else "white"
