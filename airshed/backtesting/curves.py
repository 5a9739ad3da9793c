"""The line chart of a spell: concentrations, the reference's level, and the transitions of the episode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import altair as alt

from airshed.backtesting.drawing import Drawing, Sheet, milliseconds, time_axis

HEIGHT = 170
COLOURS = ["#00224e", "#c86a00"]
_UNSPOKEN = ("grown", "eased")
"""Transitions that come in rows: a thin line, no word."""


@dataclass(frozen=True)
class Series:
    """A line: (local time, µg/m³), NaN = unknown."""

    name: str
    points: Sequence[tuple[datetime, float]]


@dataclass(frozen=True)
class Frame:
    """What lines are drawn in.

    Attributes:
        span: first and last moment.
        margin: pixels at the left, so that hours stand below those of the strips.
    """

    span: tuple[datetime, datetime]
    margin: int
    title: str


def lines(series: Sequence[Series], level: float, moments: Sequence[tuple[datetime, str]], frame: Frame) -> str:
    """Concentrations over a spell. ``level``: of the reference, µg/m³; ``moments``: transitions with their words."""
    sheet = Sheet()
    dotted = sheet.chart([{"value": level}]).mark_rule(color="#777", strokeDash=[2, 3]).encode(y="value:Q")
    silent = [moment for moment in moments if moment[1] in _UNSPOKEN]
    spoken = [moment for moment in moments if moment[1] not in _UNSPOKEN]
    curves = alt.layer(_curves(sheet, series, frame), dotted)
    upright = [_moments(sheet, silent, frame, "#d3b3c9", words=False), _moments(sheet, spoken, frame, "#9f2f7f")]
    layers = alt.layer(curves, *upright).resolve_scale(y="independent")
    return sheet.svg(layers, frame.title, HEIGHT)


def _curves(sheet: Sheet, series: Sequence[Series], frame: Frame) -> alt.Chart:
    """Lines that differ in colour and in dash; a gap where nothing is known."""
    names = [one.name for one in series]
    points = [
        {"time": milliseconds(time), "value": None if value != value else round(value, 1), "what": one.name}
        for one in series
        for time, value in one.points
    ]
    legend = alt.Legend(title=None, orient="top")
    colour = alt.Color("what:N", scale=alt.Scale(domain=names, range=COLOURS), legend=legend)
    dash = alt.StrokeDash("what:N", scale=alt.Scale(domain=names, range=[[1, 0], [4, 2]]))
    y = alt.Y("value:Q", title=None, axis=alt.Axis(minExtent=frame.margin, maxExtent=frame.margin))
    line = sheet.chart(points).mark_line(strokeWidth=1.8, invalid="break-paths-filter-domains")
    chart: alt.Chart = line.encode(x=time_axis("time", *frame.span), y=y, strokeDash=dash, color=colour)
    return chart


def _moments(
    sheet: Sheet, moments: Sequence[tuple[datetime, str]], frame: Frame, colour: str, *, words: bool = True
) -> Drawing:
    """Upright lines, with their words at three heights in turn so that neighbours can be read."""
    marks = [
        {"time": milliseconds(time), "text": text if words else "", "height": number % 3}
        for number, (time, text) in enumerate(moments)
    ]
    chart = sheet.chart(marks)
    x = time_axis("time", *frame.span)
    height = alt.Y("height:Q", scale=alt.Scale(domain=[0, 12], reverse=True), axis=None)
    text = chart.mark_text(align="left", dx=3, fontSize=10, color="#6b1d57").encode(x=x, y=height, text="text:N")
    return alt.layer(chart.mark_rule(color=colour).encode(x=x), text)
