"""Charts of a report: SVG text, drawn without a browser or a network.

Colours run from light to dark, so that they can be told apart in grey and with any colour vision; levels carry their
number as well, unknown stretches a question mark, and what the reference calls an event an outline.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import altair as alt
import vl_convert

from airshed.backtesting.tallies import UNKNOWN
from airshed.backtesting.timeline import Course, Stretch

LEVEL_COLOURS = ("#fec287", "#f1605d", "#9f2f7f", "#3b0f70", "#1d1147")
"""Of the first to the fifth level: magma, from light to dark."""

CLASS_COLOURS = ("#fdea9b", "#dcc969", "#b8a96d", "#918a76", "#6d6e78", "#4a5272", "#233c6f", "#00224e")
"""Of concentrations, lowest first: cividis, from light to dark."""

LINE_COLOURS = ["#00224e", "#c86a00"]
UNKNOWN_COLOUR = "#e3e3e3"
ROW = 17
WIDTH = 860
_DARK_FROM = 3  # level number from which a white digit reads better
_DIGIT_PIXELS = 9
MOST_LABELS = 16
NAME_PIXELS = 6  # of a letter at the axis' size
_UNSPOKEN = ("grown", "eased")  # transitions that come in rows: a thin line, no word
Drawing = alt.LayerChart | alt.FacetChart
_FONT = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"


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


@dataclass(frozen=True)
class Series:
    """A line of an episode's chart: (local time, µg/m³)."""

    name: str
    points: Sequence[tuple[datetime, float]]


def level_strip(course: Course, legend: Legend, title: str) -> str:
    """The level of each province's episode over time."""
    found = list(course.stretches(course.levels, without=0))
    names = dict(enumerate(legend.level_names(), start=1))
    if any(stretch.value == UNKNOWN for stretch in found):
        names[UNKNOWN] = "? unknown"
    colours = {name: _level_colour(level) for level, name in names.items()}
    rows = [_row(stretch, legend) | {"what": names[stretch.value]} for stretch in found]
    per_pixel = (course.edges[-1] - course.edges[0]) / WIDTH
    digits = [
        _row(stretch, legend)
        | {
            "text": "?" if stretch.value == UNKNOWN else str(stretch.value),
            "ink": "#ffffff" if stretch.value >= _DARK_FROM else "#222222",
            "middle": _ms(stretch.start + (stretch.end - stretch.start) / 2),
        }
        for stretch in found
        if stretch.end - stretch.start >= _DIGIT_PIXELS * per_pixel
    ]
    ink = alt.Color("ink:N", scale=None)
    text = _base(digits, legend).mark_text(fontSize=10).encode(x=_x("middle", course), text="text:N", color=ink)
    boxes = _boxes(rows, course, legend, colours)
    chart = alt.layer(_background(course, legend), boxes, text, _outline(course, legend))
    return _svg(_sized(chart.resolve_scale(color="independent"), legend, title))


def median_strip(course: Course, legend: Legend, title: str) -> str:
    """The observed median of each province over time."""
    names = legend.class_names()
    colours = dict(zip(names, _spread(CLASS_COLOURS, len(names)), strict=True))
    rows = [
        _row(stretch, legend) | {"what": names[stretch.value]}
        for stretch in course.stretches(course.classes, without=-1)
    ]
    chart = alt.layer(_background(course, legend), _boxes(rows, course, legend, colours), _outline(course, legend))
    return _svg(_sized(chart, legend, title))


def lines(
    series: Sequence[Series],
    level: float,
    moments: Sequence[tuple[datetime, str]],
    span: tuple[datetime, datetime],
    legend: Legend,
    title: str,
) -> str:
    """Concentrations over an episode, the reference's level, and the moments of its transitions."""
    x = _time("time", *span)
    names = [one.name for one in series]
    dotted = alt.Chart(alt.InlineData(values=[{"value": level}])).mark_rule(color="#777", strokeDash=[2, 3])
    upright = [_moments([m for m in moments if (m[1] in _UNSPOKEN) == silent], x, silent) for silent in (True, False)]
    parts = alt.layer(_curves(series, names, x, _margin(legend)), dotted.encode(y="value:Q"))
    layers = alt.layer(parts, *upright).resolve_scale(y="independent")
    drawing: Drawing = layers.properties(width=WIDTH, height=170, title=title)
    return _svg(drawing)


def _curves(series: Sequence[Series], names: list[str], x: alt.X, margin: int) -> alt.Chart:
    """Lines that differ in colour and in dash; a gap where nothing is known."""
    points = [
        {"time": _ms(time), "value": None if value != value else round(value, 1), "what": one.name}
        for one in series
        for time, value in one.points
    ]
    legend = alt.Legend(title=None, orient="top")
    colour = alt.Color("what:N", scale=alt.Scale(domain=names, range=LINE_COLOURS), legend=legend)
    dash = alt.StrokeDash("what:N", scale=alt.Scale(domain=names, range=[[1, 0], [4, 2]]))
    y = alt.Y("value:Q", title=None, axis=alt.Axis(minExtent=margin, maxExtent=margin))
    line = alt.Chart(alt.InlineData(values=points)).mark_line(strokeWidth=1.8, invalid="break-paths-filter-domains")
    chart: alt.Chart = line.encode(x=x, y=y, strokeDash=dash, color=colour)
    return chart


def _moments(moments: Sequence[tuple[datetime, str]], x: alt.X, silent: bool) -> Drawing:
    """Upright lines, with their words at three heights in turn so that neighbours can be read."""
    marks = [
        {"time": _ms(time), "text": "" if silent else text, "height": number % 3}
        for number, (time, text) in enumerate(moments)
    ]
    chart = alt.Chart(alt.InlineData(values=marks))
    words = chart.mark_text(align="left", dx=3, fontSize=10, color="#6b1d57")
    height = alt.Y("height:Q", scale=alt.Scale(domain=[0, 12], reverse=True), axis=None)
    rule = chart.mark_rule(color="#d3b3c9" if silent else "#9f2f7f").encode(x=x)
    return alt.layer(rule, words.encode(x=x, y=height, text="text:N"))


def _level_colour(level: int) -> str:
    return UNKNOWN_COLOUR if level == UNKNOWN else LEVEL_COLOURS[min(level, len(LEVEL_COLOURS)) - 1]


def _spread(colours: Sequence[str], number: int) -> list[str]:
    """So many colours, from the first to the last."""
    last = len(colours) - 1
    return [colours[round(position * last / max(number - 1, 1))] for position in range(number)]


def _row(stretch: Stretch, legend: Legend) -> dict[str, Any]:
    return {"province": legend.provinces[stretch.column], "start": _ms(stretch.start), "end": _ms(stretch.end)}


def _ms(local: datetime) -> int:
    """Wall-clock time as the axis wants it: shown as if it were UTC."""
    return round((local - datetime(1970, 1, 1)) / timedelta(milliseconds=1))  # noqa: DTZ001 - wall-clock time


def _time_axis(first: datetime, last: datetime) -> alt.Axis:
    """A tick at midnight of every day, or of every second, third … so that the labels do not touch."""
    days = (last.date() - first.date()).days + 1
    every = -(-days // MOST_LABELS)
    midnights = [datetime.combine(first.date() + timedelta(days=n), datetime.min.time()) for n in range(0, days, every)]
    ticks = [_ms(midnight) for midnight in midnights if first <= midnight <= last]
    return alt.Axis(title=None, values=ticks, format="%-d %b", grid=False)


def _x(field: str, course: Course) -> alt.X:
    return _time(field, course.edges[0], course.edges[-1])


def _time(field: str, first: datetime, last: datetime) -> alt.X:
    scale = alt.Scale(type="utc", domain=[_ms(first), _ms(last)], nice=False)
    return alt.X(f"{field}:T", scale=scale, axis=_time_axis(first, last))


def _base(rows: Sequence[dict[str, Any]], legend: Legend) -> alt.Chart:
    names = list(legend.provinces)
    axis = alt.Axis(minExtent=_margin(legend), maxExtent=_margin(legend))
    y = alt.Y("province:N", sort=names, title=None, scale=alt.Scale(domain=names), axis=axis)
    chart: alt.Chart = alt.Chart(alt.InlineData(values=list(rows))).encode(y=y)
    return chart


def _rects(stretches: Sequence[dict[str, Any]], course: Course, legend: Legend, **style: Any) -> alt.Chart:
    chart: alt.Chart = _base(stretches, legend).mark_rect(**style).encode(x=_x("start", course), x2="end")
    return chart


def _background(course: Course, legend: Legend) -> alt.Chart:
    first, last = course.edges[0], course.edges[-1]
    whole = [_row(Stretch(number, first, last, 0), legend) for number in range(len(legend.provinces))]
    return _rects(whole, course, legend, color="#fafafa", stroke="#e8e8e8")


def _boxes(rows: Sequence[dict[str, Any]], course: Course, legend: Legend, colours: dict[str, str]) -> alt.Chart:
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    colour = alt.Color("what:N", scale=scale, legend=alt.Legend(title=None, orient="top"))
    chart: alt.Chart = _rects(rows, course, legend).encode(color=colour)
    return chart


def _outline(course: Course, legend: Legend) -> alt.Chart:
    rows = [_row(stretch, legend) for stretch in course.stretches(course.reference, without=0)]
    return _rects(rows, course, legend, filled=False, stroke="#111", strokeWidth=1.1)


def _margin(legend: Legend) -> int:
    """Pixels for the names at the left, the same in every chart of a page, so that hours stand below each other."""
    return round(min(max(len(name) for name in legend.provinces) * NAME_PIXELS + 10, 150))


def _sized(chart: Drawing, legend: Legend, title: str) -> Drawing:
    sized: Drawing = chart.properties(width=WIDTH, height=ROW * len(legend.provinces), title=title)
    return sized


def _svg(chart: Drawing) -> str:
    """Without roles and labels on every mark, which would be most of its size; the figure has a text of its own."""
    plain = chart.configure(font=_FONT, aria=False, background="transparent", padding=2)
    titled = plain.configure_title(anchor="start", fontSize=12, fontWeight="normal", color="#444")
    svg: str = vl_convert.vegalite_to_svg(titled.configure_view(stroke=None).to_dict())
    return _responsive(svg)


def _responsive(svg: str) -> str:
    """As wide as the page allows: the size stays in the viewBox alone. Numbers lose decimals that nobody sees."""
    svg = re.sub(r'(<svg[^>]*?) width="[\d.]+" height="[\d.]+"', r"\1", svg, count=1)
    return re.sub(r"(\d+\.\d\d)\d+", r"\1", svg)
