"""Progress over several sources."""

from __future__ import annotations

import msgspec

from streams.clock import utc
from streams.schemas import Mark
from streams.watermark import Watermark


def at(seconds: int, source: str, of: int = 2) -> Mark:
    return Mark(utc(seconds), source, of)


def test_the_slowest_source_counts_once_all_have_spoken() -> None:
    watermark = Watermark()
    assert watermark.observe(at(100, "a")) is None
    assert watermark.observe(at(50, "b")) == 50
    assert watermark.observe(at(60, "b")) == 60
    assert watermark.observe(at(300, "b")) == 100


def test_it_says_nothing_when_it_does_not_move() -> None:
    watermark = Watermark()
    assert watermark.observe(at(100, "a", of=1)) == 100
    assert watermark.observe(at(100, "a", of=1)) is None
    assert watermark.observe(at(90, "a", of=1)) is None
    assert watermark.reached == 100


def test_a_source_given_up_is_waited_for_again_and_never_turns_time_back() -> None:
    watermark = Watermark()
    watermark.observe(at(100, "a"))
    assert watermark.give_up("b") == 100
    assert watermark.observe(at(40, "b")) is None
    assert watermark.observe(at(200, "a")) is None
    assert watermark.observe(at(150, "b")) == 150


def test_giving_everybody_up_is_no_progress() -> None:
    watermark = Watermark()
    assert watermark.give_up("a") is None
    assert watermark.give_up("b") is None


def test_it_survives_being_written_down() -> None:
    watermark = Watermark()
    watermark.observe(at(100, "a"))
    watermark.give_up("b")
    assert msgspec.json.decode(msgspec.json.encode(watermark), type=Watermark) == watermark
