"""The pages of docs/dispatching.md, followed: stop, look, release, resume, and who has not answered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airshed.cli import app
from airshed.configuration import load
from airshed.local.live import database_of
from notifiers import guard
from notifiers.escalation import EscalationPlan
from notifiers.escalations import tick
from notifiers.guard import Guard
from notifiers.planner import plan
from tests.airshed.installations import called, installed
from tests.notifiers.samples import NOON, notice


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return installed(tmp_path, 4, 1)


def run(folder: Path, *words: str) -> tuple[int, str]:
    answer = called(app, folder, *words)
    return answer.exit_code, answer.output


OFFICER = ("--officer", "duty officer 7")


def test_stop_look_and_resume(folder: Path) -> None:
    with database_of(load(folder / "airshed.toml")).begin() as connection:
        plan(connection, notice())
    assert run(folder, "dispatch", "held")[1].startswith("sending is on\n")
    stopped = run(folder, "dispatch", "stop", *OFFICER, "--reason", "wrong level in the pack")
    assert stopped == (0, "all sending is stopped\n")
    again = run(folder, "dispatch", "stop", *OFFICER, "--reason", "really")
    assert again == (0, "all sending was stopped already; the reason is noted\n")
    code, shown = run(folder, "dispatch", "held")
    assert code == 0
    assert "ALL SENDING IS STOPPED since" in shown
    assert "by duty officer 7: really" in shown
    assert shown.endswith("stopped: 8\n")
    told = json.loads(run(folder, "dispatch", "held", "--json")[1])
    assert told["switch"]["stopped"] is True
    assert {(row["why"], row["channel"], row["messages"]) for row in told["held"]} == {
        ("stopped", "sms", 4),
        ("stopped", "email", 4),
    }
    assert run(folder, "dispatch", "resume", *OFFICER, "--reason", "mended") == (0, "sending goes on\n")
    assert run(folder, "dispatch", "resume", *OFFICER, "--reason", "mended") == (1, "nothing was stopped\n")
    assert [line.split()[2] for line in run(folder, "dispatch", "history")[1].splitlines()] == [
        "resumed",
        "stopped",
        "stopped",
    ]
    assert run(folder, "dispatch", "stop")[0] == 2, "a stop without a reason is a wrong use"


def test_let_a_guarded_notice_go(folder: Path) -> None:
    one = notice()
    with database_of(load(folder / "airshed.toml")).begin() as connection:
        plan(connection, one)
        (storm,) = guard.admit(connection, "exercise", Guard(recipients=5), NOON.timestamp())
    assert storm.held
    assert "storm-guard: 8" in run(folder, "dispatch", "held")[1]
    code, listed = run(folder, "notices", "list")
    assert code == 0
    assert "waiting" in listed
    assert "storm guard, 8 messages, above 5" in listed
    release = ("notices", "release", one.id[:8], *OFFICER, "--reason", "the readings are right")
    assert run(folder, *release) == (0, f"{one.id}: released: the messages go out\n")
    assert run(folder, *release) == (1, f"{one.id}: it was released before; nothing changed\n")
    assert "let go by duty officer 7" in run(folder, "notices", "list")[1]
    assert "queue: 8" in run(folder, "dispatch", "held")[1]


def test_who_has_not_answered(folder: Path) -> None:
    assert run(folder, "facilities", "escalations") == (0, "nothing is followed up\n")
    one = notice("request", recipients="facilities")
    with database_of(load(folder / "airshed.toml")).begin() as connection:
        plan(connection, one)
        for minute in (0, 10):
            tick(connection, "exercise", [EscalationPlan()], ("sms", "email"), NOON.timestamp() + 60 * minute)
    code, shown = run(folder, "facilities", "escalations", "--open")
    assert code == 0
    assert shown == (
        f"{one.id[:8]}  F000 Nhà máy xi măng số 0: calling (calling), asked 2026-01-17 11:00Z, "
        "calls: sms 2026-01-17 11:10Z planned, looked at again 2026-01-17 11:20Z\n"
    )
    (row,) = json.loads(run(folder, "facilities", "escalations", "--json")[1])
    assert (row["recipient"], row["state"], row["calls"][0][:2]) == ("F000", "calling", ["sms", "call"])
