"""A later message speaks for its own places: no place is lost, and none is spoken of twice."""

from __future__ import annotations

from functools import partial
from itertools import permutations, product

import pytest
from sqlalchemy import Engine, literal, select

from notifiers import standings
from notifiers.database import reading
from notifiers.place_lists import covers, meets, mentions, provinces_in, without
from rules.notices import Notice
from tests.notifiers.residents import forgotten, person, rows, send
from tests.notifiers.samples import NOON, notice
from tests.notifiers.test_last_look import event
from tests.notifiers.workplace import planned

NIGHT = "22:00-06:00"
EPISODE = notice().episode
MORNING_S = NOON.timestamp() + 12 * 3600 + 60  # 06:01 in Hà Nội


def night(provinces: str, **changes: object) -> Notice:
    """A warning of 23:00, held until 06:00."""
    return notice(**({"provinces": provinces.split(), "hours": 5, "quiet_hours": NIGHT} | changes))


def end(provinces: str, hours: int, transition: int = 9) -> Notice:
    return notice(
        "all-clear", level=0, provinces=provinces.split(), hours=hours, transition=transition, told_in=EPISODE
    )


def told(engine: Engine, now_s: float = MORNING_S) -> list[tuple[str, list[str]]]:
    return [(row.kind, provinces_in(row.places)) for row in send(engine, now_s)]


LISTS = [
    # a list, another, whether it covers the other, whether they meet, what is left of the other in the first
    ("0:01,1:24", "0:01", True, True, "1:24"),
    ("0:01,1:24,2:31", "2:31,0:01", True, True, "1:24"),
    ("0:01", "0:01,1:24", False, True, ""),
    ("0:01", "3:01", True, True, ""),  # another place of theirs in the same province
    ("0:101", "0:01", False, False, "0:101"),
    ("0:1,1:24", "1:0", False, False, "0:1,1:24"),  # the number of a place is not a province
    ("01", "01", True, True, ""),
    ("0:01", "", True, False, "0:01"),
    ("", "0:01", False, False, ""),
]


@pytest.mark.parametrize(
    ("places", "provinces"),
    [
        ("0:01,1:24", ["01", "24"]),
        ("10:31,2:24,1:01", ["01", "24", "31"]),  # by number, not by letter
        ("1:24,0:24,2:01", ["24", "01"]),
        ("01", ["01"]),  # a plant has one place, without a number
        ("", []),
    ],
)
def test_provinces_come_in_the_order_of_the_places_each_once(places: str, provinces: list[str]) -> None:
    assert provinces_in(places) == provinces


def test_lists_of_places(engine: Engine) -> None:
    with reading(engine) as connection:
        for places, others, *expected in LISTS:
            one, other = literal(places), literal(others)
            left = without(one, partial(mentions, other))
            found = connection.execute(select(covers(one, other), meets(one, other), left)).one()
            assert [bool(found[0]), bool(found[1]), found[2]] == expected, (places, others)


def test_the_end_for_one_place_leaves_the_warning_about_the_other(engine: Engine) -> None:
    """The whole warning was withdrawn, and the end not told: the person heard nothing, with a place in the smog."""
    person(engine, "both", (0, "01"), (1, "24"))
    person(engine, "one", (0, "24"))
    planned(engine, night("01 24"), end("24", hours=9))
    assert told(engine) == [("advisory", ["01"])]
    assert {row.reason for row in rows(engine, end("24", hours=9)).values()} == {"not-told"}
    assert rows(engine, night("01 24"))["one"].reason == "superseded"


def test_ends_for_one_place_after_the_other_end_the_warning(engine: Engine) -> None:
    person(engine, "both", (0, "01"), (1, "24"))
    planned(engine, night("01 24"), end("24", hours=8, transition=8), end("01", hours=9))
    assert told(engine) == []
    assert rows(engine, night("01 24"))["both"].reason == "superseded"


def test_a_newer_warning_about_one_place_takes_the_other_with_it(engine: Engine) -> None:
    """In the morning one message says both."""
    person(engine, "both", (0, "01"), (1, "24"))
    older, newer = night("01 24"), night("24", hours=7, transition=2, rule="rule-joined")
    planned(engine, older, newer)
    assert [(kind, sorted(codes)) for kind, codes in told(engine)] == [("advisory", ["01", "24"])]
    assert rows(engine, older)["both"].reason == "superseded"
    assert rows(engine, newer)["both"].rules == "rule-joined,rule-advisory"


def test_what_a_message_took_over_it_keeps_when_its_own_province_has_left(engine: Engine) -> None:
    person(engine, "both", (0, "01"), (1, "24"))
    planned(engine, night("01 24"), night("24", hours=7, transition=2))
    with engine.begin() as connection:
        standings.note(connection, event("grown", 5, NOON, codes="01"))
    assert [(kind, sorted(codes)) for kind, codes in told(engine)] == [("advisory", ["01", "24"])]


def test_an_end_is_told_to_who_was_warned_of_that_place(engine: Engine) -> None:
    person(engine, "both", (0, "01"), (1, "24"))
    planned(engine, notice(provinces=["01"]))
    assert told(engine, NOON.timestamp()) == [("advisory", ["01"])]
    planned(engine, end("24", hours=1, transition=2), end("01", hours=2, transition=3))
    assert told(engine) == [("all-clear", ["01"])]


STORY = {
    "first": night("01 24"),
    "second": night("24 31", hours=6, transition=2),
    "end of 24": end("24", hours=7, transition=3),
    "third": night("31", hours=8, transition=4),
}


def test_whatever_the_order_of_planning_the_morning_says_the_same(engine: Engine) -> None:
    person(engine, "all", (0, "01"), (1, "24"), (2, "31"))
    person(engine, "two", (0, "24"), (1, "31"))
    for order in permutations(STORY):
        planned(engine, *(STORY[name] for name in order))
        heard = {(row.recipient, tuple(sorted(provinces_in(row.places)))) for row in send(engine, MORNING_S)}
        assert heard == {("all", ("01", "31")), ("two", ("31",))}, order
        forgotten(engine)


def test_with_a_dispatcher_in_between_every_place_is_spoken_of_once_it_holds(engine: Engine) -> None:
    """By day, in order, a dispatcher at work after some of the notices: who has a place still in it has heard of it."""
    person(engine, "all", (0, "01"), (1, "24"), (2, "31"))
    story = [
        notice(provinces=["01", "24"]),
        notice(provinces=["24", "31"], level=3, transition=2, hours=1),
        end("24", hours=2, transition=3),
        notice(provinces=["31"], level=2, transition=4, hours=3),
    ]
    for turns in product([False, True], repeat=4):
        heard: list[tuple[str, list[str]]] = []
        for hour, (one, turn) in enumerate(zip(story, turns, strict=True)):
            planned(engine, one)
            heard += told(engine, NOON.timestamp() + 3600 * hour) if turn else []
        heard += told(engine, NOON.timestamp() + 4 * 3600)
        warned = {code for kind, codes in heard for code in codes if kind == "advisory"}
        ended = {code for kind, codes in heard for code in codes if kind == "all-clear"}
        assert {"01", "31"} <= warned, turns
        assert ended == warned & {"24"}, turns
        forgotten(engine)
