"""``airshed backtest``: what a rule pack would have done."""

from __future__ import annotations

from json import dumps, loads
from pathlib import Path
from threading import Thread
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from airshed.backtesting import sentences
from airshed.backtesting.findings import Findings, Yardstick, findings, yardstick
from airshed.backtesting.people import people_of
from airshed.backtesting.recording import Recording
from airshed.backtesting.reference import reference_of
from airshed.backtesting.running import Played, Trial, play, trial
from rules.loading import load_pack
from streams.errors import InputError
from streams.screening import Limits

SHOWN = 20
"""Notices that differ, in a terminal."""


def backtest(
    readings: Annotated[Path, typer.Argument(help="Recorded readings: a file, or a folder in order of time.")],
    stations: Annotated[Path, typer.Option(help="Station registry, CSV.")],
    rules: Annotated[str, typer.Option(help="Rule pack: a name or a path.")],
    report: Annotated[Path | None, typer.Option(help="Write the report here, one HTML file.")] = None,
    against: Annotated[str, typer.Option(help="Another pack, usually the one in force, to compare with.")] = "",
    subscribers: Annotated[Path | None, typer.Option(help="Residents, CSV; only counted.")] = None,
    facilities: Annotated[Path | None, typer.Option(help="Plants, CSV; only counted.")] = None,
    reference: Annotated[
        float | None, typer.Option(help="24-hour PM2.5 of the reference, µg/m³; default: that of the lowest level.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="airshed.toml; its [screening] judges the readings.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """What a rule pack would have done with recorded readings, and how two packs differ. Sends nothing.

    Every reading goes through the stages that run live; `--config` has them screened as in an installation with limits
    of its own. The episodes are held against a plain reference definition,
    computed from the readings alone; with `--against` at the level of that pack, so that it does not move with the
    pack under test.

    Example:

        airshed backtest winter/ --stations stations.csv --rules mine.yaml --against vietnam-2026 --report report.html
    """
    trials = _trials([name for name in (rules, against) if name], stations)
    airshed = trials[-1].pack.airshed
    measure = reference_of(airshed, reference)
    people = people_of(airshed, subscribers, facilities)
    if report is not None:
        Thread(target=_prepare, daemon=True).start()
    played = _played(readings, trials, _limits(config), quiet=json)
    over = yardstick(played, measure)
    found = findings(played, over, people, readings.name)
    if report is not None:
        _write(report, found, trials, over)
    _show(found, as_json=json)
    if report is not None and not json:
        Console(highlight=False, soft_wrap=True, markup=False).print(f"report: {report}")


def _trials(names: list[str], stations: Path) -> list[Trial]:
    """The packs; two that are called the same are told apart by where they come from."""
    packs = [load_pack(name) for name in names]
    same = len({pack.reference for pack in packs}) < len(packs)
    labels = [f"{pack.reference} ({name})" if same else pack.reference for pack, name in zip(packs, names, strict=True)]
    return [trial(pack, stations, label) for pack, label in zip(packs, labels, strict=True)]


def _limits(config: Path | None) -> Limits | None:
    if config is None:
        return None
    from airshed.configuration import load  # all settings of an installation, for one of them

    return load(config).screening


def _played(readings: Path, trials: list[Trial], limits: Limits | None, *, quiet: bool) -> Played:
    console = Console(stderr=True)
    columns = (TextColumn("back-test"), BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("reading", total=1.0)
        recording = Recording(readings, trials[0].registry, lambda share: bar.update(task, completed=share))
        return play(recording, trials, limits)


def _prepare() -> None:
    """What a report needs takes two seconds to get ready: as long as the first readings are waited for."""
    from airshed.backtesting import drawing

    drawing.prepare()


def _write(report: Path, found: Findings, trials: list[Trial], measure: Yardstick) -> None:
    from airshed.backtesting import report as page  # Altair takes a second to import; only a report needs it

    try:
        page.write(report, found, trials, measure)
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror}", place=str(report), field="--report", remedy="give another path"
        ) from None


def _show(found: Findings, *, as_json: bool) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    if as_json:
        text = msgspec.json.encode(found).decode()
        if console.is_terminal:
            console.print_json(text)
        else:  # the same without the colours, which take seconds to find in the findings of a year
            typer.echo(dumps(loads(text), indent=2, ensure_ascii=False))
        return
    for sentence in sentences.summary(found):
        console.print(sentence)
    lines = list(sentences.changes(found))
    if lines:
        console.print("Notice by notice:")
    for line in lines[:SHOWN]:
        console.print(f"  {line}")
    if len(lines) > SHOWN:
        console.print(f"  … and {len(lines) - SHOWN} more; --report shows them all")
    for refused in found.refused:
        Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(f"not used: {refused}")
