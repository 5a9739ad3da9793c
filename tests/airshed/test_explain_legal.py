"""Why a draft was made or not: days, provinces and values; and which pack judged, by whose order."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console

from airshed.dry import play
from airshed.explaining import Explanation, Question, explain
from airshed.explanation_text import show
from airshed.result_files import ResultFiles
from airshed.retelling import Record, read_record, retell
from airshed.trials import AS_GIVEN, readings_of, stations_of
from rules.activating import Order, activate
from rules.activations import BEGINNING
from rules.loading import PackFile, load_pack, pack_file
from rules.shelf import Shelf
from rules.trials import read_trials
from streams.clock import epoch_s

PACK = load_pack("vietnam-2026")
FILE = read_trials(Path(str(resources.files("rules") / "packs" / "tests" / "vietnam-2026.yaml")), PACK)
CASE = next(trial for trial in FILE.cases if trial.name.startswith("three days above 300 in two neighbours"))
START = CASE.begins.replace(tzinfo=ZoneInfo(PACK.airshed.zone))


@cache
def record() -> Record:
    """Hưng Yên and Ninh Bình at 330 on the 11th to the 14th of January; the draft came with the end of the 13th."""
    registry, made = stations_of(PACK, CASE.stations), Record([], [])
    for step in play([readings_of(PACK, CASE, registry)], PACK, registry, limits=AS_GIVEN):
        made.states += step.outcome.provinces
        made.events += step.outcome.episodes
        made.days += step.outcome.days
    return made


def after(hours: int) -> datetime:
    return START + timedelta(hours=hours)


def text_of(answer: Explanation, question: Question) -> str:
    console = Console(record=True, width=200, file=open("/dev/null", "w", encoding="utf-8"))  # noqa: SIM115, PTH123
    show(answer, question, console)
    return console.export_text()


def test_a_draft_that_was_made_names_its_days_and_provinces() -> None:
    question = Question(rule="legal-draft-inter-provincial", at=after(96))
    answer = explain(record(), PACK, question)
    assert answer.legal is not None
    assert (answer.legal.groups, answer.legal.missing) == ([["33", "37"]], "")
    shown = {p.code: ([day.index for day in p.days], p.in_a_row) for p in answer.legal.provinces}
    assert shown["33"] == ([330, 330, 330], 3)
    assert shown["01"][1] == 0
    assert [rule.reason for rule in answer.rules if rule.event == "opened"] == ["made"]
    said = text_of(answer, question)
    assert "legal track: a daily index of 301 on 3 days in a row in 1 adjacent province" in said
    assert "met in 33 37" in said
    assert "33 Hưng Yên: daily index 330, 330, 330 (the last day: 33-01 330, 33-02 330, 33-03 330)" in said


def test_a_draft_that_was_not_made_says_what_was_missing() -> None:
    question = Question(rule="legal-draft-inter-provincial", at=after(72), province="33")
    answer = explain(record(), PACK, question)
    assert answer.legal is not None
    assert answer.legal.missing == "no province has 3 days in a row; the most is 2"
    (own,) = answer.legal.provinces
    assert own.missing == "2 of 3 days; before them a day at 80, under 301"
    assert "no case: no province has 3 days in a row" in text_of(answer, question)


def test_the_legal_episode_is_retold_from_the_days() -> None:
    told = retell(record(), PACK, epoch_s(after(150)))
    assert [event.kind for event in told.events if event.track == "legal"] == ["opened", "status", "status", "closed"]
    assert explain(record(), PACK, Question()).notes == []


def test_days_are_written_and_read_with_a_record(tmp_path: Path) -> None:
    registry = stations_of(PACK, CASE.stations)
    with ResultFiles(tmp_path) as files:
        for step in play([readings_of(PACK, CASE, registry)], PACK, registry, limits=AS_GIVEN):
            files.take(step.outcome)
        files.finish()
    assert read_record(tmp_path).days == record().days
    (tmp_path / "days.jsonl").unlink()
    assert explain(read_record(tmp_path), PACK, Question(at=after(96))).legal is None, "a record of before"


def test_activations_of_a_shelf_are_told_as_they_stood(tmp_path: Path) -> None:
    text = pack_file("vietnam-2026").raw.decode()
    new = PackFile("new.yaml", text.replace(f'version: "{PACK.version}"', 'version: "77"').encode())
    activate(tmp_path, pack_file("vietnam-2026"), Order(from_=BEGINNING, by="airshed"))
    activate(tmp_path, new, Order(from_=after(60), by="duty officer", reason="as agreed"))
    shelf = Shelf(tmp_path)

    def standing(hours: int) -> list[str]:
        return [one.standing for one in explain(record(), shelf.base, Question(at=after(hours)), shelf).activations]

    assert standing(50) == ["in force", "to come"]
    first, second = standing(100)
    assert first == "in force until then"
    assert second.startswith("pending: waits for the close of red-river-delta-")
    assert standing(150) == ["over", "in force"]
    question = Question(at=after(100))
    assert "by duty officer: as agreed (pending: waits" in text_of(
        explain(record(), shelf.base, question, shelf), question
    )
