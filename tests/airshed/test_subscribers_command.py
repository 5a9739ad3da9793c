"""``airshed subscribers`` at work on an installation's registry: nothing it prints is a contact."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airshed.commands.subscribers import app
from tests.airshed.installations import called, installed

FILE = """subscriber_id,places,phone,email,consent_source,consent_date
lan,01; trường = 21.03 105.85 20,0912345678,lan@example.org,form,2026-01-15
minh,24,0912345679,,=cmd|' /C calc'!A0,2026-01-15
nobody,99,0912345670,,form,2026-01-15
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "people.csv").write_text(FILE, encoding="utf-8")
    return installed(tmp_path)


def run(folder: Path, *words: str, typed: str | None = None) -> tuple[int, str]:
    answer = called(app, folder, *words, typed=typed)
    for contact in ("0912345678", "912345678", "lan@example.org"):
        assert contact not in answer.output
    return answer.exit_code, answer.stdout


def test_from_the_file_to_erasure(folder: Path) -> None:
    code, said = run(folder, "import", str(folder / "people.csv"), "--json")
    report = json.loads(said)
    assert (code, report["accepted"]) == (1, 2), "a refused row is a failure to be looked at"
    assert [(one["field"], one["place"][-5:]) for one in report["refused"]] == [("province", "csv:4")]

    assert [row["subscriber_id"] for row in json.loads(run(folder, "list", "--json")[1])] == ["lan", "minh"]
    assert [row["subscriber_id"] for row in json.loads(run(folder, "list", "--province", "33", "--json")[1])] == ["lan"]
    counted = json.loads(run(folder, "count", "--json")[1])
    assert {"state": "active", "province": "24", "channels": "sms", "people": 1} in counted

    (one,) = json.loads(run(folder, "show", "lan", "--json")[1])
    assert (one["sms"], one["email"]) == ("+84…78", "l…@e…")
    assert [place["kind"] for place in one["places"]] == ["province", "point"]
    assert {consent["what"] for consent in one["consents"]} == {"sms", "email"}

    assert run(folder, "stop", "lan", "--channel", "sms")[1] == "stopped lan\n"
    assert "nobody: had stopped before" in run(folder, "stop", "lan", "--channel", "sms")[1]
    assert json.loads(run(folder, "rotate", "--json")[1]) == {"sealed": 0, "current": 2, "unreadable": []}
    assert json.loads(run(folder, "erase", "lan", "--yes", "--json")[1]) == {"erased": ["lan"]}
    (gone,) = json.loads(run(folder, "show", "lan", "--json")[1])
    assert gone["state"] == "not registered"
    assert run(folder, "erase", "lan", "--yes")[0] == 1


def test_a_csv_is_safe_to_open(folder: Path) -> None:
    run(folder, "import", str(folder / "people.csv"))
    lines = run(folder, "list", "--csv")[1].splitlines()
    assert lines[0].startswith("subscriber_id,state,province")
    assert not [cell for line in lines for cell in line.split(",") if cell.startswith(("=", "+", "@"))]


def test_without_an_id_nothing_happens(folder: Path) -> None:
    assert run(folder, "stop")[0] == 1
    assert run(folder, "erase", "stranger", "--yes")[0] == 1
