"""What a pack asks of people; who gets a message is held against the planner that really plans them."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from airshed.backtesting.burden import Burden, Distribution, Season, burden
from airshed.backtesting.lives import Lives
from airshed.backtesting.people import People, people_of
from airshed.backtesting.tallies import Tally, Told
from airshed.pipeline import Outcome
from notifiers.database import connect, upgrade
from notifiers.planner import plan
from notifiers.registries import ImportRules
from notifiers.subscribers import import_subscribers
from notifiers.tables import ledger
from rules.loading import load_pack
from rules.notices import Notice
from streams.errors import InputError, RegistryError
from streams.schemas import EpisodeEvent
from tests.airshed.backtesting.samples import START_S, event, told
from tests.notifiers.samples import AIRSHED, VAULT, notice

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NAMES = {"01": "Hà Nội", "24": "Bắc Ninh"}
ONE_EACH = People({("01", 1): 1, ("24", 1): 1}, {"01": 1, "24": 1})


def measured(
    notices: list[Told], *events: EpisodeEvent, people: People = ONE_EACH, days: int = 30, first_s: int = START_S
) -> Burden:
    lives = Lives()
    lives.follow(events)
    season = Season(first_s, first_s + days * 86_400, ZONE)
    return burden(notices, lives.operational(), people, season, NAMES)


def test_messages_per_resident_and_month() -> None:
    """12 January to 11 March: three calendar months, two residents, six resident-months."""
    notices = [told(0), told(5, provinces="01 24"), told(30 * 24)]
    found = measured(notices, days=58)
    assert found.months == 3
    assert found.per_month == Distribution(mean=round(4 / 6, 2), median=0, ninetieth=2, most=2, none_share=0.5)
    assert [(p.code, p.messages, p.most_in_a_month) for p in found.provinces] == [("01", 3, 2), ("24", 1, 1)]


def test_residents_weigh_by_their_number() -> None:
    people = People({("01", 1): 999, ("24", 1): 1}, {})
    assert measured([told(0)], people=people, days=5).per_month.mean == 1.0


@pytest.mark.parametrize(
    ("hour", "night"), [(21, False), (22, True), (23, True), (24, True), (29, True), (30, False), (36, False)]
)
def test_wake_ups_are_by_the_local_hour_in_which_messages_go_out(hour: int, night: bool) -> None:
    assert measured([told(hour)]).wake_ups_most == int(night)


def test_what_has_lapsed_when_quiet_hours_end_reaches_nobody() -> None:
    noon, night = notice(), notice(hours=5, quiet_hours="22:00-06:00")  # 18:00 and 23:00, of use for 12 hours
    brief = notice(hours=5, quiet_hours="22:00-06:00", valid_until=night.time + timedelta(hours=3))
    tally = Tally(load_pack("vietnam-2026"))
    tally.add(Outcome(notices=[noon, night, brief]))
    assert [(told.sent_s - told.time_s, told.lapsed) for told in tally.told] == [
        (600, False),
        (7 * 3600, False),
        (7 * 3600, True),
    ]
    assert measured([told(0), told(1, lapsed=True)]).per_month.most == 1
    assert measured([told(0, "request", recipients="facilities", lapsed=True)]).plant_days == 0


def test_plant_days_run_from_the_request_to_the_release() -> None:
    notices = [
        told(0, "request", "01 24", recipients="facilities"),
        told(24, "request", "01", recipients="facilities", level=2),
        told(48, "all-clear", "01", recipients="facilities"),
        told(60, "request", "01", recipients="facilities"),
        told(72, "all-clear", "01", recipients="facilities"),
    ]
    found = measured(notices, people=People({}, {"01": 10, "24": 1}), days=4)
    assert [p.curtailment_days for p in found.provinces] == [2.5, pytest.approx(4.0, abs=0.01)]
    assert found.plant_days == pytest.approx(29.0)
    assert found.open_requests == 1


def test_what_was_opened_and_soon_withdrawn() -> None:
    events = [
        event(0, "opened", 1, "01 24"),
        event(5, "escalated", 2, "01 24"),
        event(20, "eased", 1, "01 24"),
        event(40, "closed", 0, "01 24"),
        event(100, "opened", 1, "01 24", episode="F"),
        event(123, "closed", 0, "01 24", episode="F"),
    ]
    found = measured([told(0), told(5, level=2), told(100, episode="F"), told(40, "all-clear")], *events)
    assert (found.episodes, found.withdrawn_episodes) == (2, 1)
    assert (found.warnings, found.withdrawn_warnings) == (3, 2)


def test_an_episode_open_at_the_end_is_not_withdrawn() -> None:
    found = measured([told(0)], event(0, "opened", 1, "01 24"), days=1)
    assert (found.withdrawn_episodes, found.withdrawn_warnings) == (0, 0)


def test_nothing_said_is_no_burden() -> None:
    found = measured([])
    assert found.per_month == Distribution(0.0, 0, 0, 0, 1.0)
    assert (found.wake_ups, found.plant_days, found.warnings) == (0.0, 0.0, 0)


SEQUENCE = [
    notice("advisory", level=2, provinces=["01", "24"]),
    notice("advisory", level=3, provinces=["01"], transition=2, hours=3),
    notice("advisory", level=1, provinces=["31"], transition=3, hours=4),
    notice("request", recipients="facilities", provinces=["01"], transition=4, hours=5),
    notice("all-clear", level=0, provinces=["01", "24", "31"], transition=5, hours=30, told_in=notice().episode),
]


def test_who_gets_a_message_is_what_the_planner_plans(tmp_path: Path) -> None:
    rows = [(f"s-{code}-{level}", code, level) for code in ("01", "24", "31") for level in (1, 2, 3)]
    path = tmp_path / "subscribers.csv"
    lines = [f"{name},{code},{level},0912{number:06d}" for number, (name, code, level) in enumerate(rows)]
    path.write_text("subscriber_id,province,level,phone\n" + "\n".join(lines), encoding="utf-8")
    planned = _planned(path, tmp_path, SEQUENCE)

    tally = Tally(load_pack("vietnam-2026"))
    tally.add(Outcome(notices=list(SEQUENCE)))
    first_s = tally.told[0].time_s
    for name, code, level in rows:
        people = People({(code, level): 1}, {})
        got = measured(tally.told, people=people, first_s=first_s, days=2).per_month.most
        assert got == planned[name], name
    assert people_of(AIRSHED, path, None).residents == Counter({(code, level): 1 for _, code, level in rows})


def _planned(path: Path, folder: Path, notices: list[Notice]) -> Counter[str]:
    """Messages by subscriber, as the planner writes them into a ledger."""
    engine = connect(f"sqlite:///{folder / 'ledger.sqlite'}")
    upgrade(engine)
    with engine.begin() as connection:
        assert import_subscribers(connection, path, VAULT, ImportRules([AIRSHED])).accepted == 9
        for one in notices:
            plan(connection, one)
        rows = connection.execute(select(ledger.c.recipient).where(ledger.c.state == "planned"))
        return Counter(row.recipient for row in rows)


def test_without_a_file_one_notional_recipient_stands_in_every_province() -> None:
    people = people_of(AIRSHED, None, None)
    assert people.residents == {("01", 1): 1, ("24", 1): 1, ("31", 1): 1}
    assert people.plants == {"01": 1, "24": 1, "31": 1}
    assert people.notional_residents


def test_rows_that_cannot_be_counted_are_named(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("subscriber_id,province,level\na,Hà Nội,1\nb,Atlantis,1\nc,24,150\n", encoding="utf-8")
    people = people_of(AIRSHED, path, None)
    assert people.residents == {("01", 1): 1}
    assert [text.split(": ")[0] for text in people.refused] == [f"{path}:3", f"{path}:4"]
    path.write_text("name\n", encoding="utf-8")
    with pytest.raises(RegistryError, match="no column subscriber_id, province"):
        people_of(AIRSHED, path, None)
    with pytest.raises(InputError, match="cannot be read"):
        people_of(AIRSHED, tmp_path / "nobody.csv", None)
