"""From hour bins to what is said about an hour or a day: the standard's averages, sub-indices and index."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streams.contents import PARTICLES, Content, rounded
from streams.hourly_means import HourlyMeans
from streams.indices import Average, Bank, Column, Standard
from streams.indices.averaging import (
    NOWCAST_HOURS,
    max_1h_of_day,
    max_8h_of_day,
    mean_from,
    mean_of,
    means_of,
    nowcast,
    sums_of,
)
from streams.schemas import POLLUTANTS
from streams.screening.hours import take_out
from streams.windows import HourBins

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WINDOW_HOURS = 24
"""Hours that the content of an hour is made of: the trailing 24 h mean is the longest average."""

HOURS_BEFORE_DAY = 7
"""Hours before a day that its 8-hour windows reach back."""

HOUR_COMPLETENESS = 0.75
"""Share of an hour that must be covered for its mean to be valid: 9 of 12 five-minute values. The Vietnamese rules
that were read name none; 75 % is the usual one."""


@dataclass
class Window:
    """The 24 hours up to one, oldest first, of ``m`` stations.

    Attributes:
        means: ``(24, m, 6)`` hourly means as measured, µg/m³, NaN = missing.
        minutes: ``(2, m, 6) uint8`` covered minutes of the latest two.
        verdicts: ``(24, m, 6) uint8`` what screening said about each hour.
        total / there: ``(m, 6)`` the sum of ``means``, oldest first, and how many there are.
    """

    means: Floats
    minutes: NDArray[np.uint8]
    verdicts: NDArray[np.uint8]
    total: Floats
    there: NDArray[np.int8]


class Statistics:
    """Computes contents for one standard.

    Every step works on columns of stations, hour by hour in a fixed order, so that the result for a station does not
    depend on which others are computed with it.

    Args:
        hour_completeness: share of an hour that must be covered for its mean to be valid; in minutes: ``needed``.
        particle_means: state the mean of the hour of fine and coarse particles too, for levels defined on it.
    """

    def __init__(
        self, standard: Standard, hour_completeness: float = HOUR_COMPLETENESS, *, particle_means: bool = False
    ) -> None:
        self.standard = standard
        self._particle_means = particle_means
        self.needed = math.ceil(60 * hour_completeness)
        self._share = hour_completeness
        hourly = [(POLLUTANTS.index(name), *use) for name in POLLUTANTS for use in standard.hourly.get(name, ())]
        self._uses = [(place, average) for place, average, _ in hourly]
        self._places = [place for place, _ in self._uses]
        self._bank = Bank([standard.column_of_key(key) for _, _, key in hourly])
        particles = [(number, standard.column(name, "24h")) for number, name in enumerate(PARTICLES)]
        self._trailing_of = [number for number, column in particles if column is not None]
        self._trailing_bank = Bank([column for _, column in particles if column is not None])

    def window(self, bins: HourBins, hourly: HourlyMeans, hour: int, rows: Ints | slice, elapsed: int = 60) -> Window:
        """The hours that the content of ``hour`` is made of, for the stations ``rows``.

        Args:
            elapsed: minutes of the hour that have passed; below 60 the hour is open, and its mean is valid when it
                covers the usual share of what has passed.
        """
        first = hour - WINDOW_HOURS + 1
        means = hourly.means(first, hour, rows)
        if elapsed < 60:
            means[-1] = hourly.open_hour(hour, max(1, math.ceil(elapsed * self._share)), rows)
        sums = sums_of(means) if elapsed < 60 else hourly.sums(first, hour, rows)
        return Window(means, hourly.minutes(hour - 1, hour, rows), bins.verdicts(first, hour, rows), *sums)

    def hour(self, window: Window) -> Content:
        """The content of one hour. Hours that screening takes out count as missing; uses the window up."""
        raw, verdicts = window.means[-1].copy(), window.verdicts[-1]
        means = window.means
        changed = take_out(window.verdicts, means)
        if len(changed[0]):
            window.total[changed], window.there[changed] = sums_of(means[:, *changed])
        trailing = mean_from(window.total, window.there, self.standard.hours_of_24)
        concentration, exact = self._hourly_values(means, trailing)
        content = self._content(POLLUTANTS, concentration, exact, trailing, window.minutes[-1:])
        if self._particle_means:
            particles = [POLLUTANTS.index(pollutant) for pollutant in PARTICLES]
            content = replace(content, means=rounded(means[-1][:, particles]))
        if not verdicts.any():
            return content
        return replace(content, suspect=verdicts, withheld=rounded(np.where(np.isnan(means[-1]), raw, np.nan)))

    def day(self, bins: HourBins, hourly: HourlyMeans, last: int, hours: int, rows: Ints | slice) -> Content:
        """The content of the day of ``hours`` hours (24; 23 or 25 where clocks change) that ends with hour ``last``."""
        span = hours + HOURS_BEFORE_DAY
        minutes = hourly.minutes(last - span + 1, last, rows)
        means = hourly.means(last - span + 1, last, rows)
        take_out(bins.verdicts(last - span + 1, last, rows), means)
        columns = [self.standard.column_of_key(key) for key in self.standard.daily]
        concentration = np.stack([self._daily_value(column, means, hours) for column in columns], axis=1)
        exact = np.full((means.shape[1], len(POLLUTANTS)), np.nan)
        for number, column in enumerate(columns):
            place = POLLUTANTS.index(column.pollutant)
            exact[:, place] = np.fmax(exact[:, place], column.exact(concentration[:, number] * column.per_ug_m3))
        trailing = means_of(means[-WINDOW_HOURS:], self.standard.hours_of_24)
        return self._content(self.standard.daily, concentration, exact, trailing, minutes[-hours:])

    def _hourly_values(self, means: Floats, trailing: Floats) -> tuple[Floats, Floats]:
        """Concentration and exact sub-index of every pollutant, ``(m, 6)`` each; of several columns the highest.

        ``trailing``: ``(m, 6)`` means of the 24 hours.
        """
        values = np.stack(
            [self._average(average, means[:, :, place], trailing[:, place]) for place, average in self._uses]
        )
        subs = self._bank.exact(values)
        concentration = np.full((len(POLLUTANTS), means.shape[1]), np.nan)
        exact = np.full(concentration.shape, np.nan)
        for number, place in enumerate(self._places):
            value, sub = values[number], subs[number]
            if place in self._places[:number]:
                higher = (sub > exact[place]) | (np.isnan(exact[place]) & ~np.isnan(sub))
                np.copyto(concentration[place], value, where=higher)
                np.copyto(exact[place], sub, where=higher)
            else:
                exact[place] = sub
                concentration[place] = np.where(np.isnan(sub), np.nan, value)
        return concentration.T, exact.T

    def _average(self, average: Average, hours: Floats, trailing: Floats) -> Floats:
        """An average of ``(24, m)`` hourly means, oldest first. ``trailing``: their 24-hour means."""
        if average is Average.HOUR:
            latest: Floats = hours[-1]
            return latest
        if average is Average.NOWCAST:
            return nowcast(hours[-NOWCAST_HOURS:].T)
        return mean_of(hours[-8:].T, self.standard.hours_of_8) if average is Average.TRAILING_8H else trailing

    def _daily_value(self, column: Column, means: Floats, hours: int) -> Floats:
        series = means[:, :, POLLUTANTS.index(column.pollutant)].T
        needed = self.standard.hours_of_24 * hours // 24
        average = column.averagings[0]
        if average == "24h":
            return mean_of(series[:, -hours:], needed)
        if average == "8h":
            return max_8h_of_day(series, needed, self.standard.hours_of_8)
        return max_1h_of_day(series[:, -hours:], needed)

    def _content(
        self, keys: tuple[str, ...], concentration: Floats, exact: Floats, means_24h: Floats, minutes: NDArray[np.uint8]
    ) -> Content:
        index, dominant = self.standard.combine(exact)
        trailing, index_24h = self._trailing(means_24h)
        return Content(
            keys=keys,
            index=index,
            dominant=dominant,
            sub=self.standard.rounding.apply(exact),
            concentration=rounded(concentration),
            trailing=trailing,
            index_24h=index_24h,
            completeness=rounded(minutes.sum(axis=0, dtype=np.int64) / (60.0 * len(minutes))),
            suspect=np.zeros(exact.shape, np.uint8),
            withheld=np.full(exact.shape, np.nan),
        )

    def _trailing(self, means_24h: Floats) -> tuple[Floats, Floats]:
        """Trailing 24 h means of the particles that have a column for them, and the index of the worse one."""
        trailing = np.full((len(means_24h), len(PARTICLES)), np.nan)
        for number in self._trailing_of:
            trailing[:, number] = means_24h[:, POLLUTANTS.index(PARTICLES[number])]
        exact = self._trailing_bank.exact(trailing[:, self._trailing_of].T)
        return rounded(trailing), self.standard.rounding.apply(np.fmax.reduce(exact, axis=0, initial=np.nan))
