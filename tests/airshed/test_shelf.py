"""Packs over time through all stages: a replay with a shelf, and the commands that fill it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from airshed.pipeline import Pipeline
from rules.activating import Order, activate
from rules.loading import PackFile, load_pack, pack_file
from rules.shelf import Shelf
from streams.batches import ReadingBatch
from streams.clock import HOUR_S, utc
from streams.gateway import replay
from streams.schemas import Mark
from tests.airshed.test_order_and_repetition import LATENESS_S, START_S, registry, stagnation
from tests.runtimes.installation import run, write_recording

BASE = pack_file("vietnam-2026")
STATIONS = "station_id,name,lat,lon,province,agency\nHN_KHI_01,Hà Nội 01,21.03,105.85,Hà Nội,Sở NN&MT\n"


def version(number: int, *changes: tuple[str, str]) -> PackFile:
    """The packaged pack under a higher version, with some texts changed."""
    text = BASE.raw.decode()
    version_1 = f'version: "{load_pack("vietnam-2026").version}"'
    for before, after in ((version_1, f'version: "{number}"'), *changes):
        assert before in text
        text = text.replace(before, after)
    return PackFile("mine.yaml", text.encode())


RENAMED = ("id: residents-advisory", "id: people-advisory")


def shelf(folder: Path, *activations: tuple[PackFile, int, str]) -> Shelf:
    """A shelf for recorded data: packs, each from an hour of the stagnation on, maybe moving an episode."""
    for pack, hour, episode in activations:
        order = Order(from_=utc(START_S + hour * HOUR_S), by="author", episode=episode)
        activate(folder, pack, order, BASE)
    return Shelf(folder)


def said(given: Shelf | None, cuts: tuple[int, ...] = (), later: Shelf | None = None) -> tuple[list[Any], list[Any]]:
    """Episodes and notices of the stagnation; the stages are made anew, on their state, after the marks of ``cuts``.

    ``later``: the shelf they are made anew with.
    """
    readings: ReadingBatch = stagnation(np.random.Generator(np.random.PCG64(7)))
    states: dict[str, dict[str, bytes]] = {}

    def pipeline() -> Pipeline:
        base = given.base if given else load_pack("vietnam-2026")
        return Pipeline(base, registry(), lambda name: states.setdefault(name, {}), mode="exercise", shelf=given)

    stages = pipeline()
    episodes: list[Any] = []
    notices: list[Any] = []
    marks = 0
    for item in replay(readings, step_s=HOUR_S, lateness_s=LATENESS_S):
        if not isinstance(item, Mark):
            stages.accept(item)
            continue
        outcome = stages.advance(item)
        episodes += outcome.episodes
        notices += outcome.notices
        marks += 1
        if marks in cuts:
            given = later or given
            stages = pipeline()
    return episodes, notices


@pytest.fixture(scope="module")
def plain() -> tuple[list[Any], list[Any]]:
    """What the configured pack alone says."""
    episodes, notices = said(None)
    assert [event.kind for event in episodes if event.kind in ("opened", "closed")] == ["opened", "closed"]
    return episodes, notices


def test_an_empty_shelf_changes_nothing(tmp_path: Path, plain: tuple[list[Any], list[Any]]) -> None:
    assert said(Shelf(tmp_path, load_pack("vietnam-2026"))) == plain


def test_a_pack_activated_during_an_episode_waits_for_its_end(
    tmp_path: Path, plain: tuple[list[Any], list[Any]]
) -> None:
    episodes, notices = said(shelf(tmp_path, (version(77, RENAMED), 45, "")))
    assert (episodes, notices) == plain


def test_an_episode_moved_to_a_pack_with_other_names_is_told_nothing_twice_and_hears_the_end(
    tmp_path: Path, plain: tuple[list[Any], list[Any]]
) -> None:
    opened = plain[0][0]
    hour = (int(opened.time.timestamp()) - START_S) // HOUR_S + 1
    moved = shelf(tmp_path, (version(77, RENAMED), hour, opened.episode))
    episodes, notices = said(moved)
    assert {event.pack for event in episodes[1:]} == {"vietnam-2026@77"}
    assert {notice.pack for notice in notices if notice.time > opened.time} == {"vietnam-2026@77"}

    def heard(made: list[Any]) -> list[Any]:
        return [(n.time, n.rule.replace("people", "residents"), n.audience.provinces, n.level) for n in made]

    assert heard(notices) == heard(plain[1])
    assert any(notice.rule == "residents-all-clear" for notice in notices)


def test_restarts_change_nothing_whenever_packs_change(tmp_path: Path, plain: tuple[list[Any], list[Any]]) -> None:
    opened = plain[0][0]
    given = shelf(
        tmp_path,
        (version(77, ("enter: 151", "enter: 141"), ("exit: 130", "exit: 120")), 30, ""),
        (version(78, RENAMED), 50, opened.episode),
        (version(79), 70, ""),
    )
    expected = said(given)
    assert {event.pack for event in expected[0]} > {"vietnam-2026@77"}
    assert said(given, cuts=(1, 20, 33, 34, 49, 50, 51, 71)) == expected


def test_a_restart_with_another_configured_pack_before_the_first_activation(
    tmp_path: Path, plain: tuple[list[Any], list[Any]]
) -> None:
    """It takes over at once, in the middle of the episode; afterwards it is the base of what is activated."""
    first, later = Shelf(tmp_path, BASE.parsed()), Shelf(tmp_path, version(77).parsed())
    hour = (int(plain[0][0].time.timestamp()) - START_S) // HOUR_S
    episodes, notices = said(first, cuts=(hour + 2,), later=later)
    assert [event.pack for event in episodes][:: len(episodes) - 1] == [BASE.parsed().reference, "vietnam-2026@77"]
    assert [(n.time, n.rule, n.audience) for n in notices] == [(n.time, n.rule, n.audience) for n in plain[1]]


def test_a_replay_follows_the_activations_of_a_folder(tmp_path: Path) -> None:
    write_recording(tmp_path)
    (tmp_path / "mine.yaml").write_bytes(version(77, RENAMED).raw)
    shelf_of_packs = str(tmp_path / "rules")
    for pack, hour in (("vietnam-2026", "2026-01-01T00:00Z"), (str(tmp_path / "mine.yaml"), "2026-01-11T00:00Z")):
        given = ("--folder", shelf_of_packs, "--recorded", "--from", hour)
        done = run("rules", "activate", pack, *given)
        assert done.returncode == 0, done.stderr
    readings, stations = str(tmp_path / "readings.csv.gz"), str(tmp_path / "stations.csv")
    out = ("--out", str(tmp_path / "out"))
    done = run("replay", readings, "--stations", stations, "--rules", shelf_of_packs, *out)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in (tmp_path / "out" / "episodes.jsonl").read_text().splitlines()]
    assert {event["pack"] for event in events} == {"vietnam-2026@77"}


def install(folder: Path) -> str:
    (folder / "stations.csv").write_text(STATIONS, encoding="utf-8")
    config = folder / "airshed.toml"
    config.write_text('[rules]\nfolder = "rules"\n', encoding="utf-8")
    return str(config)


def test_activating_shows_on_the_authors_screen(tmp_path: Path) -> None:
    config = install(tmp_path)
    (tmp_path / "mine.yaml").write_bytes(version(77).raw)
    mine = str(tmp_path / "mine.yaml")
    hour = (datetime.now(UTC) + timedelta(hours=5)).replace(minute=0, second=0, microsecond=0)
    done = run("rules", "activate", mine, "--config", config, "--from", hour.isoformat(), "--by", "a", "--reason", "b")
    assert done.returncode == 0, done.stderr
    assert "vietnam-2026@77 judges from the hour that ends" in done.stdout
    (tmp_path / "rules" / "draft.yaml").write_bytes(version(78, ("enter: 151", "enter: high")).raw)
    shown = json.loads(run("rules", "status", "--config", config, "--json").stdout)
    assert shown["in_force"] == f"vietnam-2026@{load_pack('vietnam-2026').version}"
    assert [(line["pack"], line["by"], line["reason"]) for line in shown["coming"]] == [("vietnam-2026@77", "a", "b")]
    (refused,) = shown["refused"]
    assert "draft.yaml:" in refused["place"]
    assert refused["field"] == "airshed.levels[0].enter"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--from", "2026-01-01T00:00"), "is past, or too near"),
        (("--from", "2126-01-01T00:30"), "is no full hour (decisions fall hourly"),
        (("--from", "soon"), "'soon' is no time (write it like 2026-01-13T08:00"),
    ],
)
def test_an_hour_that_cannot_be_is_refused_with_what_to_do(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    (tmp_path / "mine.yaml").write_bytes(version(7).raw)
    done = run("rules", "activate", str(tmp_path / "mine.yaml"), "--config", install(tmp_path), *arguments)
    assert done.returncode == 1
    assert says in done.stderr
    assert not (tmp_path / "rules" / "activations.jsonl").exists()


def test_without_a_folder_there_is_nothing_to_activate(tmp_path: Path) -> None:
    config = Path(install(tmp_path))
    config.write_text("", encoding="utf-8")
    done = run("rules", "activate", "vietnam-2026", "--config", str(config))
    assert done.returncode == 1
    assert 'rules.folder: this installation has one pack for good (add [rules] with folder = "rules"' in done.stderr
