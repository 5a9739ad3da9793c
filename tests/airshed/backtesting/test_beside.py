"""The first half of a back-test in another process: the same findings, its errors here, and nothing left behind."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airshed.backtesting import beside, running
from airshed.backtesting.feed import Handed, Lane
from airshed.backtesting.recording import Recording
from airshed.backtesting.running import trial
from streams.errors import InputError
from streams.index_batches import GroundsBatch, IndexBatch
from tests.airshed.backtesting.test_running import found, stricter, write_recording
from tests.airshed.test_order_and_repetition import PACK


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_recording(tmp_path)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that a test has started."""
    processes: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            processes.append(self)

    monkeypatch.setattr(beside.subprocess, "Popen", Noted)
    return processes


def order(folder: Path, readings: str = "readings.parquet") -> tuple[Recording, list[Lane]]:
    one = trial(PACK, folder / "stations.csv")
    return Recording(folder / readings, one.registry), [Lane(one.pack.airshed, one.registry)]


def test_two_packs_beside_are_found_as_in_one_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch, started: list[subprocess.Popen[bytes]]
) -> None:
    alone = found(folder, PACK, stricter(190))
    monkeypatch.setattr(running, "worth_a_process", lambda recording: True)
    assert msgspec.json.encode(found(folder, PACK, stricter(190))) == msgspec.json.encode(alone)
    assert [process.returncode is not None for process in started] == [True]


def test_how_far_it_is_is_heard_here(folder: Path) -> None:
    shares: list[float] = []
    recording, lanes = order(folder)
    list(beside.beside(Recording(recording.path, recording.registry, shares.append), lanes))
    assert shares == [1.0]


def test_its_errors_are_raised_here(folder: Path) -> None:
    (folder / "readings.csv").write_text("station_id,time,pollutant,value,unit\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"no reading in it can be used") as caught:
        list(beside.beside(*order(folder, "readings.csv")))
    assert caught.value.place == str(folder / "readings.csv")
    assert caught.value.remedy == "is --stations its registry?"


def test_a_process_that_is_ended_from_outside_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "_PROGRAM", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(RuntimeError, match=r"ended from outside \(exit code -9\)"):
        list(beside.beside(*order(folder)))


def test_who_stops_listening_ends_it(folder: Path, started: list[subprocess.Popen[bytes]]) -> None:
    before = signal.getsignal(signal.SIGINT)
    fed = beside.beside(*order(folder))
    next(fed)
    assert started[0].returncode is None
    fed.close()
    assert started[0].returncode == -signal.SIGTERM
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_of_a_terminal_does_not_reach_it(folder: Path, started: list[subprocess.Popen[bytes]]) -> None:
    fed = beside.beside(*order(folder))
    next(fed)
    started[0].send_signal(signal.SIGINT)
    assert len(list(fed)) > 24


@pytest.mark.parametrize(("cores", "size", "worth"), [(2, 1 << 30, True), (1, 1 << 30, False), (2, 1000, False)])
def test_only_a_long_recording_and_a_second_core_are_worth_a_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch, cores: int, size: int, *, worth: bool
) -> None:
    monkeypatch.setattr(beside, "_cores", lambda: cores)
    monkeypatch.setattr(Recording, "size", lambda self: size)
    assert beside.worth_a_process(order(folder)[0]) is worth


def test_only_what_is_judged_goes_through_the_pipe(folder: Path) -> None:
    recording, lanes = order(folder)
    items = [item for item in beside.beside(recording, lanes) if isinstance(item, Handed)]
    said = [piece for item in items for piece in item.step.said]
    days = [piece for piece in said if isinstance(piece, IndexBatch)]
    assert any(isinstance(piece, GroundsBatch) and piece.occasion.product == "hour" for piece in said)
    assert {piece.occasion.product for piece in days} == ({"day"} if lanes[0].airshed.legal_track else set())
