"""What operators are told: once, never too much, over a real service of apprise, without contacts and secrets."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from notifiers import operators
from notifiers.chat import ChatService, chat_services
from notifiers.operators import OCCASIONS, Occasion, OperatorDesk, OperatorEvent, OperatorLimits, Severity
from streams.clock import ManualClock
from streams.errors import ConfigurationError
from streams.metrics import value

QUICK = OperatorLimits(retries_s=(0.01, 0.01))


@dataclass
class Notebook:
    """A destination that keeps what it is told; ``failures`` tries are refused first."""

    name: str = "notebook"
    failures: int = 0
    written: list[tuple[str, str, Severity]] = field(default_factory=list)

    def deliver(self, title: str, body: str, severity: Severity) -> bool:
        if self.failures:
            self.failures -= 1
            return False
        self.written.append((title, body, severity))
        return True


def down(about: str = "sms", says: str = "provider code 20003") -> OperatorEvent:
    return OperatorEvent(occasion=Occasion.CHANNEL_DOWN, about=about, says=says)


def wait_for(true: Callable[[], bool], patience_s: float = 5.0) -> None:
    end = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.01)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000_000.0)


def test_an_event_is_told_once_an_hour_and_with_its_count(clock: ManualClock) -> None:
    book = Notebook()
    desk = OperatorDesk([book], clock=clock, prefix="EXERCISE: ")
    for _ in range(5):
        desk.tell(down())
    clock.advance(3600)
    desk.tell(down())
    desk.close()
    assert [title for title, _, _ in book.written] == ["EXERCISE: A channel sends nothing: sms"] * 2
    assert "4 more times" in book.written[1][1]
    assert "What to do:" in book.written[0][1]


def test_what_is_over_may_be_told_anew(clock: ManualClock) -> None:
    book = Notebook()
    desk = OperatorDesk([book], clock=clock)
    desk.tell(down())
    desk.tell(OperatorEvent(occasion=Occasion.CHANNEL_BACK, about="sms"))
    desk.tell(down())
    desk.tell(down("email"))
    desk.close()
    assert [title for title, _, _ in book.written] == [
        "A channel sends nothing: sms",
        "A channel is back: sms",
        "A channel sends nothing: sms",
        "A channel sends nothing: email",
    ]


def test_a_flood_becomes_one_summary_and_leaves_room_for_what_is_critical(clock: ManualClock) -> None:
    book = Notebook()
    desk = OperatorDesk([book], clock=clock, limits=OperatorLimits(most=3, per_s=600))
    for number in range(40):
        desk.tell(OperatorEvent(occasion=Occasion.SOURCE_SILENT, about=f"station-{number}"))
    desk.tell(down())
    wait_for(lambda: len(book.written) == 4)
    assert book.written[-1][2] == "critical"
    clock.advance(600)
    wait_for(lambda: len(book.written) == 5)
    assert book.written[-1][0] == "37 further events"
    assert "source-silent ×37" in book.written[-1][1]
    desk.close()


def test_no_contact_reaches_the_operators_channel(clock: ManualClock) -> None:
    book = Notebook()
    desk = OperatorDesk([book], clock=clock)
    desk.tell(down(about="to person@example.org", says="no route to +84 912 345 678"))
    desk.close()
    assert "912" not in str(book.written)
    assert "person@" not in str(book.written)


def test_a_service_that_is_away_is_tried_again_and_never_stops_the_others(clock: ManualClock) -> None:
    away, back, well = Notebook("away", failures=99), Notebook("back", failures=2), Notebook("well")
    before = value("airshed_operator_events_total", occasion="channel-down", outcome="undelivered")
    desk = OperatorDesk([away, back, well], clock=clock, limits=QUICK)
    desk.tell(down())
    wait_for(lambda: bool(well.written))
    desk.close()
    assert not away.written
    assert len(back.written) == 1
    assert value("airshed_operator_events_total", occasion="channel-down", outcome="undelivered") - before == 1


def test_telling_never_waits_and_never_raises(clock: ManualClock) -> None:
    blocked = threading.Event()

    class Stuck:
        name = "stuck"

        def deliver(self, title: str, body: str, severity: Severity) -> bool:
            blocked.wait(5)
            raise RuntimeError("secret-token-in-an-error")

    desk = OperatorDesk([Stuck()], clock=clock, limits=QUICK)
    restore = operators.install(desk)
    started = time.monotonic()
    for number in range(500):
        operators.tell(down(f"channel-{number}"))
    assert time.monotonic() - started < 2
    blocked.set()
    restore()
    operators.tell(down())  # nobody is installed: the log has it
    desk.close()


def test_every_occasion_has_words_and_ends_only_what_exists() -> None:
    assert set(OCCASIONS) == set(Occasion)
    for told in OCCASIONS.values():
        assert told.headline
        assert told.remedy.endswith(".")


@pytest.fixture
def posted() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A local server that keeps the JSON posted to it; apprise's ``json://`` service talks to it."""
    kept: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}", kept
    server.shutdown()
    thread.join()
    server.server_close()


def test_apprise_delivers_to_a_real_service(posted: tuple[str, list[dict[str, Any]]]) -> None:
    address, kept = posted
    services = chat_services([f"# on call\njson://{address}/secret-path\n"])
    desk = OperatorDesk(services)
    desk.tell(down())
    wait_for(lambda: bool(kept))
    desk.close()
    assert kept[0]["title"] == "A channel sends nothing: sms"
    assert kept[0]["type"] == "failure"
    assert "provider code 20003" in kept[0]["message"]


def test_the_secret_address_is_never_shown(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigurationError) as refused:
        chat_services(["nonsense-service://TOKEN-1234/TOKEN-5678"])
    assert "operators.addresses[0]" in str(refused.value)
    away = ChatService("json://127.0.0.1:9/TOKEN-1234", 0)
    with caplog.at_level(logging.DEBUG, logger="apprise"):
        assert not away.deliver("t", "b", "warning")
    shown = f"{refused.value} {away!r} {caplog.text} {capsys.readouterr()}"
    assert "TOKEN" not in shown
