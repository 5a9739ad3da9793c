"""A delimited text file as bytes: unpacked, split into lines that fit the header and lines that do not.

A table reader that meets a stray quotation mark or a missing line end may take thousands of good lines for one
field. So every line is measured first: those that have the header's number of fields and no quotation mark go to the
fast reader; the others are looked at one by one.
"""

from __future__ import annotations

import csv
import io
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.errors import InputError

GZIP_MAGIC = b"\x1f\x8b"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_NEWLINE, _QUOTE, _NUL = 10, 34, 0
MOST_UNPACKED_BYTES = 4 * 1024**3
"""A year of a national network is about 1.5 GB of text; more than 4 GB is a mistake or a decompression bomb."""


@dataclass(frozen=True)
class Unpacked:
    """Bytes of a file without its compression; ``problem`` is set where the file ended too early."""

    data: bytes
    problem: InputError | None = None


def unpack(data: bytes, place: str) -> Unpacked:
    """Decompress gzip (several members too); other bytes are returned as they are.

    A file that ends too early gives what is readable. One whose checksum or coding is wrong gives nothing: which of
    its numbers are wrong cannot be told.

    Raises:
        InputError: for a damaged file, and for one that would fill the memory.
    """
    if not data.startswith(GZIP_MAGIC):
        return Unpacked(data)
    parts: list[bytes] = []
    size = 0
    rest = data
    while rest.startswith(GZIP_MAGIC):
        member = zlib.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(rest, MOST_UNPACKED_BYTES - size + 1))
        except zlib.error as error:
            raise InputError(
                f"damaged gzip file ({error}); none of it was used", place=place, remedy="fetch or send it again"
            ) from None
        size += len(parts[-1])
        if size > MOST_UNPACKED_BYTES:
            raise InputError(
                f"holds more than {MOST_UNPACKED_BYTES} bytes of text", place=place, remedy="split it by month"
            )
        if not member.eof:
            problem = InputError(
                f"the gzip file ends after {len(data)} bytes, before its end; {size} bytes of text were readable",
                place=place,
                remedy="fetch or send it again; what was used will not count twice",
            )
            return Unpacked(b"".join(parts), problem)
        rest = member.unused_data
    return Unpacked(b"".join(parts), _trailing(rest, len(data), place))


def _trailing(rest: bytes, size: int, place: str) -> InputError | None:
    """Bytes after the last member: zeros are padding, anything else may have been readings."""
    if not rest.strip(b"\0"):
        return None
    return InputError(
        f"from byte {size - len(rest)} on the file is no gzip; what came before was used",
        place=place,
        remedy="fetch or send it again; what was used will not count twice",
    )


def as_utf8(data: bytes) -> bytes:
    """Text as valid UTF-8 without a byte order mark; bytes that are none become U+FFFD, each in its own line."""
    if data[:2] in _UTF16_MARKS:
        return data.decode("utf-16", errors="replace").encode()
    data = data.removeprefix(b"\xef\xbb\xbf")
    if data.isascii():
        return data
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode(errors="replace").encode()
    return data


@dataclass(frozen=True)
class Lines:
    """The lines of a file after its header.

    Attributes:
        header: column names.
        separator: one byte.
        plain: text of the lines that fit, joined by newlines, without header.
        plain_numbers: ``(n,) int64`` line number in the file of each of them; the header is line 1.
        odd: (line number, bytes) of non-empty lines with another number of fields or with quotation marks.
    """

    header: list[str]
    separator: str
    plain: bytes
    plain_numbers: NDArray[np.int64]
    odd: list[tuple[int, bytes]]


def split_lines(text: bytes) -> Lines:
    """Measure every line of UTF-8 text; the separator (comma, semicolon or TAB) is the header's commonest."""
    head, _, body = text.partition(b"\n")
    separator = max(b",;\t", key=lambda byte: head.count(byte))
    header = fields_of(head.rstrip(b"\r"), chr(separator)) or []
    if body and not body.endswith(b"\n"):
        body += b"\n"
    content = np.frombuffer(body, np.uint8)
    ends = np.flatnonzero(content == _NEWLINE)
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    fits = _counts(content, separator, ends) == len(header) - 1
    for byte in (_QUOTE, _NUL):
        if byte.to_bytes() in body:
            fits &= _counts(content, byte, ends) == 0
    numbers = np.arange(2, len(ends) + 2)
    if fits.all():
        return Lines(header, chr(separator), body, numbers, [])
    odd = [(int(numbers[i]), body[starts[i] : ends[i]].rstrip(b"\r")) for i in np.flatnonzero(~fits)]
    kept = b"".join([body[starts[i] : ends[i] + 1] for i in np.flatnonzero(fits)])
    return Lines(header, chr(separator), kept, numbers[fits], [line for line in odd if line[1].strip()])


def _counts(content: NDArray[np.uint8], byte: int, ends: NDArray[np.intp]) -> NDArray[np.intp]:
    """How often ``byte`` occurs in each line."""
    return np.diff(np.searchsorted(np.flatnonzero(content == byte), ends), prepend=0)


def fields_of(line: bytes, separator: str) -> list[str] | None:
    """Fields of a line with quotation marks; ``None`` where a quotation does not close on it."""
    text = line.decode()
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=separator, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None
