"""``airshed silences`` at work on an installation's ledger."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airshed.commands.silences import app
from streams.errors import InputError
from tests.airshed.installations import called, installed

WHO = ("--officer", "Duty 7", "--reason", "kiln shut down")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return installed(tmp_path, 1, 1)


def run(folder: Path, *words: str) -> tuple[int, str]:
    answer = called(app, folder, *words)
    if isinstance(answer.exception, InputError):
        raise answer.exception
    return answer.exit_code, answer.output


def tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="minutes")


def test_a_silence_is_put_in_force_seen_and_ended(folder: Path) -> None:
    assert run(folder, "list") == (0, "nothing is silenced\n")
    code, said = run(
        folder, "add", "--facility", "F000", "--province", "Hà Nội", "--urgent", "--until", tomorrow(), *WHO
    )
    assert code == 0
    assert said.startswith("in the last 7 days it would have kept quiet 0 messages of 0 notices\n")
    (row,) = json.loads(run(folder, "list", "--json")[1])
    assert (row["facility"], row["provinces"], row["urgent"], row["officer"]) == ("F000", ["01"], True, "Duty 7")
    listed = run(folder, "list")[1]
    assert "in force" in listed
    assert "plant F000, provinces 01, urgent as well  (Duty 7: kiln shut down)" in listed
    assert run(folder, "end", row["id"], "--officer", "Duty 8", "--reason", "it runs again") == (
        0,
        f"{row['id']}: ended\n",
    )
    assert run(folder, "list")[1] == "nothing is silenced\n"
    assert "ended by Duty 8: it runs again" in run(folder, "list", "--all")[1]
    assert run(folder, "end", row["id"], *WHO)[0] == 1


def test_a_dry_run_changes_nothing(folder: Path) -> None:
    assert run(folder, "add", "--province", "01", "--until", tomorrow(), "--dry-run", *WHO)[0] == 0
    assert run(folder, "list")[1] == "nothing is silenced\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--province", "Atlantis"), "no province"),
        (("--facility", "F999"), "no plant"),
        (("--rule", "no-such-rule"), "no rule"),
        (("--province", "01", "--recipients", "everybody"), "no recipients"),
        (("--province", "01", "--from", "tomorrow"), "no time with an offset"),
        ((), "silence everything"),
    ],
)
def test_what_is_not_there_cannot_be_silenced(folder: Path, words: tuple[str, ...], says: str) -> None:
    with pytest.raises(InputError, match=says):
        run(folder, "add", *words, "--until", tomorrow(), *WHO)
