"""``airshed replay``: recorded readings through the whole pipeline."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer

from airshed import dry
from airshed.collector import calm
from airshed.configuration import Configuration, load
from airshed.dry_replay import Ledger, replay_dry
from airshed.packs import shelf_of
from airshed.recordings import Recipients, Report, load_readings
from rules.activations import LOG_NAME
from rules.loading import load_pack
from rules.model import Pack
from rules.shelf import Shelf
from streams.errors import PackError
from streams.schemas import EpisodeEvent
from streams.stations import read_stations

DATABASE = "airshed.sqlite"


@dataclass(frozen=True)
class Task:
    """What is to be replayed, by which rules, for whom, and where the results go.

    Attributes:
        shelf: packs over time, of which ``pack`` is the base; ``None``: ``pack`` always.
    """

    readings: Path
    stations: Path
    out: Path
    pack: Pack
    shelf: Shelf | None
    recipients: Recipients
    settings: Configuration


def replay(
    readings: Annotated[Path, typer.Argument(help="Tidy CSV, CSV.gz or Parquet, or a folder of station files.")],
    stations: Annotated[Path, typer.Option(help="Station registry, CSV.")],
    rules: Annotated[str, typer.Option(help="Rule pack: a name, a path, or a folder with packs over time.")] = "",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out"),
    subscribers: Annotated[Path | None, typer.Option(help="Residents to address, CSV.")] = None,
    facilities: Annotated[Path | None, typer.Option(help="Plants to address, CSV.")] = None,
    send: Annotated[bool, typer.Option("--send", help="Send every message to the sandbox, as an exercise.")] = False,
    config: Annotated[Path | None, typer.Option(help="airshed.toml; with --send, the sandbox to use.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what an earlier replay left in --out.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Replay recorded readings on event time: index, provinces, episodes, notices and deliveries as files.

    Sends nothing unless `--send` is given, and then only to the sandbox. Interrupted, a replay that sends carries on
    when it is started again; one that does not starts over, and leaves the files of the one before until it is done.

    Example:

        airshed replay observations.csv.gz --stations stations.csv --rules china-2024 --out out
    """
    settings = _settings(config, out)
    shelf = _shelf(rules, settings)
    pack = shelf.base if shelf else load_pack(rules or settings.pack)
    task = Task(readings, stations, out, pack, shelf, Recipients(subscribers, facilities), settings)
    if fresh:
        forget(out)
    if send:
        from airshed.commands.replay_sending import replay_sending  # services, which a dry replay need not wait for

        report = replay_sending(task, partial(_progress, quiet=json))
    else:
        report = _dry(task, quiet=json)
    _show(report, out, pack, as_json=json)


def _shelf(rules: str, settings: Configuration) -> Shelf | None:
    """Packs over time: in the folder given, or in that of the installation. A broken log refuses the replay."""
    given = Shelf(Path(rules)) if rules and (Path(rules) / LOG_NAME).is_file() else None
    shelf = given if rules else shelf_of(settings)
    if shelf is not None and shelf.broken:
        raise PackError(shelf.broken)
    return shelf


def _settings(config: Path | None, out: Path) -> Configuration:
    """A replay is an exercise whatever the installation is, and keeps everything in its own folder.

    It does not ask for reports on its messages: it will have ended before they come.
    """
    given = load(config) if config else Configuration()
    sms = msgspec.structs.replace(given.sms, status_callbacks=False)
    return msgspec.structs.replace(given, mode="exercise", data_dir=str(out), secret_key=None, sms=sms)


def _dry(task: Task, *, quiet: bool) -> Report:
    registry = read_stations(task.stations, [task.pack.airshed])
    loaded = load_readings(task.readings, registry)
    calm()
    with _ledger(task) as ledger, _progress(len(loaded.batch), quiet=quiet) as advanced:
        steps = dry.play([loaded.batch], task.pack, registry, limits=task.settings.screening, shelf=task.shelf)
        return replay_dry(loaded, steps, task.out, ledger=ledger, advanced=advanced)


@contextlib.contextmanager
def _ledger(task: Task) -> Iterator[Ledger | None]:
    if task.recipients.subscribers is None and task.recipients.facilities is None:
        yield None
        return
    from airshed.commands.reporting import show_imports  # a database, where somebody is to be addressed
    from airshed.planned import planning

    with planning(task.settings, task.pack, task.recipients, task.out) as planned:
        show_imports(planned.imports)
        yield planned


@contextlib.contextmanager
def _progress(readings: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} readings"))
    console = Console(stderr=True)
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("replay", total=readings)
        yield lambda rows: bar.advance(task, rows)


def forget(out: Path) -> None:
    """Remove what a replay left in a folder."""
    for path in (out / "web-port", *out.glob(f"{DATABASE}*"), *out.glob("*.jsonl"), *out.glob("*.csv")):
        path.unlink(missing_ok=True)
    shutil.rmtree(out / "sandbox", ignore_errors=True)


def _show(report: Report, out: Path, pack: Pack, *, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from airshed.view import event_line

    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        console.print_json(msgspec.json.encode(report).decode())
        return
    rate = report.readings / report.seconds if report.seconds else 0.0
    console.print(
        f"{report.readings:,} readings in {report.seconds:.1f} s ({rate:,.0f}/s), {report.rejected:,} rejected, "
        f"{report.unused:,} not needed"
    )
    if report.resumed_at:
        console.print(f"carried on after step {report.resumed_at} of an interrupted run")
    for line in (out / "episodes.jsonl").read_bytes().splitlines():
        console.print("  " + event_line(msgspec.json.decode(line, type=EpisodeEvent), ZoneInfo(pack.airshed.zone)))
    table = Table("file", "rows", box=None)
    for name, rows in report.files.items():
        table.add_row(str(out / name), f"{rows:,}")
    console.print(table)
