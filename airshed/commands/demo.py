"""``airshed demo``: what Airshed does, in half a minute, with nothing but itself."""

from __future__ import annotations

import asyncio
import shutil
from functools import partial
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from airshed import logs
from airshed.demonstration import Demonstration, Story, summary_of
from airshed.view import event_line
from rules.loading import load_pack
from streams.errors import InputError
from streams.sources.scenario_library import scenario_named
from streams.sources.scenarios import STAGNATION
from streams.sources.simulation import simulate

_MARKER = "this-is-a-demonstration"
_FRAMES_PER_S = 8


def demo(
    folder: Annotated[Path, typer.Option("--dir", help="Folder for everything it makes; emptied first.")] = Path(
        "demo"
    ),
    scenario: Annotated[str, typer.Option(help="Which one; `airshed scenarios list` names them.")] = STAGNATION.name,
    seed: Annotated[int, typer.Option(help="The same seed tells the same story.")] = 2026,
    speed: Annotated[float, typer.Option(help="Simulated seconds per second; 0 = as fast as possible.")] = 86_400.0,
    port: Annotated[int, typer.Option(help="Port of /metrics while it runs; 0 = any free one.")] = 0,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of the live view.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON only.")] = False,
) -> None:
    """A simulated winter episode over seven provinces: readings, index, episode, notices, messages received.

    Nothing leaves this machine; every message says that it is an exercise. At `--speed 600` an hour takes six seconds.

    Example: `airshed demo --speed 3600`
    """
    logs.configure("warning", human=True)
    chosen = scenario_named(scenario)
    _prepare(folder)
    pack = load_pack("vietnam-2026")
    run = Demonstration(simulate(seed, chosen), pack, folder, speed, port)
    console = Console(highlight=False, soft_wrap=json)
    story = _play(run, console, live=console.is_terminal and not plain and not json, quiet=json)
    if json:
        console.print_json(msgspec.json.encode(summary_of(story)).decode())
    else:
        _tell(story, run, console)


def _prepare(folder: Path) -> None:
    """An empty folder; one that somebody else filled is left alone."""
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARKER).exists():
        raise InputError("is not empty and not of an earlier demonstration", place=str(folder), remedy="give --dir")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / _MARKER).touch()


def _play(run: Demonstration, console: Console, *, live: bool, quiet: bool) -> Story:
    if quiet:
        return asyncio.run(run.run(lambda url: None, lambda: None))
    if not live:
        return asyncio.run(run.run(partial(_announce, console), _Lines(run, console)))
    console.print("[dim]Ctrl-C stops it. Everything it makes is in[/dim] " + str(run.folder))
    with Live(run.view, console=console, refresh_per_second=_FRAMES_PER_S, transient=False) as picture:
        return asyncio.run(run.run(partial(_announce, picture.console), lambda: None))


def _announce(console: Console, url: str) -> None:
    console.print(f"metrics: {url}")
    console.print(f"sign-up: {url.removesuffix('/metrics')}/signup")


class _Lines:
    """Prints new transitions where there is no terminal to draw on."""

    def __init__(self, run: Demonstration, console: Console) -> None:
        self._run, self._console, self._shown = run, console, 0

    def __call__(self) -> None:
        zone = ZoneInfo(self._run.pack.airshed.zone)
        for event in self._run.story.events[self._shown :]:
            self._console.print(event_line(event, zone))
        self._shown = len(self._run.story.events)


def _tell(story: Story, run: Demonstration, console: Console) -> None:
    zone = ZoneInfo(run.pack.airshed.zone)
    console.rule("what happened")
    console.print(f"{story.readings:,} readings of {len(run.simulation.stations)} stations in {story.seconds:.1f} s")
    for event in story.events:
        console.print("  " + event_line(event, zone))
    table = Table("channel", "state", "messages", box=None)
    for (channel, state), number in sorted(story.deliveries.items()):
        table.add_row(channel, state, str(number))
    console.print(table)
    console.print("Read every message (all of them marked DIỄN TẬP / EXERCISE):")
    for what, where in (
        ("in a browser", story.messages),
        ("mails", run.folder / "sandbox" / "mail"),
        ("SMS", run.folder / "sandbox" / "messages.jsonl"),
        ("episode", run.folder / "episodes.jsonl"),
        ("notices", run.folder / "notices.jsonl"),
        ("deliveries", run.folder / "deliveries.jsonl"),
    ):
        console.print(f"  {what:<13} {where}")
