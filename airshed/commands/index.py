"""``airshed index``: the index calculator, JSON lines in, JSON lines out."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import msgspec
import typer

from streams.errors import InputError
from streams.indices.calculator import answer


def index(
    standard: Annotated[str, typer.Option(help="Index standard where a request names none.")] = "vn_aqi",
) -> None:
    """Calculate index values: JSON lines on standard input, one answer per line, in order.

    Example:

        echo '{"pollutant":"pm25","averaging":"24h","value":55.7}' | airshed index

    A request that cannot be answered gets `{"error": …, "field": …, "remedy": …}` on its line, and exit code 1.
    """
    failed = False
    for number, line in enumerate(sys.stdin.buffer, start=1):
        if not line.strip():
            continue
        reply, fine = _reply(line, standard, f"line {number}")
        failed = failed or not fine
        sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")
        sys.stdout.flush()
    if failed:
        raise typer.Exit(1)


def _reply(line: bytes, standard: str, place: str) -> tuple[dict[str, object], bool]:
    try:
        return answer({"standard": standard, **msgspec.json.decode(line, type=dict[str, Any])}), True
    except msgspec.MsgspecError as error:
        remedy = 'write one JSON object per line, e.g. {"pollutant":"pm25","averaging":"24h","value":35}'
        return {"error": f"{place}: {error}", "field": "", "remedy": remedy}, False
    except InputError as error:
        return {"error": f"{place}: {error.message}", "field": error.field, "remedy": error.remedy}, False
