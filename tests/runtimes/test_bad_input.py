"""Bad input of every kind leaves everything else running, and says where it is and what to do."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rules.loading import packaged_packs
from tests.runtimes.installation import run, start, until

STATIONS = """station_id,name,lat,lon,province,agency
HN_KHI_01,Hà Nội 01,21.03,105.85,Hà Nội,Sở NN&MT
BN_KHI_01,Bắc Ninh 01,21.18,106.06,Bắc Giang,Sở NN&MT
"""
SUBSCRIBERS = """subscriber_id,language,province,level,channels,email,phone
R1,vi,01,1,sms,,+84900001111
R2,vi,01,1,sms,,12345
R3,en,24,1,email,not-an-address,
R4,vi,Atlantis,1,email,r4@example.invalid,
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def full_hour() -> datetime:
    """The end of the latest full hour: tidy readings without a period are hourly means."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def install(folder: Path, extra: str = "") -> Path:
    """An installation whose mail server is down (nobody listens at the sandbox's addresses)."""
    (folder / "incoming" / "HN_KHI_01").mkdir(parents=True)
    (folder / "stations.csv").write_text(STATIONS, encoding="utf-8")
    (folder / "subscribers.csv").write_text(SUBSCRIBERS, encoding="utf-8")
    web, closed = free_port(), free_port()
    config = folder / "airshed.toml"
    config.write_text(
        f"""
subscribers = "subscribers.csv"
{extra}
[[sources]]
name = "drop"
kind = "directory"
path = "incoming"
poll_s = 0.2
[gateway]
mark_every_s = 0.5
[web]
port = {web}
public_url = "http://127.0.0.1:{web}"
[sandbox]
smtp = "127.0.0.1:{closed}"
http = "http://127.0.0.1:{closed}"
""",
        encoding="utf-8",
    )
    return config


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@contextmanager
def running(config: Path, log: Path) -> Iterator[str]:
    """``airshed up`` while the block runs; it must end well when it is asked to."""
    base = next(line.split('"')[1] for line in config.read_text().splitlines() if line.startswith("public_url"))
    process = start("up", "--config", str(config), log=log)
    try:
        until(lambda: reachable(f"{base}/livez"), log)
        yield base
        process.terminate()
        assert process.wait(30) == 0, log.read_text(encoding="utf-8")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def reachable(url: str) -> bool:
    try:
        return get(url)[0] == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def counted(base: str) -> float:
    for line in get(f"{base}/metrics")[1].splitlines():
        if line.startswith('airshed_readings_total{outcome="counted"}'):
            return float(line.rsplit(" ", 1)[1])
    return 0.0


def drop(folder: Path, name: str, content: bytes) -> None:
    (folder / "incoming" / name).write_bytes(content)


def tidy(*rows: str) -> bytes:
    return ("time,station_id,pollutant,value,unit\n" + "\n".join(rows) + "\n").encode()


@pytest.mark.slow
def test_bad_readings_are_rejected_alone_while_everything_runs(tmp_path: Path) -> None:
    config, log, stamp = install(tmp_path), tmp_path / "log", full_hour().isoformat()
    local = full_hour() + timedelta(hours=7)
    with running(config, log) as base:
        drop(tmp_path, "good.csv", tidy(f"{stamp},HN_KHI_01,pm25,81.5,ug/m3"))
        drop(tmp_path, "station.csv", tidy(f"{stamp},NOWHERE,pm25,81.5,ug/m3", f"{stamp},BN_KHI_01,pm25,70,ug/m3"))
        drop(tmp_path, "unit.csv", tidy(f"{stamp},HN_KHI_01,o3,81.5,furlongs"))
        drop(tmp_path, "time.csv", tidy("2026-02-30T00:00:00+07:00,HN_KHI_01,no2,81.5,ug/m3"))
        drop(tmp_path, "future.csv", tidy("2099-01-01T00:00:00+07:00,HN_KHI_01,no2,81.5,ug/m3"))
        line = f"PM10\t96,4\tµg/Nm3\t{local:%Y%m%d%H%M%S}\t00\r\n"
        drop(tmp_path, f"HN_KHI_01/HN_KHI_01_{local:%Y%m%d%H%M%S}.txt", (line + "PM2,5\t12").encode())
        until(lambda: counted(base) >= 3, log)
        until(lambda: len(rejected(config)) >= 5, log)
        assert get(f"{base}/readyz")[0] == 200
        messages = {item["reason"]: item["message"] for item in rejected(config)}
    assert "station.csv:2" in messages["unknown-station"]
    assert "NOWHERE" in messages["unknown-station"]
    assert "unit.csv:2" in messages["unknown-unit"]
    assert "furlongs" in messages["unknown-unit"]
    assert "time.csv:2" in messages["bad-time"]
    assert "future.csv" in messages["clock-ahead"]
    assert any("HN_KHI_01_" in message and ":2" in message for message in messages.values())
    assert all("(" in message for message in messages.values()), "every message ends with the remedy"
    logged = log.read_text(encoding="utf-8")
    assert "subscribers.csv:3" in logged
    assert "subscribers.csv:5" in logged
    assert "+84900001111" not in logged
    assert "r4@example.invalid" not in logged


def rejected(config: Path) -> list[dict[str, Any]]:
    done = run("rejected", "list", "--json", "--config", str(config))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def test_a_pack_with_an_error_is_refused_with_its_line(tmp_path: Path) -> None:
    assert "vietnam-2026" in packaged_packs()
    source = Path(__file__).parents[2] / "rules" / "packs" / "vietnam-2026.yaml"
    lines = source.read_text(encoding="utf-8").splitlines()
    wrong = next(n for n, line in enumerate(lines) if line.strip().startswith("exit_hours:"))
    lines[wrong] = lines[wrong].replace("exit_hours: ", "exit_hours: soon #")
    pack = tmp_path / "mine.yaml"
    pack.write_text("\n".join(lines), encoding="utf-8")
    for arguments in (
        ["rules", "check", str(pack)],
        ["up", "--config", str(install(tmp_path / "site", f'pack = "{pack}"'))],
    ):
        refused = run(*arguments)
        assert refused.returncode == 1
        assert f"mine.yaml:{wrong + 1}:" in refused.stderr
        assert "exit_hours" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_wrong_usage_is_said_in_one_line(tmp_path: Path) -> None:
    missing = run("replay", str(tmp_path / "none.csv"), "--stations", str(tmp_path / "none.csv"))
    assert (missing.returncode, "Traceback" in missing.stderr) == (1, False)
    assert "none.csv" in missing.stderr
    assert run("replay").returncode == 2
    assert run("no-such-command").returncode == 2
