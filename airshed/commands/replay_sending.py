"""``airshed replay --send``: the messages of a recording to the sandbox, resumed where it was interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from airshed import replaying
from airshed.commands.replay import DATABASE, Task
from airshed.commands.reporting import show_imports
from airshed.configuration import Configuration
from airshed.messaging import import_registries, keys_of, messaging
from airshed.packs import outlines_of
from airshed.recordings import Report, load_readings
from airshed.service import listening_socket, serving, url_of
from notifiers import standings
from notifiers.database import connect, upgrade
from notifiers.planner import plan
from streams.errors import ConfigurationError, InputError
from streams.stations import read_stations

Advanced = Callable[[int], None]


def replay_sending(task: Task, progress: Callable[[int], contextlib.AbstractContextManager[Advanced]]) -> Report:
    """Play and send everything; what an earlier process left unfinished in the folder is carried on."""
    settings, pack, out = task.settings, task.pack, task.out
    registry = read_stations(task.stations, [pack.airshed])
    fingerprint = replaying.fingerprint(task.readings, task.stations, pack, task.shelf)
    engine = _database(out, fingerprint)
    loaded = load_readings(task.readings, registry)
    run = replaying.Replay(
        engine,
        pack,
        registry,
        loaded,
        fingerprint,
        plan=plan,
        heard=standings.note,
        limits=settings.screening,
        shelf=task.shelf,
    )
    upgrade(engine)
    keys = keys_of(settings, out, settings.web.public_url)
    recipients, outlines = task.recipients, outlines_of(settings, pack)
    show_imports(import_registries(engine, keys, pack, recipients.subscribers, recipients.facilities, outlines))
    with progress(len(loaded.batch)) as advanced:
        report = asyncio.run(_play(run, settings, advanced))
    report.files = replaying.export(engine, out)
    return report


async def _play(run: replaying.Replay, settings: Configuration, advanced: Advanced) -> Report:
    listener = _same_listener(Path(settings.data_dir) / "web-port")
    async with (
        messaging(
            run.engine, settings, run.clock, public_url=url_of(listener), worker="replay", recorded=True
        ) as notifying,
        serving(notifying.app, listener),
    ):
        run.sender = notifying.dispatcher
        return await run.play(advanced)


def _database(out: Path, fingerprint: str) -> sa.Engine:
    """The database in the folder; an unfinished run of the same input is kept, anything else must be asked for."""
    out.mkdir(parents=True, exist_ok=True)
    engine = connect(f"sqlite:///{out / DATABASE}")
    before = replaying.interrupted_run(engine)
    if before is not None and before.fingerprint != fingerprint:
        raise InputError(
            "holds the replay of other readings, stations or rules, and its messages were sent",
            place=str(out),
            remedy="give another --out, or --fresh to forget it",
        )
    return engine


def _same_listener(memory: Path) -> socket.socket:
    """A port for the pages, the same as before an interruption: links in messages that went out must stay the same."""
    if memory.exists():
        with contextlib.suppress(ConfigurationError):
            return listening_socket("127.0.0.1", int(memory.read_text(encoding="ascii")))
    listener = listening_socket("127.0.0.1", 0)
    memory.write_text(str(listener.getsockname()[1]), encoding="ascii")
    return listener
