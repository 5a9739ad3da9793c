"""The units of a country: codes, names, borders, outlines and what they were called before."""

from streams.geography.units import Unit, unit_named, vietnam

__all__ = ["Unit", "unit_named", "vietnam"]
