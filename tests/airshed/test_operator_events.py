"""What happens beside the messages reaches operators too: silent sources, refused packs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from airshed.operator_channels import tell_silence
from airshed.reloading import Reloading
from notifiers import operators
from notifiers.operators import Occasion, OperatorDesk, OperatorEvent
from rules.shelf import Shelf
from streams.clock import ManualClock
from streams.sources.arrivals import Arrival
from streams.sources.silence import Listened


class Ear(OperatorDesk):
    """Keeps what is told."""

    def __init__(self) -> None:
        super().__init__([])
        self.heard: list[OperatorEvent] = []

    def tell(self, event: OperatorEvent) -> None:
        self.heard.append(event)


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    restore = operators.install(made)
    yield made
    restore()
    made.close()


class SilentSource:
    """Never gives anything."""

    name = "ftp-drop"

    def progress_s(self) -> float:
        return 0.0

    async def arrivals(self) -> AsyncIterator[Arrival]:
        await asyncio.sleep(3600)
        yield  # type: ignore[misc]


async def test_a_silent_source_is_told_once(ear: Ear) -> None:
    clock = ManualClock(1_000_000.0)
    source = Listened(SilentSource(), clock, silent_after_s=60.0, check_s=0.01, on_change=tell_silence)
    clock.advance(61)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            async for _ in source.arrivals():
                pass
    assert [(event.occasion, event.about) for event in ear.heard] == [(Occasion.SOURCE_SILENT, "ftp-drop")]


def test_a_refused_pack_is_told(ear: Ear, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "rules")
    (tmp_path / "rules").mkdir(exist_ok=True)
    (tmp_path / "rules" / "mine@1.yaml").write_text("name: mine\nversion: 1\nnonsense: true\n", encoding="utf-8")
    shelf.refresh()
    reloading = Reloading(shelf)
    told = [event for event in ear.heard if event.occasion is Occasion.PACK_REJECTED]
    assert told
    assert "mine" in told[0].about
    reloading.report()
    assert len([event for event in ear.heard if event.occasion is Occasion.PACK_REJECTED]) == len(told)
