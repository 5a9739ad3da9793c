"""Provinces by time as coloured strips: SVG text, drawn without a browser or a network.

Colours run from light to dark, so that they can be told apart in grey and with any colour vision; levels carry their
number as well, unknown stretches a question mark, and what the reference calls an event an outline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from airshed.backtesting.drawing import WIDTH, Drawing, Rows, Sheet, milliseconds, time_axis
from airshed.backtesting.tallies import UNKNOWN
from airshed.backtesting.timeline import Course, Stretch

LEVEL_COLOURS = ("#fec287", "#f1605d", "#9f2f7f", "#3b0f70", "#1d1147")
"""Of the first to the fifth level: magma, from light to dark."""

CLASS_COLOURS = ("#fdea9b", "#dcc969", "#b8a96d", "#918a76", "#6d6e78", "#4a5272", "#233c6f", "#00224e")
"""Of concentrations, lowest first: cividis, from light to dark."""

UNKNOWN_COLOUR = "#e3e3e3"
ROW = 17
NAME_PIXELS = 6  # of a letter at the axis' size
_DARK_FROM = 3  # level number from which a white digit reads better
_DIGIT_PIXELS = 9


@dataclass(frozen=True)
class Legend:
    """Attributes:
    provinces: names, in the order of the columns.
    levels: names, lowest first.
    bounds: upper ends of the concentration classes, µg/m³.
    """

    provinces: Sequence[str]
    levels: Sequence[str]
    bounds: Sequence[float]

    def class_names(self) -> list[str]:
        """``to 25``, ``25–50`` … ``over 350``."""
        inner = [f"{low:g}–{high:g}" for low, high in zip(self.bounds, self.bounds[1:], strict=False)]
        return [f"to {self.bounds[0]:g}", *inner, f"over {self.bounds[-1]:g}"]

    def level_names(self) -> list[str]:
        """``1 watch``, ``2 alert`` …"""
        return [f"{number} {name}" for number, name in enumerate(self.levels, start=1)]

    @property
    def margin(self) -> int:
        """Pixels for the names at the left."""
        return round(min(max(len(name) for name in self.provinces) * NAME_PIXELS + 10, 150))


def level_strip(course: Course, legend: Legend, title: str) -> str:
    """The level of each province's episode over time."""
    strip = _Strip(course, legend)
    found = list(course.stretches(course.levels, without=0))
    names = dict(enumerate(legend.level_names(), start=1))
    if any(stretch.value == UNKNOWN for stretch in found):
        names[UNKNOWN] = "? unknown"
    colours = {name: _level_colour(level) for level, name in names.items()}
    boxes = strip.boxes([strip.row(stretch) | {"what": names[stretch.value]} for stretch in found], colours)
    chart = alt.layer(strip.background(), boxes, strip.digits(found), strip.outline())
    return strip.svg(chart.resolve_scale(color="independent"), title)


def median_strip(course: Course, legend: Legend, title: str) -> str:
    """The observed median of each province over time."""
    strip = _Strip(course, legend)
    names = legend.class_names()
    colours = dict(zip(names, _spread(CLASS_COLOURS, len(names)), strict=True))
    found = course.stretches(course.classes, without=-1)
    boxes = strip.boxes([strip.row(stretch) | {"what": names[stretch.value]} for stretch in found], colours)
    return strip.svg(alt.layer(strip.background(), boxes, strip.outline()), title)


class _Strip:
    """The layers of one strip."""

    def __init__(self, course: Course, legend: Legend) -> None:
        self._course = course
        self._legend = legend
        self._sheet = Sheet()

    def row(self, stretch: Stretch) -> dict[str, Any]:
        """A stretch as the chart wants it."""
        name = self._legend.provinces[stretch.column]
        return {"province": name, "start": milliseconds(stretch.start), "end": milliseconds(stretch.end)}

    def background(self) -> alt.Chart:
        """A pale box for every province."""
        first, last = self._course.edges[0], self._course.edges[-1]
        whole = [self.row(Stretch(number, first, last, 0)) for number in range(len(self._legend.provinces))]
        return self._rects(whole, color="#fafafa", stroke="#e8e8e8")

    def boxes(self, rows: Rows, colours: dict[str, str]) -> alt.Chart:
        """Coloured by ``what``."""
        scale = alt.Scale(domain=list(colours), range=list(colours.values()))
        colour = alt.Color("what:N", scale=scale, legend=alt.Legend(title=None, orient="top"))
        chart: alt.Chart = self._rects(rows).encode(color=colour)
        return chart

    def outline(self) -> alt.Chart:
        """Around what the reference calls an event."""
        found = self._course.stretches(self._course.reference, without=0)
        return self._rects([self.row(stretch) for stretch in found], filled=False, stroke="#111", strokeWidth=1.1)

    def digits(self, found: Sequence[Stretch]) -> alt.Chart:
        """The level's number, where there is room for it."""
        per_pixel = (self._course.edges[-1] - self._course.edges[0]) / WIDTH
        rows = [
            self.row(stretch)
            | {
                "text": "?" if stretch.value == UNKNOWN else str(stretch.value),
                "ink": "#ffffff" if stretch.value >= _DARK_FROM else "#222222",
                "middle": milliseconds(stretch.start + (stretch.end - stretch.start) / 2),
            }
            for stretch in found
            if stretch.end - stretch.start >= _DIGIT_PIXELS * per_pixel
        ]
        ink = alt.Color("ink:N", scale=None)
        chart: alt.Chart = self._base(rows).mark_text(fontSize=10).encode(x=self._x("middle"), text="text:N", color=ink)
        return chart

    def svg(self, chart: Drawing, title: str) -> str:
        """The finished strip."""
        return self._sheet.svg(chart, title, ROW * len(self._legend.provinces))

    def _rects(self, rows: Rows, **style: Any) -> alt.Chart:
        chart: alt.Chart = self._base(rows).mark_rect(**style).encode(x=self._x("start"), x2="end")
        return chart

    def _base(self, rows: Rows) -> alt.Chart:
        names = list(self._legend.provinces)
        axis = alt.Axis(minExtent=self._legend.margin, maxExtent=self._legend.margin)
        y = alt.Y("province:N", sort=names, title=None, scale=alt.Scale(domain=names), axis=axis)
        chart: alt.Chart = self._sheet.chart(rows).encode(y=y)
        return chart

    def _x(self, field: str) -> alt.X:
        return time_axis(field, self._course.edges[0], self._course.edges[-1])


def _level_colour(level: int) -> str:
    return UNKNOWN_COLOUR if level == UNKNOWN else LEVEL_COLOURS[min(level, len(LEVEL_COLOURS)) - 1]


def _spread(colours: Sequence[str], number: int) -> list[str]:
    """So many colours, from the first to the last."""
    last = len(colours) - 1
    return [colours[round(position * last / max(number - 1, 1))] for position in range(number)]
