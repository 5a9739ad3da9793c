"""``airshed doctor``: is everything there that this installation needs?"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec
import sqlalchemy as sa

from airshed.channel_checks import channel_looks
from airshed.configuration import Configuration
from airshed.packs import base_of, outlines_of, shelf_of
from notifiers.database import connect, reading
from streams.errors import AirshedError
from streams.stations import read_stations

_CONNECT_S = 3.0
_LEAST_FREE_BYTES = 1 << 30  # a winter of one region takes some hundred megabytes; below this a disk is nearly full


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    what: str
    fine: bool
    says: str


def examine(settings: Configuration) -> list[Finding]:
    """Look at everything, also after something was wrong."""
    looks: list[tuple[str, Callable[[], str]]] = [
        ("rules", lambda: _pack(settings)),
        ("stations", lambda: _stations(settings)),
        ("outlines", lambda: _outlines(settings)),
        ("database", lambda: _database(settings)),
        ("disk", lambda: _disk(settings)),
        ("messages", lambda: _endpoints(settings)),
        *channel_looks(settings),
    ]
    return [_look(what, look) for what, look in looks]


def _look(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, fine=True, says=look())
    except (AirshedError, OSError, sa.exc.SQLAlchemyError) as error:
        return Finding(what, fine=False, says=str(error).splitlines()[0])


def _pack(settings: Configuration) -> str:
    shelf, pack = shelf_of(settings), base_of(settings)
    if shelf is None:
        return f"{pack.reference}, {len(pack.rules)} rules"
    if shelf.contents.problems:
        raise OSError(f"{shelf.contents.problems[0]} (`airshed rules status` shows everything that is refused)")
    return f"{pack.reference}, followed by {len(shelf.contents.lines[1:])} activations in {shelf.folder}"


def _stations(settings: Configuration) -> str:
    airshed = base_of(settings).airshed
    registry = read_stations(Path(settings.stations), [airshed])
    numbers = {p.names["en"]: len(registry.of_province(airshed.code, p.code)) for p in airshed.provinces}
    if not any(numbers.values()):
        raise OSError(f"none of {len(registry)} stations lies in {airshed.code}: check the column province")
    return ", ".join(f"{name} {number}" for name, number in numbers.items())


def _outlines(settings: Configuration) -> str:
    outlines_of(settings, base_of(settings))
    if not settings.outlines:
        return "those of Viet Nam's provinces; another region's come from a GeoJSON (outlines)"
    return f"of every province of the pack, from {settings.outlines}"


def _database(settings: Configuration) -> str:
    Path(settings.data_dir).mkdir(parents=True, exist_ok=True)
    engine = connect(settings.database_url)
    with reading(engine) as connection:
        connection.execute(sa.text("SELECT 1"))
    return engine.url.render_as_string(hide_password=True)


def _disk(settings: Configuration) -> str:
    free = shutil.disk_usage(settings.data_dir).free
    if free < _LEAST_FREE_BYTES:
        raise OSError(f"{free / 1e9:.1f} GB left in {settings.data_dir}: make room")
    return f"{free / 1e9:.0f} GB free"


def _endpoints(settings: Configuration) -> str:
    if settings.mode == "exercise":
        return "exercise: the sandbox only, nobody outside is reached"
    host = settings.email.host or ""
    with socket.create_connection((host, settings.email.port), _CONNECT_S):
        return f"actual: mail by {host}:{settings.email.port}, SMS by {settings.sms.base_url}"
