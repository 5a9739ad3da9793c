"""India, whose hours begin on the half hour of UTC, from a plain station list to the notices."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from typer.testing import CliRunner

from airshed.backtesting.findings import Findings
from airshed.cli import app

DELHI = ZoneInfo("Asia/Kolkata")
STATIONS = "station_id,lat,lon,province\n" + "".join(f"D{n},28.{n},77.2,07\n" for n in range(3))


def recording(first: datetime) -> str:
    """Thirty clean hours and sixty bad ones; a little apart from hour to hour, as no stuck instrument is."""
    rows = ["time,station_id,pollutant,value,unit"]
    for hour in range(90):
        for station in range(3):
            for pollutant, clean, bad in (("pm25", 40, 300), ("pm10", 70, 500), ("no2", 30, 60)):
                value = (bad if hour >= 30 else clean) + (hour * 7 + station) % 5
                rows.append(f"{(first + timedelta(hours=hour)).isoformat()},D{station},{pollutant},{value},ug/m3")
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("minute", [0, 30], ids=["hours of the local clock", "hours of UTC"])
def test_delhi_runs_on_an_ordinary_station_list(tmp_path: Path, minute: int) -> None:
    """Bad from the second noon on: stage I by the mean of that day, the others at the next bulletin, in one notice."""
    (tmp_path / "stations.csv").write_text(STATIONS, encoding="utf-8")
    first = datetime(2026, 1, 10, 6, minute, tzinfo=DELHI)
    (tmp_path / "readings.csv").write_text(recording(first), encoding="utf-8")
    arguments = ["backtest", str(tmp_path / "readings.csv"), "--stations", str(tmp_path / "stations.csv")]
    shown = CliRunner().invoke(app, [*arguments, "--rules", "delhi-grap", "--json"])
    assert shown.exit_code == 0, shown.output
    (pack,) = msgspec.json.decode(shown.stdout, type=Findings).packs
    told = [(notice.rule, notice.time.astimezone(DELHI).strftime("%-d %H:%M")) for notice in pack.notices]
    assert told == [
        ("stage-1", "11 16:30"),
        ("stage-4", "12 16:30"),
        ("facilities-stage-3", "12 16:30"),
        ("residents-advisory", "12 16:30"),
    ]
