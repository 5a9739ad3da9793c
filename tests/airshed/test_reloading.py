"""What operators see of packs over time: which one is in force, and what came too late."""

from __future__ import annotations

from pathlib import Path

from airshed.reigns import report_reigns
from airshed.standing import report_on
from rules.activating import Order, activate
from rules.loading import pack_file
from rules.shelf import Shelf
from streams import metrics
from streams.clock import utc
from streams.episodes import EpisodeTracker
from tests.airshed.test_shelf import BASE, version
from tests.streams.province_hours import hour_s, mark, state


def in_force(reference: str) -> float:
    return metrics.value("airshed_pack_in_force", airshed="red-river-delta", pack=reference)


def test_the_pack_in_force_and_an_activation_that_came_too_late(tmp_path: Path) -> None:
    pack = BASE.parsed()
    shelf = Shelf(tmp_path, pack)
    tracker = EpisodeTracker([pack.airshed], {}, pack=pack.reference, versions=shelf)

    def decide(hours: range) -> None:
        for number in hours:
            tracker.accept([state(pack.airshed, "01", number, 40)])
            tracker.advance(mark(number))
        report_reigns(tracker, shelf)

    def order(number: int, hour: int) -> None:
        activate(tmp_path, version(number), Order(from_=utc(hour_s(hour)), by="author"), pack_file("vietnam-2026"))
        shelf.refresh()

    before = metrics.value("airshed_pack_reload_refused_total", kind="late")
    decide(range(1, 6))
    assert in_force(pack.reference) == 1
    order(77, 3)  # three hours ago
    order(78, 8)
    decide(range(6, 8))
    assert metrics.value("airshed_pack_reload_refused_total", kind="late") == before + 1
    assert (in_force(pack.reference), in_force("vietnam-2026@78")) == (1, 0)
    assert shelf.refresh(), "the refusal is written down"
    assert not Shelf(tmp_path, pack).contents.problems
    (refusal,) = shelf.contents.refusals
    assert (refusal.refused, refusal.line, refusal.from_) == ("vietnam-2026@77", 2, utc(hour_s(3)))
    said = [refused.text for refused in report_on(shelf, None, 0).refused]
    assert len(said) == 1
    assert "activations.jsonl:2:1: from: vietnam-2026@77 came too late: hours up to" in said[0]
    Shelf(tmp_path, pack).refresh()
    shelf.note_refusal(shelf.contents.lines[1].entry.activation, hour_s(5))  # another worker sees it as well
    shelf.refresh()
    assert len(shelf.contents.refusals) == 1
    decide(range(8, 10))
    assert (in_force(pack.reference), in_force("vietnam-2026@78")) == (0, 1)
    assert metrics.value("airshed_pack_reload_refused_total", kind="late") == before + 1
