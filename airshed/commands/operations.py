"""Operations: topics, rejected readings, registries, the database, the sandbox, and a look at whether all is well."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from airshed.commands.escalations import show_escalations
from airshed.commands.reporting import show_imports
from airshed.configuration import load
from airshed.doctor import examine
from airshed.kafka.admin import apply_topics, plan_topics
from airshed.kafka.export import export_events
from airshed.kafka.services import kafka_settings
from airshed.local import store
from airshed.local.live import database_of
from airshed.messaging import import_registries, keys_of
from airshed.packs import base_of
from airshed.rejections import Kept, kept_locally, kept_on_kafka, replay_locally, replay_on_kafka
from airshed.service import stop_on_signals
from notifiers.sandbox.server import Sandbox
from streams.errors import InputError
from streams.stations import read_stations

Config = Annotated[Path, typer.Option(help="The installation's configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
OnKafka = Annotated[bool, typer.Option("--kafka", help="Those in the topic readings.rejected.")]
_DEFAULT = Path("airshed.toml")

topics = typer.Typer(
    help="Kafka topics: see what is missing or different, create what is missing.", no_args_is_help=True
)
rejected = typer.Typer(help="Readings and lines that could not be used.", no_args_is_help=True)
facilities = typer.Typer(help="The registry of plants.", no_args_is_help=True)


def _out() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=True)


def _print_json(value: Any) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


@topics.command("plan")
def topics_plan(config: Config = _DEFAULT, json: Json = False) -> None:
    """Say which topics are missing, and which differ from what they should be. Changes nothing.

    Example: `airshed topics plan`
    """
    _show_topics(plan_topics(kafka_settings(load(config))), json=json)


@topics.command("apply")
def topics_apply(config: Config = _DEFAULT, json: Json = False) -> None:
    """Create the topics that are missing. Existing ones are never altered.

    Example: `airshed topics apply`
    """
    _show_topics(apply_topics(kafka_settings(load(config))), json=json)


def _show_topics(findings: list[Any], *, json: bool) -> None:
    rows = [(finding.topic.name, finding.state.value, "; ".join(finding.differences)) for finding in findings]
    if json:
        _print_json([dict(zip(("topic", "state", "differences"), row, strict=True)) for row in rows])
        return
    table = Table("topic", "state", "differences", box=None)
    for row in rows:
        table.add_row(*row)
    _out().print(table)


@rejected.command("list")
def rejected_list(
    config: Config = _DEFAULT,
    newest: Annotated[int, typer.Option(help="How many.")] = 20,
    kafka: OnKafka = False,
    json: Json = False,
) -> None:
    """The newest readings or lines that could not be used: number, reason, place, remedy.

    Example: `airshed rejected list --newest 5`
    """
    items = _rejected(config, newest, kafka=kafka)
    if json:
        _print_json([{"number": kept.number, **msgspec.to_builtins(kept.item)} for kept in items])
        return
    for kept in items:
        _out().print(f"{kept.number:>8}  {kept.item.reason:<18} {kept.item.message}")
    if not items:
        _out().print("nothing has been rejected")


@rejected.command("show")
def rejected_show(number: str, config: Config = _DEFAULT, kafka: OnKafka = False) -> None:
    """One rejected item whole, with its original bytes.

    Example: `airshed rejected show 17`
    """
    for kept in _rejected(config, newest=-1, kafka=kafka):
        if kept.number == number:
            item = kept.item
            _out().print(f"reason   {item.reason}\nplace    {item.place}\nsource   {item.source}\n{item.message}\n")
            _out().print(item.raw.decode("utf-8", "backslashreplace"))
            return
    raise InputError(f"no rejected item {number}", remedy="see the numbers with `airshed rejected list`")


@rejected.command("replay")
def rejected_replay(
    config: Config = _DEFAULT,
    reason: Annotated[list[str] | None, typer.Option(help="Only items of this reason; may be repeated.")] = None,
    kafka: OnKafka = False,
    json: Json = False,
) -> None:
    """Hand back what can be used by now, for example after a station was registered. Safe to repeat.

    Readings that are older than the windows (about a day and a half) are refused once more, as late.

    Example: `airshed rejected replay --reason unknown-station`
    """
    settings = load(config)
    registry = read_stations(Path(settings.stations), [base_of(settings).airshed])
    path: Path | None = None
    if kafka:
        revived = replay_on_kafka(kafka_settings(settings), registry, reason or ())
    else:
        revived, path = replay_locally(database_of(settings), settings, registry, reason or ())
    if json:
        numbers = [kept.number for kept in revived.items]
        _print_json({"items": numbers, "readings": len(revived.batch), "file": None if path is None else str(path)})
        return
    where = "to Kafka" if kafka else f"in {path}" if path else ""
    _out().print(f"{len(revived.items)} items, {len(revived.batch)} readings handed back {where}".rstrip())


def _rejected(config: Path, newest: int, *, kafka: bool) -> list[Kept]:
    """Newest first."""
    settings = load(config)
    if not kafka:
        return kept_locally(database_of(settings), newest)
    items = list(reversed(kept_on_kafka(kafka_settings(settings))))
    return items if newest < 0 else items[:newest]


facilities.command("escalations")(show_escalations)


@facilities.command("import")
def facilities_import(file: Path, config: Config = _DEFAULT) -> None:
    """Read plants from a CSV file; each row is accepted or refused with file, line, field and remedy.

    Example: `airshed facilities import facilities.csv`
    """
    _import(config, file)


def _import(config: Path, facilities_file: Path) -> None:
    settings = load(config)
    engine = database_of(settings)
    keys = keys_of(settings, Path(settings.data_dir), settings.web.public_url)
    reports = import_registries(engine, keys, base_of(settings), None, facilities_file)
    show_imports(reports)
    if any(report.refused for report in reports.values()):
        raise typer.Exit(1)


def migrate(config: Config = _DEFAULT) -> None:
    """Bring the database to the newest schema. Safe to repeat.

    Example: `airshed migrate`
    """
    engine = database_of(load(config))
    store.metadata.create_all(engine)
    _out().print(f"{engine.url.render_as_string(hide_password=True)}: at the newest schema")


def doctor(config: Config = _DEFAULT, json: Json = False) -> None:
    """Look at everything the installation needs and say what is wrong with it, and what to do.

    Example: `airshed doctor`
    """
    findings = examine(load(config))
    if json:
        _print_json(findings)
    else:
        for finding in findings:
            _out().print(f"{'ok  ' if finding.fine else 'FAIL'}  {finding.what:<12} {finding.says}")
    if not all(finding.fine for finding in findings):
        raise typer.Exit(1)


def sandbox(
    folder: Annotated[Path, typer.Argument(help="Where the messages are kept.")],
    http_port: Annotated[int, typer.Option(help="Port of the SMS endpoint and the page; 0 = any free one.")] = 8025,
    smtp_port: Annotated[int, typer.Option(help="Port of the mailbox; 0 = any free one.")] = 2525,
) -> None:
    """A mailbox and an SMS endpoint that behave like the real ones, and a page with every message. Until Ctrl-C.

    Example: `airshed sandbox demo/sandbox` shows the messages of the last demonstration.
    """

    async def serve() -> None:
        stop = asyncio.Event()
        stop_on_signals(stop)
        async with Sandbox(folder, http_port=http_port, smtp_port=smtp_port) as running:
            addresses = running.addresses
            _out().print(f"messages  {addresses.page_url}")
            _out().print(f"smtp      {addresses.smtp_host}:{addresses.smtp_port}")
            _out().print(f"sms       {addresses.sms_base_url}")
            await stop.wait()

    asyncio.run(serve())


def export(
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("out"), config: Config = _DEFAULT
) -> None:
    """Write what the Kafka topics say as the files a replay writes, repetitions after crashes removed.

    Example: `airshed export --out out`
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in export_events(kafka_settings(load(config)), out).items():
        _out().print(f"{out / name}  {rows:,}")
