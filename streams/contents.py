"""What is said about stations for one hour or one day, as columns, and the records made of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streams.schemas import POLLUTANTS

Floats = NDArray[np.float64]

CONCENTRATION_DECIMALS = 4
PARTICLES = ("pm25", "pm10")

_SHIFT = np.uint64(32)
_SEED = 1459  # any; but state that was written with one is compared with what is computed with it


@dataclass(frozen=True, kw_only=True)
class Grounds:
    """What provinces are judged by, of ``m`` stations; all numbers whole or rounded, NaN = none.

    Attributes:
        index: ``(m,)`` whole indices.
        trailing: ``(m, 2)`` trailing 24 h means of ``PARTICLES``, µg/m³, four decimals.
        index_24h: ``(m,)`` whole indices of ``trailing``.
        means: ``(m, 2)`` means of this hour of ``PARTICLES``, µg/m³, four decimals; ``None`` where no level looks.
    """

    index: Floats
    trailing: Floats
    index_24h: Floats
    means: Floats | None = None


@dataclass(frozen=True, kw_only=True)
class Content(Grounds):
    """What is said about ``m`` stations.

    Attributes:
        keys: names of the concentration columns, ``k`` of them.
        dominant: ``(m,) int8`` position in ``POLLUTANTS``, -1 for none.
        sub: ``(m, 6)`` whole sub-indices.
        concentration: ``(m, k)`` µg/m³, four decimals.
        completeness: ``(m, 6)`` covered share of the hour or day, 0–1, four decimals.
        suspect: ``(m, 6) uint8`` verdict of screening on this hour (``streams.screening.Suspicion``), 0 = none.
        withheld: ``(m, 6)`` means of this hour that were not counted, µg/m³, four decimals.
    """

    keys: tuple[str, ...]
    dominant: NDArray[np.int8]
    sub: Floats
    concentration: Floats
    completeness: Floats
    suspect: NDArray[np.uint8]
    withheld: Floats

    def grounds(self) -> Grounds:
        """The part that provinces are judged by: a sixth of the numbers."""
        return Grounds(index=self.index, trailing=self.trailing, index_24h=self.index_24h, means=self.means)

    def take(self, rows: NDArray[np.intp]) -> Content:
        """The content of the chosen stations."""
        parts = {name: getattr(self, name)[rows] for name in self.__dataclass_fields__ if name not in ("keys", "means")}
        return Content(keys=self.keys, means=None if self.means is None else self.means[rows], **parts)

    def checksum(self) -> NDArray[np.uint32]:
        """``(m,) uint32``: equal for equal content. A change goes unseen once in four thousand million.

        The upper half of a sum of whole numbers, each times an odd number of its own, modulo 2⁶⁴ (multilinear
        hashing, Dietzfelbinger 1996). Such a sum is the same in whatever order it is added.
        """
        single = np.stack((self.index, self.dominant, self.index_24h), axis=1)
        numbers: Floats = np.concatenate((single, self.sub, *(part * 1e4 for part in self._parts())), axis=1)
        numbers[np.isnan(numbers)] = -1e15
        whole = np.rint(numbers, out=numbers).astype(np.int64).view(np.uint64)
        mixed = np.add.reduce(whole * _odd(whole.shape[1]), axis=1)
        if self.suspect.any():
            # A station without a verdict keeps the checksum of its numbers.
            mixed += np.add.reduce(self.suspect * _odd(2 * whole.shape[1])[-len(POLLUTANTS) :], axis=1)
        upper: NDArray[np.uint32] = (mixed >> _SHIFT).astype(np.uint32)
        return upper

    def _parts(self) -> list[Floats]:
        parts = [self.concentration, self.trailing, self.completeness]
        return parts if self.means is None else [*parts, self.means]


@lru_cache(maxsize=8)
def _odd(count: int) -> NDArray[np.uint64]:
    """The first odd numbers of a fixed sequence."""
    return np.random.PCG64(_SEED).random_raw(count) | np.uint64(1)


def rounded(values: Floats) -> Floats:
    """Concentrations as they are published: the floats nearest to four decimals."""
    scale = 10.0**CONCENTRATION_DECIMALS
    result: Floats = np.rint(values * scale) / scale
    return result
