"""``airshed subscribers``: the registry of residents. No command prints a contact in clear."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
import typer
from rich.console import Console
from rich.table import Table

from airshed.commands.reporting import show_imports
from airshed.configuration import Configuration, load
from airshed.local.live import database_of
from airshed.messaging import Keys, import_registries, keys_of
from airshed.packs import base_of, outlines_of
from notifiers.contacts import normal_address, normal_number
from notifiers.database import reading
from notifiers.people_lists import counted, listed, shown
from notifiers.rotation import rotate as rotate_all
from notifiers.spreadsheets import safe_cell
from notifiers.withdrawal import erase as erase_person
from notifiers.withdrawal import people_with, withdraw
from streams.clock import SystemClock
from streams.errors import InputError

Config = Annotated[Path, typer.Option(help="The installation's configuration file.")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Person = Annotated[str, typer.Argument(help="Its id; leave it out with --contact.")]
ByContact = Annotated[
    bool, typer.Option("--contact", help="Ask for a number or address instead: so that it gets into no shell history.")
]
_DEFAULT = Path("airshed.toml")

app = typer.Typer(help="The registry of residents.", no_args_is_help=True)


def _out() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=True)


def _print_json(value: Any) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def _opened(config: Path) -> tuple[Configuration, sa.Engine, Keys]:
    settings = load(config)
    return settings, database_of(settings), keys_of(settings, Path(settings.data_dir), settings.web.public_url)


@app.command("import")
def import_file(file: Path, config: Config = _DEFAULT, json: Json = False) -> None:
    """Read residents from a CSV file; each row is accepted, or refused with file, line, field and remedy.

    A file never brings back who has stopped since they agreed, or was erased. Columns: docs/subscribers.md.

    Example: `airshed subscribers import subscribers.csv`
    """
    settings, engine, keys = _opened(config)
    pack = base_of(settings)
    reports = import_registries(engine, keys, pack, file, None, outlines_of(settings, pack))
    report = reports["subscribers"]
    if json:
        _print_json(
            {
                "accepted": report.accepted,
                "refused": [_finding(error) for error in report.refused],
                "warnings": [_finding(error) for error in report.warnings],
            }
        )
    else:
        show_imports(reports)
    if report.refused:
        raise typer.Exit(1)


@app.command("list")
def list_people(
    config: Config = _DEFAULT,
    province: Annotated[str, typer.Option(help="Only people with a place there; its code.")] = "",
    state: Annotated[str, typer.Option(help="Only pending, active or stopped ones.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many; 0 = all.")] = 50,
    json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV, safe to open in a spreadsheet.")] = False,
) -> None:
    """People with their choices, by id, without contacts.

    Example: `airshed subscribers list --province 01 --state active`
    """
    _, engine, _ = _opened(config)
    with reading(engine) as connection:
        rows = list(listed(connection, province=province, state=state, limit=limit or None))
    if json:
        _print_json(rows)
    elif as_csv:
        _print_csv(rows)
    else:
        table = Table("id", "state", "province", "language", "level", "channels", "stopped", box=None)
        for row in rows:
            names = ("subscriber_id", "state", "province", "language", "level", "channels", "stopped_channels")
            table.add_row(*(str(row[name]) for name in names))
        _out().print(table)


@app.command("count")
def count_people(config: Config = _DEFAULT, json: Json = False) -> None:
    """Number of people by state, province and channels. Who has places in two provinces counts in both.

    Example: `airshed subscribers count`
    """
    _, engine, _ = _opened(config)
    with reading(engine) as connection:
        rows = counted(connection)
    if json:
        _print_json(rows)
        return
    table = Table("state", "province", "channels", "people", box=None)
    for row in rows:
        table.add_row(row["state"], row["province"], row["channels"] or "–", f"{row['people']:,}")
    _out().print(table)


@app.command("show")
def show_person(
    person: Person = "", by_contact: ByContact = False, config: Config = _DEFAULT, json: Json = False
) -> None:
    """Everything kept about a person: choices, places, consents; contacts masked. What they may ask to see.

    Example: `airshed subscribers show S0001`
    """
    settings, engine, keys = _opened(config)
    people = _people(engine, settings, keys, person, by_contact=by_contact)
    with reading(engine) as connection:
        found = [one for one in (shown(connection, keys.vault, own) for own in people) if one is not None]
    if not found:
        raise _nobody(person)
    if json:
        _print_json(found)
        return
    for one in found:
        for name, value in one.items():
            if isinstance(value, list):
                _out().print(name)
                for entry in value:
                    said = [f"{key} {part}" for key, part in entry.items() if part not in (None, "")]
                    _out().print("  " + ", ".join(said))
            else:
                _out().print(f"{name:<17} {'' if value is None else value}")


@app.command("stop")
def stop_person(
    person: Person = "",
    by_contact: ByContact = False,
    channel: Annotated[str, typer.Option(help="sms or email; all if left out.")] = "",
    config: Config = _DEFAULT,
    json: Json = False,
) -> None:
    """Stop messages to a person who asks for it by telephone or letter. Only a younger consent brings them back.

    Example: `airshed subscribers stop S0001 --channel sms`
    """
    if channel not in ("", "sms", "email"):
        raise InputError(f"unknown channel {channel!r}", field="--channel", remedy="use sms or email")
    settings, engine, keys = _opened(config)
    people = _people(engine, settings, keys, person, by_contact=by_contact)
    channels = [channel] if channel else None
    with engine.begin() as connection:
        now_s = SystemClock().now_s()
        stopped = [own for own in people if withdraw(connection, own, channels, by="command", now_s=now_s)]
        known = [own for own in people if shown(connection, keys.vault, own) is not None]
    if not known:
        raise _nobody(person)
    _tell({"stopped": stopped}, "stopped " + (", ".join(stopped) or "nobody: had stopped before"), json=json)


@app.command("erase")
def erase_people(
    person: Person = "",
    by_contact: ByContact = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = _DEFAULT,
    json: Json = False,
) -> None:
    """Erase a person on request: contacts, hashes, places, choices. The ledger keeps ids; consent, when it was.

    Example: `airshed subscribers erase S0001 --yes`
    """
    settings, engine, keys = _opened(config)
    people = _people(engine, settings, keys, person, by_contact=by_contact)
    if not yes:
        typer.confirm(f"Erase {', '.join(people)}? This cannot be taken back.", abort=True)
    with engine.begin() as connection:
        now_s = SystemClock().now_s()
        erased = [own for own in people if erase_person(connection, own, by="command", now_s=now_s)]
    if not erased:
        raise _nobody(person)
    _tell({"erased": erased}, "erased " + ", ".join(erased), json=json)


@app.command("rotate")
def rotate(config: Config = _DEFAULT, json: Json = False) -> None:
    """Seal every stored contact with the newest key of `contacts.keys`, in small steps, while messages go out.

    Exit code 1 if there are contacts that no key opens.

    Example: `airshed subscribers rotate`
    """
    _, engine, keys = _opened(config)
    rows: dict[str, int] = {}

    def told(table: str, number: int) -> None:
        rows[table] = rows.get(table, 0) + number
        if sys.stderr.isatty():
            typer.echo(f"\r{table}: {rows[table]:,}", nl=False, err=True)

    result = rotate_all(engine, keys.vault, told)
    if sys.stderr.isatty():
        typer.echo("", err=True)
    text = f"{result.sealed:,} sealed anew, {result.current:,} were under the newest key already"
    for place in result.unreadable:
        text += f"\nno configured key opens {place}"
    _tell(msgspec.to_builtins(result), text, json=json)
    if result.unreadable:
        raise typer.Exit(1)


def _people(engine: sa.Engine, settings: Configuration, keys: Keys, person: str, *, by_contact: bool) -> list[str]:
    if by_contact == bool(person):
        raise InputError("give an id, or --contact", remedy="one of the two")
    if not by_contact:
        return [person]
    text = typer.prompt("number or address", hide_input=True, err=True)
    region = (*settings.contacts.countries, "VN")[0]
    contact = normal_address(text) if "@" in text else normal_number(text, region)
    with reading(engine) as connection:
        found = people_with(connection, keys.vault.fingerprint(contact))
    if not found:
        raise InputError("nobody is registered under it", remedy="check the number or address")
    return found


def _nobody(person: str) -> InputError:
    return InputError(f"nobody is registered as {person[:80]!r}", remedy="see the ids with `airshed subscribers list`")


def _finding(error: InputError) -> dict[str, str]:
    return {"place": error.place, "field": error.field, "message": error.message, "remedy": error.remedy}


def _print_csv(rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow(["" if value is None else safe_cell(str(value)) for value in row.values()])


def _tell(value: Any, text: str, *, json: bool) -> None:
    if json:
        _print_json(value)
    else:
        _out().print(text)
