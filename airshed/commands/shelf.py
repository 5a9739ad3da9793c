"""``airshed rules activate``, ``move`` and ``status``: packs over time, in the folder of the installation."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.console import Console

from airshed.configuration import Configuration, load
from airshed.standing import Report, read_standing, report_on
from rules.activating import Order, activate, first_hour
from rules.activations import Entry
from rules.loading import PackFile, pack_file
from rules.shelf import Shelf
from streams.clock import SystemClock, utc
from streams.episodes import Standing
from streams.errors import ConfigurationError, InputError, Problem

PackName = Annotated[str, typer.Argument(help="Path of a YAML file, a packaged pack, or name@version on the shelf.")]
From = Annotated[
    str, typer.Option("--from", help="End of the first hour it judges, e.g. 2026-01-13T08:00; default: in an hour.")
]
Now = Annotated[bool, typer.Option("--now", help="From the next hour that ends, instead of an hour later.")]
By = Annotated[str, typer.Option(help="Name or role of who decides this; default: the user of this session.")]
Why = Annotated[str, typer.Option(help="The reason, for those who ask later.")]
Config = Annotated[Path, typer.Option(help="The installation's configuration file.")]
Folder = Annotated[Path | None, typer.Option(help="The shelf itself, instead of the one of an installation.")]
OnKafka = Annotated[bool, typer.Option("--kafka", help="Ask the Kafka runtime what is decided and open.")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]

_DEFAULT = Path("airshed.toml")
_TIME = "%a %d %b %Y %H:%M"


def activate_pack(
    pack: PackName,
    from_: From = "",
    now: Now = False,
    by: By = "",
    reason: Why = "",
    config: Config = _DEFAULT,
    folder: Folder = None,
    recorded: Annotated[
        bool, typer.Option("--recorded", help="The folder is for replays: the hour may lie in the past.")
    ] = False,
    kafka: OnKafka = False,
    json: Json = False,
) -> None:
    """Check a pack whole, put it on the shelf, and say from which hour on it judges.

    An episode that is open then keeps its own pack until it closes. A version that is on the shelf never changes.

    Example: `airshed rules activate mine.yaml --from 2026-01-13T08:00 --by "duty officer" --reason "150, not 160"`
    """
    shelf, configured = _shelf(config, folder)
    if configured is not None and not shelf.contents.lines:
        _must_be_in_force(configured, _standing(load(config), shelf, kafka=kafka), str(config))
    source = _source(pack, shelf)
    order = _order(source, from_, by, reason, soon=now, recorded=recorded)
    entry = activate(shelf.folder, source, order, configured)
    _confirm(entry, source, "unless an episode is open then: it keeps its own pack until it closes", as_json=json)


def move(
    episode: Annotated[str, typer.Argument(help="Id of the open episode.")],
    to: Annotated[
        str, typer.Option("--to", help="Path of a YAML file, a packaged pack, or name@version on the shelf.")
    ],
    from_: From = "",
    now: Now = False,
    by: By = "",
    reason: Why = "",
    config: Config = _DEFAULT,
    kafka: OnKafka = False,
    json: Json = False,
) -> None:
    """Let an open episode go on under another pack, from an hour on. With several open, each has to be moved.

    Example: `airshed rules move red-river-delta-20260112T13Z-01 --to vietnam-2026@2 --by "duty officer"`
    """
    shelf, configured = _shelf(config, None)
    _must_be_open(episode, _standing(load(config), shelf, kafka=kafka))
    source = _source(to, shelf)
    order = _order(source, from_, by, reason, soon=now, episode=episode)
    entry = activate(shelf.folder, source, order, configured)
    _confirm(entry, source, f"although {episode} is open", as_json=json)


def status(config: Config = _DEFAULT, folder: Folder = None, kafka: OnKafka = False, json: Json = False) -> None:
    """Which pack is in force and since when, what comes next, and what is refused, with file, line and column.

    Example: `airshed rules status`
    """
    shelf, _ = _shelf(config, folder)
    standing = None if folder else _standing(load(config), shelf, kafka=kafka)
    report = report_on(shelf, standing, SystemClock().now_s())
    out = Console(highlight=False, soft_wrap=True, markup=False)
    if json:
        out.print_json(msgspec.json.encode(report).decode())
    else:
        out.print(_screen(report, ZoneInfo(shelf.base.airshed.zone)))


def _shelf(config: Path, folder: Path | None) -> tuple[Shelf, PackFile | None]:
    """The shelf, and the file of the pack that is in force while it is empty."""
    if folder is not None:
        return Shelf(folder), None
    settings = load(config)
    if settings.rules.folder is None:
        problem = Problem(
            "this installation has one pack for good",
            place=str(config),
            field="rules.folder",
            remedy='add [rules] with folder = "rules", restart, and activate again',
        )
        raise ConfigurationError([problem])
    configured = pack_file(settings.pack)
    return Shelf(Path(settings.rules.folder), configured.parsed()), configured


def _source(pack: str, shelf: Shelf) -> PackFile:
    shelved = shelf.folder / f"{pack}.yaml"
    return pack_file(shelved if "@" in pack and shelved.is_file() else pack)


def _order(
    source: PackFile,
    from_: str,
    by: str,
    reason: str,
    *,
    soon: bool,
    recorded: bool = False,
    episode: str = "",
) -> Order:
    now = utc(SystemClock().now_s())
    hour = _hour(from_, source) if from_ else first_hour(now, soon=soon)
    return Order(
        from_=hour,
        by=by or getpass.getuser(),
        reason=reason,
        written=None if recorded else now,
        episode=episode,
    )


def _hour(text: str, source: PackFile) -> datetime:
    """A moment with an offset, or in the zone of the pack's airshed."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        remedy = "write it like 2026-01-13T08:00 (in the zone of the airshed) or 2026-01-13T01:00Z"
        raise InputError(f"{text!r} is no time", field="--from", remedy=remedy) from None
    zone = ZoneInfo(source.parsed().airshed.zone)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _standing(settings: Configuration, shelf: Shelf, *, kafka: bool) -> Standing | None:
    code = shelf.base.airshed.code
    if not kafka:
        return read_standing(settings, code)
    # Only now: these bring Kafka's clients along, and two seconds of starting.
    from airshed.kafka.services import kafka_settings
    from airshed.kafka.standing import read_standing as on_kafka

    return on_kafka(kafka_settings(settings), code)


def _must_be_in_force(configured: PackFile, standing: Standing | None, config: str) -> None:
    """The first line of the log is the pack that has decided so far; the file may have been changed since the start."""
    reference = configured.parsed().reference
    if standing is not None and standing.reign.pack != reference:
        raise InputError(
            f"{standing.reign.pack} is in force, but pack names {reference} now",
            place=config,
            field="pack",
            remedy="put the file back as it was when this installation was started; the new one goes into another file",
        )


def _must_be_open(episode: str, standing: Standing | None) -> None:
    if standing is not None and episode not in standing.opened:
        opened = ", ".join(standing.opened) or "none"
        raise InputError(f"no episode {episode!r} is open", field="EPISODE", remedy=f"open now: {opened}")


def _confirm(entry: Entry, source: PackFile, condition: str, *, as_json: bool) -> None:
    out = Console(highlight=False, soft_wrap=True, markup=False)
    if as_json:
        out.print_json(msgspec.json.encode(entry).decode())
        return
    zone = ZoneInfo(source.parsed().airshed.zone)
    out.print(f"{entry.pack} judges from the hour that ends {_local(entry.from_, zone)} on,\n{condition}.")


def _screen(report: Report, zone: ZoneInfo) -> str:
    since = f"since {_local(report.since, zone)}" if report.since else "from the beginning"
    known = f"decided up to {_local(report.decided, zone)}" if report.decided else "by the log and the clock"
    lines = [f"in force   {report.in_force}, {since} ({known})"]
    lines += [f"open       {episode}" for episode in report.opened]
    if report.pending:
        lines.append(f"pending    {report.pending}, takes over when no episode is open")
    for line in report.coming:
        what = f", moves {line.episode}" if line.episode else ""
        why = f": {line.reason}" if line.reason else ""
        lines.append(f"next       {line.pack} from {_local(line.from_, zone)}{what}, by {line.by}{why}")
    lines += [f"draft      {draft}" for draft in report.drafts]
    lines += [f"refused    {problem.text}" for problem in report.refused]
    return "\n".join(lines if report.refused else [*lines, "refused    nothing"])


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone).strftime(_TIME)} ({zone.key})"
