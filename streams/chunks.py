"""Durable form of the hour bins: one small value per station and ring slot, so that a batch writes what it touched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.schemas import POLLUTANTS

Floats = NDArray[np.float64]

NEVER = 0xFFFF
"""Revision of an hour that nothing was published about."""

_COUNT = len(POLLUTANTS)
_CHUNK = np.dtype(
    [
        ("hour", "<i4"),
        ("revision", "<u2"),
        ("checksum", "<u4"),
        ("sums", "u1", (_COUNT, 6)),
        ("covered", "<u8", (_COUNT,)),
    ]
)
"""94 B; 40 of them are 3 760 B per station with six pollutants."""

_FLAG_SHIFT = np.uint64(60)
_MINUTES = np.uint64((1 << 60) - 1)
"""An hour's mask of minutes leaves four bits of its eight bytes: the verdict of screening lies in them."""

_OFFSET = 1 << 47
"""Sums are stored in 48 bits; instruments near zero report small negative values, hence the offset."""


@dataclass(frozen=True)
class Chunks:
    """Bins of ``n`` station hours.

    Attributes:
        hour: ``(n,)`` hours since 1970.
        revision: ``(n,)`` published revision, ``NEVER`` if none.
        checksum: ``(n,)`` of the published content.
        sums: ``(n, 6) float64``.
        covered: ``(n, 6) uint64``.
        flags: ``(n, 6) uint8``, verdicts of screening, below 16.
    """

    hour: NDArray[np.int64]
    revision: NDArray[np.uint16]
    checksum: NDArray[np.uint32]
    sums: Floats
    covered: NDArray[np.uint64]
    flags: NDArray[np.uint8]


def pack(chunks: Chunks) -> list[bytes]:
    """One value per row."""
    packed = np.zeros(len(chunks.hour), _CHUNK)
    packed["hour"], packed["revision"], packed["checksum"] = chunks.hour, chunks.revision, chunks.checksum
    whole = np.ascontiguousarray(chunks.sums).astype("<i8") + _OFFSET
    packed["sums"] = whole.view("u1").reshape(-1, _COUNT, 8)[:, :, :6]
    packed["covered"] = chunks.covered | (chunks.flags.astype(np.uint64) << _FLAG_SHIFT)
    raw, size = packed.tobytes(), _CHUNK.itemsize
    return [raw[at : at + size] for at in range(0, len(raw), size)]


def unpack(values: Iterable[bytes]) -> Chunks:
    """The rows of :func:`pack` again. Raises ``ValueError`` if a value has another size."""
    packed = np.frombuffer(b"".join(values), _CHUNK)
    wide = np.zeros((len(packed), _COUNT, 8), "u1")
    wide[:, :, :6] = packed["sums"]
    sums = wide.view("<i8").reshape(-1, _COUNT) - _OFFSET
    return Chunks(
        packed["hour"].astype(np.int64),
        packed["revision"].astype(np.uint16),
        packed["checksum"].astype(np.uint32),
        sums.astype(np.float64),
        packed["covered"] & _MINUTES,
        (packed["covered"] >> _FLAG_SHIFT).astype(np.uint8),
    )
