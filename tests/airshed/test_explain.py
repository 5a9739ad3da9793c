"""Why a rule spoke or did not, over a simulated episode: the answers are right, and a person can read them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from airshed.explaining import Explanation, Question, explain, moment, open_at
from airshed.explanation_text import show
from airshed.local import store
from airshed.rehearsal import rehearse
from airshed.retelling import Record, read_record, retell, steps
from notifiers.database import connect
from rules.loading import load_pack
from rules.model import Pack
from streams.clock import HOUR_S, epoch_s, utc
from streams.errors import InputError
from streams.schemas import ProvinceState
from streams.sources.scenario_library import SCENARIOS
from tests.runtimes.installation import run

PACK = load_pack("vietnam-2026")


@cache
def record(name: str = "five-day-stagnation") -> Record:
    told = rehearse(SCENARIOS[name], PACK)
    return Record(list(told.said), told.episodes)


def local(text: str) -> datetime:
    return moment(text, PACK.airshed.zone)


def text_of(answer: Explanation, question: Question) -> str:
    console = Console(record=True, width=160, file=open("/dev/null", "w", encoding="utf-8"))  # noqa: SIM115, PTH123
    show(answer, question, console)
    return console.export_text()


@pytest.fixture(scope="module")
def opened() -> datetime:
    return record().events[0].time


def test_a_rule_that_spoke_names_its_notice(opened: datetime) -> None:
    question = Question(rule="residents-advisory", at=opened)
    answer = explain(record(), PACK, question)
    (rule,) = answer.rules
    assert (rule.reason, rule.needed, rule.made[0].provinces) == ("made", "", ["01", "24", "33"])
    assert rule.values["level"] == 1
    assert "notice" in text_of(answer, question)


def test_a_condition_that_did_not_hold_shows_the_value_it_lacked(opened: datetime) -> None:
    question = Question(rule="facilities-request-alert", at=opened)
    answer = explain(record(), PACK, question)
    (rule,) = answer.rules
    assert (rule.reason, rule.needed) == ("condition-false", "level == 2 (level is 1)")
    assert [(step.text, step.value) for step in rule.steps] == [("level == 2", "false"), ("level", "1")]
    assert "it would have needed: level == 2 (level is 1)" in text_of(answer, question)


def test_who_was_told_before_is_named() -> None:
    """Provinces already told at this level hear nothing at a later growth; only those that joined do."""
    episode = record().events[0].episode
    answer = explain(record(), PACK, Question(rule="residents-advisory", episode=episode))
    reasons = [(rule.event, rule.reason) for rule in answer.rules]
    assert reasons[0] == ("opened", "made")
    assert ("eased", "not-asked") in reasons
    late = next(rule for rule in answer.rules if rule.event == "closed")
    assert "listens to opened, grown, escalated; this event is closed" in late.because
    assert {code for told in late.before for code in told.provinces} >= {"01", "24", "33"}
    released = explain(record(), PACK, Question(rule="facilities-release-eased"))
    assert {rule.reason for rule in released.rules} >= {"not-asked", "condition-false"}


def test_before_the_opening_every_province_says_what_it_lacks(opened: datetime) -> None:
    hour = datetime.fromtimestamp(opened.timestamp() - 5 * HOUR_S, opened.tzinfo)
    question = Question(rule="residents-advisory", at=hour)
    answer = explain(record(), PACK, question)
    assert (answer.rules, answer.transitions, answer.open_episodes, answer.before) == ([], [], [], None)
    assert answer.after is not None
    assert answer.after.kind == "opened"
    assert answer.region == ["no province is surely on a level; 2 adjacent ones are needed"]
    hanoi = next(province for province in answer.provinces if province.code == "01")
    assert 0 < hanoi.hours < hanoi.hours_needed == PACK.airshed.levels[0].enter_hours
    assert f"{hanoi.hours} h in a row at or above 151, 9 h are needed" in hanoi.lacks[0]
    said = text_of(answer, question)
    assert "residents-advisory was not asked" in said
    assert "01 Hà Nội" in said


def test_an_hour_counted_is_an_hour_less_that_is_lacking(opened: datetime) -> None:
    def hours(before: int) -> int:
        hour = datetime.fromtimestamp(opened.timestamp() - before * HOUR_S, opened.tzinfo)
        return next(p.hours for p in explain(record(), PACK, Question(at=hour)).provinces if p.code == "01")

    assert [hours(6) - hours(7), hours(5) - hours(6)] == [1, 1]


def test_a_plume_in_one_province_lacks_a_neighbour() -> None:
    answer = explain(record("industrial-plume"), PACK, Question(at=local("2025-11-21T20:00"), province="Thái Nguyên"))
    assert answer.region == ["on a level: Thái Nguyên; 2 that share a border are needed"]
    (plume,) = answer.provinces
    assert plume.level_name != "none"
    assert "stands: index" in plume.leaving


def test_two_neighbours_must_be_on_a_level_together_for_long_enough(opened: datetime) -> None:
    hour = datetime.fromtimestamp(opened.timestamp() - HOUR_S, opened.tzinfo)
    (lack,) = explain(record(), PACK, Question(at=hour)).region
    assert "together for 2 of 3 h" in lack


def test_silence_is_said_to_be_unknown() -> None:
    answer = explain(record("outage-at-the-peak"), PACK, Question(at=local("2026-03-25T01:00"), province="01"))
    (hanoi,) = answer.provinces
    assert hanoi.condition == "unknown"
    assert "0 of 3 stations have an index, 50% are needed" in hanoi.lacks[0]
    assert hanoi.leaving == "watch stands: nothing is known of the hour"
    assert answer.open_episodes == [record("outage-at-the-peak").events[0].episode]


def test_what_came_later_is_not_known_at_the_hour() -> None:
    """The burst after the outage revises the silent hours; asked about one of them, the answer is what was known."""
    of_outage = record("outage-at-the-peak")
    silent = [state for state in of_outage.states if state.condition == "unknown" and state.province == "01"][-1]
    final = {state.time: state for state in of_outage.states if state.province == "01"}
    assert retell(of_outage, PACK, epoch_s(silent.time)).states["01"].condition == "unknown"
    assert final[silent.time].condition == "exceeding"


def test_retelling_a_record_gives_its_events() -> None:
    for name in ("five-day-stagnation", "outage-at-the-peak", "split-and-rejoin", "clock-seven-hours-wrong"):
        of_scenario = record(name)
        last_s = max(epoch_s(state.time) for state in of_scenario.states)
        assert retell(of_scenario, PACK, last_s).events == of_scenario.events, name
        assert explain(of_scenario, PACK, Question()).notes == [], name


def test_another_pack_answers_for_the_same_hours(opened: datetime) -> None:
    levels = [msgspec.structs.replace(level, enter_hours=3) for level in PACK.airshed.levels]
    airshed = msgspec.structs.replace(PACK.airshed, levels=levels)
    mine: Pack = msgspec.structs.replace(PACK, name="mine", version="2", airshed=airshed)
    answer = explain(record(), mine, Question(rule="residents-advisory"))
    assert answer.notes[0].startswith(f"decided under {PACK.reference}; this is what mine@2 would have made")
    assert answer.transitions[0].time < opened
    silent = explain(record(), msgspec.structs.replace(PACK, airshed=airshed), Question(at=opened))
    assert any("levels were changed without its version" in note for note in silent.notes)


def test_steps_put_revisions_before_the_hour_they_were_said_with() -> None:
    def state(hour: int, province: str = "01", revision: int = 0) -> ProvinceState:
        return msgspec.structs.replace(
            record().states[0], time=utc(hour * HOUR_S), province=province, revision=revision
        )

    first = [state(1), state(1, "24"), state(2), state(2, "24")]
    late = [state(1, revision=1), state(2, "24", 1), state(3), state(3, "24"), state(3, revision=1), state(4)]
    told = [(hour // HOUR_S, len(together)) for hour, together in steps([*first, *late])]
    assert told == [(1, 2), (2, 2), (3, 4), (4, 2)]


def test_open_episodes_are_those_between_their_first_and_last_word() -> None:
    events = record("split-and-rejoin").events
    split = next(epoch_s(event.time) for event in events if event.kind == "split")
    assert len(open_at(events, split)) == 2
    assert open_at(events, epoch_s(events[0].time) - HOUR_S) == []
    assert open_at(events, epoch_s(events[-1].time)) == []


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (Question(rule="residents-advisery"), "did you mean 'residents-advisory'?"),
        (Question(episode="red-river"), "there are: red-river-delta-"),
        (Question(province="Huế"), "it has: 01 Hà Nội"),
        (Question(at=moment("2020-01-01", "UTC")), "it has 2026-01-"),
    ],
)
def test_a_wrong_question_is_answered_with_what_there_is(question: Question, said: str) -> None:
    with pytest.raises(InputError) as caught:
        explain(record(), PACK, question)
    assert said in str(caught.value)


def test_a_time_without_an_offset_is_local() -> None:
    assert local("2026-01-13T06:00") == moment("2026-01-12T23:00Z", "Asia/Ho_Chi_Minh")
    with pytest.raises(InputError, match="is no time"):
        local("yesterday")


@dataclass
class Recorded:
    scenario: Path
    out: Path


@pytest.fixture(scope="module")
def recorded_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp("recorded")
    assert run("scenarios", "write", "year-change", "--out", str(folder / "s")).returncode == 0
    done = run(
        "replay", str(folder / "s" / "readings.csv.gz"), "--stations", str(folder / "s" / "stations.csv"),
        "--out", str(folder / "out"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    yield Recorded(folder / "s", folder / "out")


def test_the_command_reads_the_files_of_a_replay_and_readings(recorded_run: Recorded) -> None:
    asked = ("--rule", "residents-advisory", "--json")
    by_files = json.loads(run("rules", "explain", str(recorded_run.out), *asked).stdout)
    readings = recorded_run.scenario / "readings.csv.gz"
    stations = recorded_run.scenario / "stations.csv"
    by_readings = json.loads(run("rules", "explain", str(readings), "--stations", str(stations), *asked).stdout)
    assert by_files == by_readings
    assert by_files["notes"] == []
    assert [rule["reason"] for rule in by_files["rules"]] == ["made", "not-asked"]


def test_a_database_of_a_running_installation_is_a_record_too(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'airshed.sqlite'}")
    store.metadata.create_all(engine)
    with engine.begin() as connection:
        store.log_events(connection, "index.provinces", record().states)
        store.log_events(connection, "episodes", record().events)
    for path in (tmp_path, tmp_path / "airshed.sqlite"):
        assert read_record(path) == record()


def test_the_command_says_what_is_no_record(tmp_path: Path) -> None:
    wrong = run("rules", "explain", str(tmp_path))
    assert (wrong.returncode, "is no record" in wrong.stderr) == (1, True)
    with pytest.raises(InputError, match="is no record"):
        read_record(tmp_path)
