"""Whom the notices of a dry replay would reach: the ledger is planned as ever, in a database that goes with the run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from airshed.configuration import Configuration
from airshed.messaging import import_registries, keys_of
from airshed.packs import outlines_of
from airshed.recordings import Recipients
from notifiers.database import connect, reading, upgrade
from notifiers.deliveries import Delivery
from notifiers.planner import plan
from notifiers.registries import ImportReport
from notifiers.reports import deliveries
from rules.model import Pack
from rules.notices import Notice


class Planned:
    """A ledger that nobody sends from. ``imports``: what became of the registries."""

    def __init__(self, engine: sa.Engine, imports: Mapping[str, ImportReport]) -> None:
        self.imports = imports
        self._engine = engine

    def add(self, notices: Iterable[Notice]) -> None:
        """Plan the deliveries of notices."""
        for notice in notices:
            with self._engine.begin() as connection:
                plan(connection, notice)

    def deliveries(self) -> Iterator[Delivery]:
        """Every planned delivery, in the order of the ledger's reports."""
        with reading(self._engine) as connection:
            yield from deliveries(connection)


@contextmanager
def planning(settings: Configuration, pack: Pack, recipients: Recipients, out: Path) -> Iterator[Planned]:
    """A ledger in a folder of its own below ``out``, gone when the block ends."""
    out.mkdir(parents=True, exist_ok=True)
    keys = keys_of(settings, out, settings.web.public_url)
    with tempfile.TemporaryDirectory(prefix=".planned-", dir=out) as folder:
        engine = connect(f"sqlite:///{folder}/ledger.sqlite")
        try:
            upgrade(engine)
            files = recipients.subscribers, recipients.facilities
            yield Planned(engine, import_registries(engine, keys, pack, *files, outlines_of(settings, pack)))
        finally:
            engine.dispose()
