"""What all charts of a report share: their data, their axis of time, and how they become SVG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import altair as alt
import vl_convert

WIDTH = 860
MOST_LABELS = 16
FONT = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"

Drawing = alt.LayerChart | alt.FacetChart
Rows = Sequence[dict[str, Any]]


def prepare() -> None:
    """Start the engine that makes SVG, which takes a second or two: once in a process, by hand or with the first chart.

    While readings are still being read there is time for it.
    """
    vl_convert.vegalite_to_svg({"mark": "point", "data": {"values": []}})


class Sheet:
    """The data of one chart, beside its specification: Altair copies and checks what is inside it many times over."""

    def __init__(self) -> None:
        self._data: dict[str, Rows] = {}

    def chart(self, rows: Rows) -> alt.Chart:
        """A chart of these rows."""
        name = f"rows{len(self._data)}"
        self._data[name] = rows
        return alt.Chart(alt.NamedData(name=name))

    def svg(self, chart: Drawing, title: str, height: int) -> str:
        """Without roles and labels on every mark, most of its size otherwise; the figure has a text of its own.

        What concerns the whole is added to the finished specification: each method of a chart copies all that is in it.
        """
        specification = chart.to_dict(validate=False)
        config = specification["config"]
        config |= {"font": FONT, "aria": False, "background": "transparent", "padding": 2}
        config["title"] = {"anchor": "start", "fontSize": 12, "fontWeight": "normal", "color": "#444"}
        config["view"] |= {"stroke": None}
        specification |= {"width": WIDTH, "height": height, "title": title, "datasets": self._data}
        svg: str = vl_convert.vegalite_to_svg(specification)
        return _responsive(svg)


def milliseconds(local: datetime) -> int:
    """Wall-clock time as the axis wants it: shown as if it were UTC."""
    return round((local - datetime(1970, 1, 1)) / timedelta(milliseconds=1))  # noqa: DTZ001 - wall-clock time


def time_axis(field: str, first: datetime, last: datetime) -> alt.X:
    """Wall-clock time from left to right."""
    scale = alt.Scale(type="utc", domain=[milliseconds(first), milliseconds(last)], nice=False)
    axis = alt.Axis(title=None, values=_midnights(first, last), format="%-d %b", grid=False)
    return alt.X(f"{field}:T", scale=scale, axis=axis)


def _midnights(first: datetime, last: datetime) -> list[int]:
    """Of every day, or of every second, third … so that the labels do not touch."""
    days = (last.date() - first.date()).days + 1
    every = -(-days // MOST_LABELS)
    midnights = [datetime.combine(first.date() + timedelta(days=n), datetime.min.time()) for n in range(0, days, every)]
    return [milliseconds(midnight) for midnight in midnights if first <= midnight <= last]


def _responsive(svg: str) -> str:
    """As wide as the page allows: the size stays in the viewBox alone. Numbers lose decimals that nobody sees."""
    svg = re.sub(r'(<svg[^>]*?) width="[\d.]+" height="[\d.]+"', r"\1", svg, count=1)
    return re.sub(r"(\d+\.\d\d)\d+", r"\1", svg)
