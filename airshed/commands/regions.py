"""``airshed regions``: the provinces that come with the product, as registries and rule packs name them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from streams.errors import InputError
from streams.geography import Unit, unit_named, vietnam
from streams.geography.borders import read_region

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


@app.command()
def borders(
    file: Annotated[Path, typer.Argument(help="GeoJSON: one feature per province, with a name (code, population).")],
    tolerance_km: Annotated[float, typer.Option(help="How far apart two outlines of one border may run.")] = 1.0,
) -> None:
    """The provinces of any region, ready for the airshed of a rule pack: borders from the outlines of a GeoJSON.

    Example: airshed regions borders provinces.geojson > provinces.yaml
    """
    units = read_region(file, tolerance_km=tolerance_km)
    sys.stdout.write("provinces:\n")
    for unit in units:
        neighbours = ", ".join(_quoted(code) for code in unit.neighbours)
        sys.stdout.write(f"  - code: {_quoted(unit.code)}\n    names: {{en: {_quoted(unit.name)}}}\n")
        sys.stdout.write(f"    neighbours: [{neighbours}]\n    population: {unit.population}\n")


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _write(units: list[Unit]) -> None:
    for unit in units:
        plain = msgspec.structs.replace(unit, outline=[])
        sys.stdout.write(msgspec.json.encode(plain).decode() + "\n")
