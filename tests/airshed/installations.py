"""An installation in a folder, and its command line as an operator uses it."""

from __future__ import annotations

from pathlib import Path

import typer
from typer.testing import CliRunner, Result

from airshed.configuration import load
from airshed.local.live import database_of
from tests.notifiers.samples import fill


def installed(folder: Path, subscribers: int = 0, facilities: int = 0) -> Path:
    """A configuration without stations, and a database with so many people and plants if there are any."""
    (folder / "airshed.toml").write_text('stations = "stations.csv"\n', encoding="utf-8")
    (folder / "stations.csv").write_text("station_id,lat,lon,province\n", encoding="utf-8")
    if subscribers or facilities:
        fill(database_of(load(folder / "airshed.toml")), folder, subscribers, facilities)
    return folder


def called(app: typer.Typer, folder: Path, *words: str, typed: str | None = None) -> Result:
    """What a command answers over the configuration in a folder."""
    return CliRunner().invoke(app, [*words, "--config", str(folder / "airshed.toml")], input=typed)
