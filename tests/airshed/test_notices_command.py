"""``airshed notices`` at work on an installation's ledger."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import update

from airshed.commands.notices import app
from airshed.configuration import load
from airshed.local.live import database_of
from notifiers.planner import plan
from notifiers.tables import ledger
from tests.airshed.installations import called, installed
from tests.notifiers.samples import notice

AT = "2026-01-17T12:30+07:00"


def run(folder: Path, *words: str) -> tuple[int, str]:
    answer = called(app, folder, *words, "--at", AT)
    return answer.exit_code, answer.output


def test_take_a_warning_back(tmp_path: Path) -> None:
    wrong = notice()
    engine = database_of(load(installed(tmp_path, 2, 0) / "airshed.toml"))
    with engine.begin() as connection:
        plan(connection, wrong)
        connection.execute(update(ledger).where(ledger.c.channel == "sms").values(state="sent", reason="accepted"))
    words = ("retract", wrong.id[:8], "--officer", "Duty 7", "--reason", "calibration")
    looked = run(tmp_path, *words, "--dry-run")
    assert looked == (0, f"{wrong.id}: 2 messages would be withdrawn, 2 would be apologised for\n")
    assert run(tmp_path, *words) == (0, f"{wrong.id}: 2 messages are withdrawn, 2 are apologised for\n")
    assert run(tmp_path, *words) == (1, f"{wrong.id}: it was retracted before; nothing changed\n")


def test_two_officers_release_what_waits(tmp_path: Path) -> None:
    one = notice("request", recipients="facilities", approval="two-officers")
    engine = database_of(load(installed(tmp_path, 0, 2) / "airshed.toml"))
    with engine.begin() as connection:
        plan(connection, one)
    code, listed = run(tmp_path, "list")
    assert code == 0
    assert listed == (
        f"{one.id}  waiting   rule-request to facilities of 01 24 until 2026-01-17 23:00Z: "
        "two-officers, 4 messages held\n"
    )
    assert run(tmp_path, "approve", one.id[:8], "--officer", "Duty 7") == (
        0,
        f"{one.id}: noted: a second officer, a different one, has to say yes\n",
    )
    code, said = run(tmp_path, "approve", one.id[:8], "--officer", "duty 7")
    assert (code, said) == (1, f"{one.id}: this officer has answered before; nothing changed\n")
    assert run(tmp_path, "approve", one.id[:8], "--officer", "Duty 8")[0] == 0
    (row,) = json.loads(run(tmp_path, "list", "--json")[1])
    assert (row["state"], row["approved_by"], row["messages"]) == ("released", ["duty 7", "duty 8"], 0)
    code, said = run(tmp_path, "reject", one.id, "--officer", "Duty 9", "--reason", "too late")
    assert (code, said) == (1, f"{one.id}: it was released or rejected before; nothing changed\n")
    assert run(tmp_path, "approve", "ffff", "--officer", "Duty 7") == (1, "ffff: there is no such notice\n")
