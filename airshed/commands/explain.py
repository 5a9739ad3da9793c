"""``airshed rules explain``: why a rule spoke, or did not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress

from airshed.explaining import Question, moment
from airshed.explaining import explain as answer_to
from airshed.explanation_text import show
from airshed.retelling import Record, read_record, record_of_readings
from rules.loading import load_pack, packaged_packs
from rules.model import Pack
from rules.shelf import Shelf
from streams.errors import InputError

_DEFAULT_PACK = "vietnam-2026"


def explain(
    record: Annotated[Path, typer.Argument(help="Folder of a replay, demo or export; a database; or readings.")],
    rule: Annotated[str, typer.Option(help="Id of a rule; by default all of them.")] = "",
    episode: Annotated[str, typer.Option(help="Id of an episode; by default all of them.")] = "",
    at: Annotated[str, typer.Option(help="Hour in question, local: 2026-01-13T06:00. By default all.")] = "",
    province: Annotated[str, typer.Option(help="Only this province: code or name.")] = "",
    rules: Annotated[str, typer.Option(help="Rule pack, or a shelf of them; by default the one that decided.")] = "",
    stations: Annotated[
        Path | None, typer.Option(help="Station registry; with it, RECORD is read as readings.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Say why a rule spoke at a moment, or did not: reason, values, parts of its condition, and what was missing.

    Where no episode changed, it says for every province what it lacked. With `--rules mine.yaml` it says what another
    pack would have made of the same hours.

    Example: `airshed rules explain out --rule residents-advisory --at 2026-01-13T06:00`
    """
    shelf = Shelf(Path(rules)) if rules and Path(rules).is_dir() else None
    found, pack = _record(record, shelf.base if shelf else rules, stations, quiet=json)
    zone = pack.airshed.zone
    question = Question(rule=rule, episode=episode, at=moment(at, zone) if at else None, province=province)
    answer = answer_to(found, pack, question, shelf)
    if json:
        Console(soft_wrap=True).print_json(msgspec.json.encode(answer).decode())
    else:
        show(answer, question, Console(highlight=False))


def _record(path: Path, rules: str | Pack, stations: Path | None, *, quiet: bool) -> tuple[Record, Pack]:
    if stations is None:
        record = read_record(path)
        return record, rules if isinstance(rules, Pack) else load_pack(rules or _packaged(record.pack))
    pack = rules if isinstance(rules, Pack) else load_pack(rules or _DEFAULT_PACK)
    with Progress(transient=True, console=Console(stderr=True), disable=quiet) as bar:
        task = bar.add_task("readings", total=None)
        return record_of_readings(path, stations, pack, lambda rows: bar.advance(task, rows)), pack


def _packaged(reference: str) -> str:
    """The name of the packaged pack that decided. Raises :class:`InputError` where it is somebody's own."""
    name = reference.partition("@")[0] or _DEFAULT_PACK
    if name not in packaged_packs():
        raise InputError(
            f"the episodes were decided by {reference}", field="--rules", remedy="give the path of its file"
        )
    return name
