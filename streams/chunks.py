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
        ("turn", "<u2"),
        ("revision", "<u2"),
        ("checksum", "<u4"),
        ("low", "u1", (_COUNT, 5)),
        ("high", "u1", (_COUNT // 2,)),
        ("covered", "<u8", (_COUNT,)),
    ]
)
"""89 B; 40 of them are 3 560 B per station with six pollutants. ``turn`` says how often the ring has gone round since
1970 (once in 40 hours: enough until 2269), ``slot`` in the key the rest. ``low`` and ``high``: 40 and 4 bits of each
sum, the upper bits of two sums in one byte."""

SLOTS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcd"
"""The last letter of a key says which hour of the ring it holds: forty keys of a station are its code forty times and
one letter each, so that with codes of up to eleven letters a station stays within 4 096 B."""

_FLAG_SHIFT = np.uint64(60)
_MINUTES = np.uint64((1 << 60) - 1)
"""An hour's mask of minutes leaves four bits of its eight bytes: the verdict of screening lies in them."""

_OFFSET = 1 << 43
"""Sums are stored in 44 bits, the largest being 6e12 < 2⁴³ (``streams.windows.SCALE``); instruments near zero report
small negative values, hence the offset."""


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
    """One value per row. Which slot of the ring it is for is not in it, but in its key."""
    packed = np.zeros(len(chunks.hour), _CHUNK)
    packed["turn"] = chunks.hour // len(SLOTS)
    packed["revision"], packed["checksum"] = chunks.revision, chunks.checksum
    whole = np.ascontiguousarray(chunks.sums).astype("<i8") + _OFFSET
    octets = whole.view("u1").reshape(-1, _COUNT, 8)
    packed["low"] = octets[:, :, :5]
    packed["high"] = octets[:, 0::2, 5] | (octets[:, 1::2, 5] << 4)
    packed["covered"] = chunks.covered | (chunks.flags.astype(np.uint64) << _FLAG_SHIFT)
    raw, size = packed.tobytes(), _CHUNK.itemsize
    return [raw[at : at + size] for at in range(0, len(raw), size)]


def unpack(values: Iterable[bytes], slots: NDArray[np.int64]) -> Chunks:
    """The rows of :func:`pack` again, for these slots. Raises ``ValueError`` if a value has another size."""
    packed = np.frombuffer(b"".join(values), _CHUNK)
    wide = np.zeros((len(packed), _COUNT, 8), "u1")
    wide[:, :, :5] = packed["low"]
    wide[:, 0::2, 5], wide[:, 1::2, 5] = packed["high"] & 15, packed["high"] >> 4
    sums = wide.view("<i8").reshape(-1, _COUNT) - _OFFSET
    return Chunks(
        packed["turn"].astype(np.int64) * len(SLOTS) + slots,
        packed["revision"].astype(np.uint16),
        packed["checksum"].astype(np.uint32),
        sums.astype(np.float64),
        packed["covered"] & _MINUTES,
        (packed["covered"] >> _FLAG_SHIFT).astype(np.uint8),
    )
