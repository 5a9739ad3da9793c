"""``airshed replay``: recorded readings through the whole pipeline."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from airshed import replaying
from airshed.commands.reporting import show_imports
from airshed.configuration import Configuration, load
from airshed.messaging import import_registries, keys_of, messaging
from airshed.reloading import shelf_of
from airshed.service import listening_socket, serving, url_of
from airshed.view import event_line
from notifiers.database import connect, upgrade
from notifiers.planner import plan
from rules.activations import LOG_NAME
from rules.loading import load_pack
from rules.model import Pack
from rules.shelf import Shelf
from streams.errors import ConfigurationError, InputError, PackError
from streams.schemas import EpisodeEvent
from streams.stations import read_stations

_DATABASE = "airshed.sqlite"


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

    Sends nothing unless `--send` is given, and then only to the sandbox. A replay that was interrupted carries on.

    Example:

        airshed replay observations.csv.gz --stations stations.csv --rules china-2024 --out out
    """
    settings = _settings(config, out)
    shelf = _shelf(rules, settings)
    pack = shelf.base if shelf else load_pack(rules or settings.pack)
    registry = read_stations(stations, [pack.airshed])
    fingerprint = replaying.fingerprint(readings, stations, pack, shelf)
    engine = _database(out, fingerprint, fresh=fresh or not send, keep_safe=send)
    loaded = replaying.load_readings(readings, registry)
    run = replaying.Replay(
        engine, pack, registry, loaded, fingerprint, plan=plan, limits=settings.screening, shelf=shelf
    )
    upgrade(engine)
    keys = keys_of(settings, out, settings.web.public_url)
    show_imports(import_registries(engine, keys, pack, subscribers, facilities))
    report = asyncio.run(_play(run, settings, send=send, quiet=json))
    report.files = replaying.export(engine, out)
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


async def _play(run: replaying.Replay, settings: Configuration, *, send: bool, quiet: bool) -> replaying.Report:
    if not send:
        return await _with_progress(run, quiet=quiet)
    listener = _same_listener(Path(settings.data_dir) / "web-port")
    async with (
        messaging(run.engine, settings, run.clock, public_url=url_of(listener), worker="replay") as notifying,
        serving(notifying.app, listener),
    ):
        run.sender = notifying.dispatcher
        return await _with_progress(run, quiet=quiet)


def _database(out: Path, fingerprint: str, *, fresh: bool, keep_safe: bool) -> sa.Engine:
    """The database in the folder; an unfinished run of the same input is kept, anything else must be asked for."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / _DATABASE
    if fresh:
        _forget(out)
    engine = connect(f"sqlite:///{path}")
    if not keep_safe:
        # Nothing leaves the machine in a dry replay: after a crash it is simply run again.
        sa.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
    before = replaying.interrupted_run(engine)
    if before is not None and before.fingerprint != fingerprint:
        raise InputError(
            "holds the replay of other readings, stations or rules, and its messages were sent",
            place=str(out),
            remedy="give another --out, or --fresh to forget it",
        )
    return engine


def _forget(out: Path) -> None:
    for path in (out / "web-port", *out.glob(f"{_DATABASE}*"), *out.glob("*.jsonl"), *out.glob("*.csv")):
        path.unlink(missing_ok=True)
    shutil.rmtree(out / "sandbox", ignore_errors=True)


def _same_listener(memory: Path) -> socket.socket:
    """A port for the pages, the same as before an interruption: links in messages that went out must stay the same."""
    if memory.exists():
        with contextlib.suppress(ConfigurationError):
            return listening_socket("127.0.0.1", int(memory.read_text(encoding="ascii")))
    listener = listening_socket("127.0.0.1", 0)
    memory.write_text(str(listener.getsockname()[1]), encoding="ascii")
    return listener


async def _with_progress(run: replaying.Replay, *, quiet: bool) -> replaying.Report:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} readings"))
    console = Console(stderr=True)
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("replay", total=len(run.loaded.batch))
        return await run.play(lambda rows: bar.advance(task, rows))


def _show(report: replaying.Report, out: Path, pack: Pack, *, as_json: bool) -> None:
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
