"""``airshed scenarios``: simulated weather and faults, as files, and as a test of a rule pack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from airshed.rehearsal import rehearse
from rules.loading import load_pack
from streams.errors import InputError
from streams.sources.scenario_library import SCENARIOS, scenario_named
from streams.sources.scenario_library.stories import differences
from streams.sources.scenarios import Scenario
from streams.sources.simulation import simulate

app = typer.Typer(help="Simulated weather and faults.", no_args_is_help=True)

Seed = Annotated[int, typer.Option(help="The same seed gives the same readings.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


class _Entry(msgspec.Struct):
    name: str
    title: str
    days: int
    cycle_s: int
    episodes: int


class _Verdict(msgspec.Struct):
    name: str
    ok: bool
    differences: list[str]


@app.callback()
def _group() -> None:
    """Simulated weather and faults that every detector should face, each with what should become of it."""


@app.command("list")
def list_(json: AsJson = False) -> None:
    """Names and contents.

    Example: `airshed scenarios list`
    """
    entries = [_Entry(s.name, s.title, s.days, s.cycle_s, len(s.expected.episodes)) for s in SCENARIOS.values()]
    if json:
        _out().print_json(msgspec.json.encode(entries).decode())
        return
    table = Table("name", "days", "every", "episodes", "what happens", box=None, padding=(0, 2, 0, 0))
    for entry in entries:
        every = f"{entry.cycle_s // 60} min"
        table.add_row(entry.name, str(entry.days), every, str(entry.episodes), entry.title)
    Console(highlight=False).print(table)


@app.command("write")
def write(
    name: Annotated[str, typer.Argument(help="Which one; `airshed scenarios list` names them.")],
    out: Annotated[Path, typer.Option(help="Folder for the files; must be empty or not there yet.")],
    seed: Seed = 2026,
) -> None:
    """Write one as files: readings, stations, plants and residents, as real ones would be.

    The readings are in the order in which they arrived, but a file does not say when that was: what is late in
    `demo` and `scenarios check` is on time in a replay of the file.

    Example: `airshed scenarios write split-and-rejoin --out rejoin`, then
    `airshed replay rejoin/readings.csv.gz --stations rejoin/stations.csv --rules vietnam-2026`
    """
    scenario = scenario_named(name)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError("is not an empty folder", place=str(out), remedy="give another --out")
    simulation = simulate(seed, scenario)
    simulation.write(out)
    _out().print(f"{len(simulation.readings):,} readings of {len(simulation.stations)} stations in {out}")


@app.command("check")
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Only these; by default all.")] = None,
    rules: Annotated[str, typer.Option(help="Rule pack: a name or a path.")] = "vietnam-2026",
    seed: Seed = 2026,
    json: AsJson = False,
) -> None:
    """Play them under a pack and say where the story is not the expected one. Exit code 1 where it is not.

    The expected stories are those of the levels in `vietnam-2026`. Try a changed copy of it before it is switched on:
    what differs is what the change does.

    Example: `airshed scenarios check fireworks single-station-fire --rules mine.yaml`
    """
    pack = load_pack(rules)
    chosen = [scenario_named(name) for name in names] if names else list(SCENARIOS.values())
    verdicts = []
    for scenario in chosen:
        told = rehearse(scenario, pack, seed)
        found = differences(scenario, told.episodes, told.provinces.values(), told.set_aside)
        verdicts.append(_Verdict(scenario.name, not found, found))
        if not json:
            _show(scenario, found)
    if json:
        _out().print_json(msgspec.json.encode(verdicts).decode())
    if not all(verdict.ok for verdict in verdicts):
        raise typer.Exit(1)


def _show(scenario: Scenario, found: list[str]) -> None:
    out = _out()
    out.print(f"{scenario.name}: {'as expected' if not found else 'NOT as expected'}", markup=False)
    for difference in found:
        out.print(f"  {difference}", markup=False)


def _out() -> Console:
    return Console(highlight=False, soft_wrap=True)
