"""What is said about stations for one hour or one day, as columns, and the records made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.schemas import POLLUTANTS

Floats = NDArray[np.float64]

CONCENTRATION_DECIMALS = 4
PARTICLES = ("pm25", "pm10")

_PRIME = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)


@dataclass(frozen=True)
class Content:
    """What is said about ``m`` stations; all numbers whole or rounded, NaN = none.

    Attributes:
        keys: names of the concentration columns, ``k`` of them.
        index: ``(m,)`` whole indices.
        dominant: ``(m,) int8`` position in ``POLLUTANTS``, -1 for none.
        sub: ``(m, 6)`` whole sub-indices.
        concentration: ``(m, k)`` µg/m³, four decimals.
        trailing: ``(m, 2)`` trailing 24 h means of ``PARTICLES``, µg/m³, four decimals.
        index_24h: ``(m,)`` whole indices of ``trailing``.
        completeness: ``(m, 6)`` covered share of the hour or day, 0–1, four decimals.
        suspect: ``(m, 6) uint8`` verdict of screening on this hour (``streams.screening.Suspicion``), 0 = none.
        withheld: ``(m, 6)`` means of this hour that were not counted, µg/m³, four decimals.
        means: ``(m, 2)`` means of this hour of ``PARTICLES``, µg/m³, four decimals; ``None`` where no level looks.
    """

    keys: tuple[str, ...]
    index: Floats
    dominant: NDArray[np.int8]
    sub: Floats
    concentration: Floats
    trailing: Floats
    index_24h: Floats
    completeness: Floats
    suspect: NDArray[np.uint8]
    withheld: Floats
    means: Floats | None = None

    def take(self, rows: NDArray[np.intp]) -> Content:
        """The content of the chosen stations."""
        parts = {name: getattr(self, name)[rows] for name in self.__dataclass_fields__ if name not in ("keys", "means")}
        return Content(keys=self.keys, means=None if self.means is None else self.means[rows], **parts)

    def checksum(self) -> NDArray[np.uint32]:
        """``(m,) uint32``: equal for equal content. A change goes unseen once in four thousand million."""
        columns = [self.index, self.dominant, *self.sub.T, self.index_24h]
        columns += [c * 1e4 for part in self._parts() for c in part.T]
        mixed = np.full(len(self.index), _PRIME)
        for column in columns:
            whole = np.rint(np.where(np.isnan(column), -1e15, column)).astype(np.int64).view(np.uint64)
            mixed = (mixed ^ whole) * _PRIME
            mixed ^= mixed >> _SHIFT
        if self.suspect.any():
            # A station without a verdict keeps the checksum of its numbers.
            verdicts = self.suspect.astype(np.uint64) << (np.arange(len(POLLUTANTS), dtype=np.uint64) * np.uint64(8))
            together = np.bitwise_or.reduce(verdicts, axis=1)
            remixed = (mixed ^ together) * _PRIME
            mixed = np.where(together > 0, remixed ^ (remixed >> _SHIFT), mixed)
        return mixed.astype(np.uint32)

    def _parts(self) -> list[Floats]:
        parts = [self.concentration, self.trailing, self.completeness]
        return parts if self.means is None else [*parts, self.means]


def rounded(values: Floats) -> Floats:
    """Concentrations as they are published: the floats nearest to four decimals."""
    scale = 10.0**CONCENTRATION_DECIMALS
    result: Floats = np.rint(values * scale) / scale
    return result
