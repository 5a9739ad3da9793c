"""``airshed regions``: the provinces that come with the product, as registries and rule packs name them."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from streams.errors import InputError
from streams.geography import Unit, unit_named, vietnam

app = typer.Typer(no_args_is_help=True, help="The provinces of a country: codes, names, borders, former names.")

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, outlines left out.")]


@app.command("list")
def list_units(as_json: Json = False) -> None:
    """The 34 units of Viet Nam since 1 July 2025.

    Example: airshed regions list
    """
    units = list(vietnam().values())
    if as_json:
        _write(units)
        return
    table = Table("code", "name", "population", "borders", "made of", box=None, pad_edge=False)
    for unit in units:
        former = ", ".join(name for _, name in unit.former if name != unit.name)
        table.add_row(unit.code, unit.name, f"{unit.population:,}", " ".join(unit.neighbours), former)
    Console().print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Code or name, of today or before: 31, Hải Phòng, hai duong.")],
    as_json: Json = False,
) -> None:
    """One unit: which it is today, its borders, and what else it may be called.

    Example: airshed regions show "Hải Dương"
    """
    unit = unit_named(name)
    if unit is None:
        raise InputError(f"no unit {name!r}", place="regions", remedy="airshed regions list names them all")
    if as_json:
        _write([unit])
        return
    units = vietnam()
    borders = ", ".join(f"{units[code].name} ({code})" for code in unit.neighbours)
    former = ", ".join(f"{former} ({code})" for code, former in unit.former)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{unit.name} ({unit.code}), {unit.population:,} people in 2024")
    console.print(f"  made of   {former}")
    console.print(f"  borders   {borders}")
    console.print(f"  aliases   {', '.join(unit.aliases)}")


def _write(units: list[Unit]) -> None:
    for unit in units:
        plain = msgspec.structs.replace(unit, outline=[])
        sys.stdout.write(msgspec.json.encode(plain).decode() + "\n")
