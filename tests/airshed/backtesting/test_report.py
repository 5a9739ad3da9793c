"""The report: one file that needs nothing else, says everything, and draws what it says."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest

from airshed.backtesting import report
from airshed.backtesting.findings import Findings, Yardstick, findings, yardstick
from airshed.backtesting.people import people_of
from airshed.backtesting.recording import Recording
from airshed.backtesting.reference import reference_of
from airshed.backtesting.running import Played, play, trial
from airshed.backtesting.spells import _merged, spells
from airshed.backtesting.timeline import Timeline, classes, member_levels, timeline
from airshed.backtesting.verification import Frame
from rules.model import Pack
from streams.clock import HOUR_S
from tests.airshed.backtesting.samples import START_S, event
from tests.airshed.backtesting.test_running import PACK, stricter, write_recording
from tests.airshed.backtesting.test_verification import FIRST, lives

OTHER = stricter(121)


@dataclass(frozen=True)
class Made:
    """A back-test and its page."""

    found: Findings
    played: Played
    measure: Yardstick

    @cached_property
    def text(self) -> str:
        return report.render(self.found, self.played.trials, self.measure)

    @cached_property
    def line(self) -> Timeline:
        return timeline(self.played.trials[0].tally, self.measure, (25.0, 50.0), ZoneInfo(self.found.zone))


def make(folder: Path, *packs: Pack) -> Made:
    trials = [trial(pack, folder / "stations.csv") for pack in packs]
    played = play(Recording(folder / "readings.parquet", trials[0].registry), trials)
    measure = yardstick(played, reference_of(packs[-1].airshed))
    people = people_of(packs[-1].airshed, None, None)
    return Made(findings(played, measure, people, "readings"), played, measure)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(tmp_path_factory.mktemp("recording"))


@pytest.fixture(scope="module")
def alone(recording: Path) -> Made:
    return make(recording, PACK)


@pytest.fixture(scope="module")
def both(recording: Path) -> Made:
    return make(recording, OTHER, PACK)


class Links(HTMLParser):
    """Everything a browser would fetch, and every anchor with its target."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.anchors: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = dict(attributes)
        self.ids += [found["id"] or ""] if "id" in found else []
        for name in ("src", "href", "xlink:href", "srcset", "data"):
            value = found.get(name)
            if value:
                (self.anchors if value.startswith("#") else self.fetched).append(value)


def test_one_file_without_scripts_that_fetches_nothing(both: Made) -> None:
    text = both.text
    links = Links()
    links.feed(text)
    assert links.fetched == []
    assert "script" not in links.tags
    assert "@import" not in text
    assert "url(" not in text
    assert {anchor[1:] for anchor in links.anchors} <= set(links.ids)
    assert len(links.ids) == len(set(links.ids))
    assert len(text) < 400_000


def test_every_picture_is_sound_and_has_words(both: Made) -> None:
    text, found = both.text, both.found
    pictures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(pictures) == 3 + 4  # days: two packs and the medians; hours: the same and the lines
    for picture in pictures:
        ET.fromstring(picture)
        assert "NaN" not in picture
    assert text.count('role="img" aria-label="') == len(pictures)
    for name in found.provinces.values():
        assert name in pictures[0]


def test_every_notice_and_transition_is_told_with_its_reason(alone: Made) -> None:
    text, found = alone.text, alone.found
    (pack,) = found.packs
    assert pack.notices
    for notice in pack.notices:
        assert notice.rule in text
        reason = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ", lambda time: local(time[0], found.zone), notice.reason)
        assert html.escape(reason).replace("&#x27;", "&#39;") in text
    for episode in pack.episodes:
        assert episode.name in text
    assert "Differences" not in text


def local(time: str, zone: str) -> str:
    return f"{datetime.fromisoformat(time).astimezone(ZoneInfo(zone)):%-d %b %H:%M}"


def test_every_time_on_the_page_is_local(alone: Made) -> None:
    """Reasons name the onset in UTC."""
    said = [notice.reason for pack in alone.found.packs for notice in pack.notices]
    onset = next(match for reason in said if (match := re.search(r"since (\d{4}-\d\d-\d\dT\d\d:\d\dZ)", reason)))
    assert f"exceeding since {local(onset[1], alone.found.zone)}" in alone.text
    assert not re.search(r"\d\dT\d\d:\d\dZ", alone.text)


def test_differences_come_before_everything_else(both: Made) -> None:
    text, found = both.text, both.found
    assert found.comparison is not None
    order = [text.index(f'id="{name}"') for name in ("differences", "overview", "spells", "burden", "verification")]
    assert order == sorted(order)
    body = text[order[0] : order[1]]
    assert body.count('<tr><td class="time">') == len(found.comparison.differences)
    assert "h\nearlier" in body


def test_the_same_findings_make_the_same_bytes(recording: Path, alone: Made) -> None:
    assert make(recording, PACK).text == alone.text


def test_names_are_text_whatever_they_contain(recording: Path) -> None:
    first, *others = PACK.airshed.provinces
    named = msgspec.structs.replace(first, names={"vi": "<script>alert(1)</script>"})
    airshed = msgspec.structs.replace(PACK.airshed, provinces=[named, *others])
    text = make(recording, msgspec.structs.replace(PACK, airshed=airshed)).text
    assert "<script" not in text
    assert "&lt;script" in text


def test_an_old_report_stays_until_the_new_one_is_whole(
    alone: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out" / "report.html"
    report.write(path, alone.found, alone.played.trials, alone.measure)
    before = path.read_bytes()

    def fail(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "render", fail)
    with pytest.raises(KeyboardInterrupt):
        report.write(path, alone.found, alone.played.trials, alone.measure)
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == [path]


def test_levels_by_hour_are_those_of_the_transitions() -> None:
    levels = member_levels(
        lives(
            event(10, "opened", 1, "01 24"),
            event(12, "escalated", 2, "01 24"),
            event(14, "eased", 1, "01"),
            event(15, "revised", 3, "01"),
            event(16, "closed", 0, "01"),
            event(18, "opened", 1, "01"),
        ).operational(),
        Frame(FIRST, 20, ["01", "24", "31"]),
    )
    assert levels[:, 0].tolist() == [0] * 10 + [1, 1, 2, 2, 1, 1, 0, 0, 1, 1]
    assert levels[:, 1].tolist() == [0] * 10 + [1, 1, 2, 2] + [0] * 6
    assert not levels[:, 2].any()


def test_classes_of_concentrations() -> None:
    means = np.array([[0.0, 25.0, 25.1, 600.0, np.nan]], np.float32)
    assert classes(means, (25.0, 50.0, 250.0)).tolist() == [[0, 0, 1, 3, -1]]


def test_days_are_local_and_hold_the_highest_of_their_hours(alone: Made) -> None:
    whole = alone.line
    assert START_S // HOUR_S == FIRST
    assert whole.starts[0] == datetime(2026, 1, 12)  # noqa: DTZ001 - wall-clock time
    course = whole.daily(date(2026, 1, 12), date(2026, 1, 15))
    assert [edge.day for edge in course.edges] == [12, 13, 14, 15, 16]
    hours = whole.hourly.levels
    for day in range(3):
        assert course.levels[day, 0] == hours[24 * day : 24 * day + 24, 0].max()
    assert (course.levels[:, 1] == -1).all()  # Thái Nguyên has no station here


def test_stretches_cover_exactly_what_has_a_value(alone: Made) -> None:
    course = alone.line.between(0, 83)
    for values in (course.levels, course.classes):
        painted = np.full(values.shape, -7, np.int16)
        for stretch in course.stretches(values, without=0):
            rows = [row for row, edge in enumerate(course.edges[:-1]) if stretch.start <= edge < stretch.end]
            assert (painted[rows, stretch.column] == -7).all()
            painted[rows, stretch.column] = stretch.value
        assert (painted == np.where(values == 0, -7, values)).all()


def test_spells_hold_every_episode_event_and_notice_once(both: Made) -> None:
    found = both.found
    told = spells(found, both.played.trials, both.measure)
    for number, pack in enumerate(found.packs):
        assert [row.name for spell in told for row in spell.packs[number].episodes] == [r.name for r in pack.episodes]
        assert [row.id for spell in told for row in spell.packs[number].notices] == [r.id for r in pack.notices]
    assert [row.name for spell in told for row in spell.references] == [row.name for row in found.reference_events]


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([], []),
        ([(50, 60)], [(26, 84)]),
        ([(5, 60), (20, 90)], [(0, 114)]),
        ([(50, 60), (108, 120)], [(26, 144)]),  # 48 hours apart: their days around them touch
        ([(50, 60), (109, 120)], [(26, 84), (85, 144)]),
        ([(50, 540), (580, 600)], [(26, 560), (561, 624)]),  # too long together: cut half way
        ([(50, 900), (800, 990)], [(26, 999)]),  # one and the same weather, however long
    ],
)
def test_spells_are_what_belongs_together(ranges: list[tuple[int, int]], expected: list[tuple[int, int]]) -> None:
    assert _merged(ranges, 1000) == expected
