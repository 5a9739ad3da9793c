"""Thresholds of screening, by station class and pollutant. Concentrations in µg/m³, CO included."""

from __future__ import annotations

import msgspec

from streams.schemas import POLLUTANTS


class PollutantLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one pollutant may look like at one class of station. ``None`` turns a check off.

    Attributes:
        lowest / highest: range of a single value; beyond it the value is rejected.
        full_scale: numbers that the instrument writes, exactly, when something in it has failed.
        spike_factor / spike_rise: a single value is a spike when it is more than ``spike_factor`` times the level
            around it AND more than ``spike_rise`` above it, and the next value has returned.
        flat_floor: below this, equal hours are what clean air at the resolution of the instrument looks like.
        dip_floor: a periodic dip is looked for only where the hours around it are at least this high.
    """

    lowest: float
    highest: float
    full_scale: tuple[float, ...] = ()
    spike_factor: float = 3.0
    spike_rise: float | None = None
    flat_floor: float | None = None
    dip_floor: float | None = None

    def __post_init__(self) -> None:
        if not self.lowest < self.highest:
            raise ValueError("lowest must lie below highest")
        if self.spike_factor < 1 or (self.spike_rise is not None and self.spike_rise <= 0):
            raise ValueError("spike_factor must be at least 1 and spike_rise above 0")


_BAM_FULL_SCALE = (985.0, 999.0, 1000.0)
"""Beta-attenuation monitors write their full scale, 985 or 1000, when a critical parameter fails; 999 is the common
three-digit form of it in loggers. A real 985 is lost; it would be one value of an hour."""


class ClassLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of a class of station; the defaults are those of reference instruments.

    * PM range: -15 is instrument noise around zero and is kept, or means would be biased; PM2.5 to 1000 and PM10 to
      2000 is what the instruments can measure.
    * Gas range: noise below zero; the upper end is about twice the highest breakpoint of VN_AQI's hourly table.
    * ``flat_floor``: PM monitors report whole µg/m³, and three of them can stand still in clean air. Gases change in
      steps of one part per billion (2-3 µg/m³) and stay at a few steps for whole nights, hence about ten steps. CO
      comes in tenths of a mg/m³ and is the smoothest of all: half a day within one step is ordinary at fifteen
      steps (385 such hours in eight days of a recording, all of them air), so fifty are asked for.
    * ``dip_floor``: a fall to a quarter of the hours around must be more than a few steps of resolution.
    * ``spike_rise`` of PM: 150 µg/m³ is more than burning next door adds to one five-minute value and not to the
      next. Gases do rise and fall within minutes beside a road or under a plume, so they are not looked at.
    """

    pm25: PollutantLimits = PollutantLimits(
        lowest=-15, highest=1_000, full_scale=_BAM_FULL_SCALE, spike_rise=150, flat_floor=3, dip_floor=20
    )
    pm10: PollutantLimits = PollutantLimits(
        lowest=-15, highest=2_000, full_scale=_BAM_FULL_SCALE, spike_rise=150, flat_floor=3, dip_floor=30
    )
    o3: PollutantLimits = PollutantLimits(lowest=-20, highest=1_600, flat_floor=20, dip_floor=40)
    no2: PollutantLimits = PollutantLimits(lowest=-20, highest=4_000, flat_floor=20, dip_floor=40)
    so2: PollutantLimits = PollutantLimits(lowest=-20, highest=5_500, flat_floor=25, dip_floor=40)
    co: PollutantLimits = PollutantLimits(lowest=-1_000, highest=200_000, flat_floor=5_000, dip_floor=2_000)
    pair_factor: float = 1.1
    pair_offset: float | None = 5.0

    def of_pollutants(self) -> list[PollutantLimits]:
        """In the order of ``POLLUTANTS``."""
        return [getattr(self, name) for name in POLLUTANTS]


def _low_cost() -> ClassLimits:
    """Optical sensors: no noise below zero, no full-scale code, saturated near 1000; PM10 is computed from the same
    signal as PM2.5, so that the two say little about each other; their short values are noisier."""
    return ClassLimits(
        pm25=PollutantLimits(lowest=0, highest=1_000, spike_rise=200, flat_floor=3, dip_floor=20),
        pm10=PollutantLimits(lowest=0, highest=1_000, spike_rise=200, flat_floor=3, dip_floor=30),
    )


class NeighbourLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The buddy check, on the hourly index. A station is lonely in an hour when it differs from the mean of the
    stations around it by more than ``threshold`` standard deviations of theirs; it is suspect when it has been so,
    on the same side, for ``hours`` on end.

    Attributes:
        radius_km: half of the 50-100 km over which hourly PM in one basin goes together, so that a border of the
            air mass seldom runs between a station and most of those around it.
        num_min: neighbours with a value that are needed; of fewer, one wrong one makes the mean wrong.
        min_std: the standard deviation counts as at least this, in index points, or neighbours that happen to agree
            would make everybody else an outlier. With ``threshold`` 4 a station differs by 100 points or more.
        hours: the first station that a plume or a fire reaches is lonely too, but not for long: at 1 m/s a plume has
            crossed the radius in 14 hours and most of the neighbours long before, and a fire burns down.
            Only what is lonely for longer than that is the instrument, or the place where it stands.
    """

    enabled: bool = True
    radius_km: float = 50.0
    num_min: int = 5
    threshold: float = 4.0
    min_std: float = 25.0
    hours: int = 12

    def __post_init__(self) -> None:
        if self.radius_km <= 0 or self.num_min < 2 or self.threshold <= 0 or self.min_std <= 0 or self.hours < 1:
            raise ValueError("neighbours: radius_km, threshold, min_std and hours above 0, num_min at least 2")


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All thresholds of screening; ``[screening]`` of the configuration.

    Attributes:
        missing_codes: numbers that stand for "no value" whatever the pollutant: -999 and -9999 in public archives.
        longest_period_s: an hour; a longer mean says nothing about any single hour.
        reference / low_cost: by station class.
        neighbours: stations against each other.
    """

    missing_codes: tuple[float, ...] = (-9999.0, -999.0)
    longest_period_s: int = 3600
    reference: ClassLimits = ClassLimits()
    low_cost: ClassLimits = msgspec.field(default_factory=_low_cost)
    neighbours: NeighbourLimits = NeighbourLimits()

    def of_class(self, station_class: str) -> ClassLimits:
        """The limits of a ``station_class`` of the registry."""
        return self.low_cost if station_class == "low-cost" else self.reference
