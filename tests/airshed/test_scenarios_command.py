"""The command line of the scenarios: a list, files that replay, and a check that fails when a story changes."""

from __future__ import annotations

import json
from pathlib import Path

from rules.packs import __file__ as packs
from streams.sources.scenario_library import SCENARIOS
from tests.runtimes.installation import run


def test_the_list_names_them_all() -> None:
    listed = json.loads(run("scenarios", "list", "--json").stdout)
    assert [entry["name"] for entry in listed] == list(SCENARIOS)
    assert run("scenarios", "list").stdout.count("\n") > len(SCENARIOS)


def test_a_written_scenario_replays_to_its_story(tmp_path: Path) -> None:
    folder, out = tmp_path / "old", tmp_path / "out"
    written = run("scenarios", "write", "old-province-codes", "--out", str(folder))
    assert written.returncode == 0, written.stderr
    assert ",27," in (folder / "stations.csv").read_text(encoding="utf-8")
    done = run("replay", str(folder / "readings.csv.gz"), "--stations", str(folder / "stations.csv"), "--out", str(out))
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in (out / "episodes.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [event["kind"] for event in events] == ["opened", "closed"]
    assert [province["code"] for province in events[0]["provinces"]] == ["01", "24", "33"]
    again = run("scenarios", "write", "clean-week", "--out", str(folder))
    assert (again.returncode, "give another --out" in again.stderr) == (1, True)


def test_a_pack_is_checked_against_the_stories(tmp_path: Path) -> None:
    good = run("scenarios", "check", "industrial-plume", "year-change", "--json")
    assert good.returncode == 0, good.stderr
    assert [verdict["ok"] for verdict in json.loads(good.stdout)] == [True, True]
    text = (Path(packs).parent / "vietnam-2026.yaml").read_text(encoding="utf-8")
    changed = tmp_path / "mine.yaml"
    changed.write_text(text.replace("enter: 151", "enter: 195"), encoding="utf-8")
    bad = run("scenarios", "check", "year-change", "--rules", str(changed))
    assert bad.returncode == 1
    assert "year-change: NOT as expected\n  1 episodes were expected, there are 0" in bad.stdout


def test_a_wrong_name_is_answered_with_the_right_one() -> None:
    wrong = run("scenarios", "check", "firework")
    assert (wrong.returncode, "did you mean fireworks?" in wrong.stderr) == (1, True)
    assert "did you mean fireworks?" in run("demo", "--scenario", "firework").stderr
