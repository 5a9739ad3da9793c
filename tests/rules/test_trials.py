"""The cases of the packs that come with Airshed, and what becomes of cases that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from airshed.commands.rules import app
from airshed.commands.rules_test import beside
from airshed.trials import differences, pm25_of_index, readings_of, stations_of
from rules.loading import packaged_packs
from rules.trials import course, read_trials
from streams.errors import PackError
from tests.airshed.cases import CASES, Case

PACKS = {case.pack.name: case.pack for case in CASES}
FILES = {case.pack.name: case.file for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_case_comes_out_as_expected(case: Case) -> None:
    found = differences(case.file, case.number, case.pack)
    assert [f"{difference.place}: {difference.message}" for difference in found] == []


@pytest.mark.parametrize("name", packaged_packs())
def test_every_pack_says_also_what_must_not_be_sent(name: str) -> None:
    cases = FILES[name].cases
    assert any(trial.expect for trial in cases)
    assert any(not trial.expect for trial in cases)
    spoken = {expected.rule for trial in cases for expected in trial.expect}
    silent = {rule for trial in cases for rule in trial.never}
    assert {rule.id for rule in PACKS[name].rules} - spoken - silent == set(), "a rule that no case speaks of"


def test_courses() -> None:
    assert course("20*2 ? 20..50*3 7.5") == [20, 20, None, 30, 40, 50, 7.5]
    with pytest.raises(ValueError, match="'2O' is no piece"):
        course("10 2O")


@pytest.mark.parametrize(("name", "index", "pm25"), [("vietnam-2026", 150, 80), ("vietnam-2026", 200, 150)])
def test_an_index_is_given_as_the_particles_that_have_it(name: str, index: int, pm25: float) -> None:
    assert pm25_of_index(PACKS[name].airshed.standard, index) == pytest.approx(pm25, abs=0.01)


def test_an_index_is_inverted_once_however_many_hours_have_it() -> None:
    """Halving forty times for every reading was five sixths of the time of a case."""
    pm25_of_index.cache_clear()
    trial = next(trial for trial in FILES["china-2024"].cases if "index" in trial.of_province("11"))
    registry = stations_of(PACKS["china-2024"], trial.stations)
    batch = readings_of(PACKS["china-2024"], trial, registry)
    assert pm25_of_index.cache_info().misses == len(set(batch.value.tolist())) < len(batch) / 100


CASE = """pack: korea
cases:
  - name: one
    start: {start}
    hours: {{everywhere: {{{pollutant}: "20*24 {course}"}}}}
    expect: [{{at: {at}, rule: {rule}}}]
    never: [{never}]
"""
RIGHT = {
    "start": "2026-03-03 00:00",
    "pollutant": "pm25",
    "course": "80*4 20*2",
    "at": "26",
    "rule": "residents-advisory",
    "never": "",
}


@pytest.mark.parametrize(
    ("wrong", "place", "message"),
    [
        ({"rule": "residents-advsory"}, "6:29", "korea has no rule 'residents-advsory' (did you mean 'residents-ad"),
        ({"never": "warning"}, "7:13", "korea has no rule 'warning'"),
        ({"course": "8O"}, "5:32", "'8O' is no piece of a course (write e.g. 20*24 20..90*6 ?*3)"),
        ({"pollutant": "pm2.5"}, "5:26", "'pm2.5' is nothing that is measured (did you mean 'pm25'?)"),
        ({"start": "2026-03-03"}, "4:12", "expected str matching regex"),
        ({"start": "2026-03-03 00:30"}, "4:12", "2026-03-03 00:30 is no full hour of UTC"),
        ({"at": "noon"}, "6:19", "'noon' (hours: 31, or 31-35)"),
    ],
)
def test_cases_that_are_refused(tmp_path: Path, wrong: dict[str, str], place: str, message: str) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(CASE.format(**(RIGHT | wrong)), encoding="utf-8")
    with pytest.raises(PackError) as caught:
        read_trials(path, PACKS["korea"])
    assert any(problem.place == f"cases.yaml:{place}" for problem in caught.value.problems), str(caught.value)
    assert any(message in str(problem) for problem in caught.value.problems), str(caught.value)


def test_the_command_says_what_differs_and_where(tmp_path: Path) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(CASE.format(**(RIGHT | {"never": "residents-all-clear"})), encoding="utf-8")
    answer = CliRunner().invoke(app, ["test", "korea", str(path)])
    assert answer.exit_code == 1
    assert answer.output.splitlines() == [
        "FAIL one",
        "       cases.yaml:7:13: not expected: residents-all-clear at hour 29 (none) to residents of "
        "11 28 30 36 41 43 44",
        "korea@2: 1 case, 1 not as expected",
    ]
    path.write_text(CASE.format(**(RIGHT | {"at": "25"})), encoding="utf-8")
    answer = CliRunner().invoke(app, ["test", "korea", str(path)])
    assert "cases.yaml:6:14: expected residents-advisory at hour 25: residents-advisory at hour 26" in answer.output


def test_a_pack_without_cases_says_where_they_belong(tmp_path: Path) -> None:
    pack = tmp_path / "mine.yaml"
    pack.write_text("", encoding="utf-8")
    with pytest.raises(PackError, match=r"tests/mine\.yaml: there is no file of cases"):
        beside(str(pack), "mine")
