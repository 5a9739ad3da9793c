"""A warning that was wrong is taken back: by everybody who may have got it, and by nobody else."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from notifiers.cap.alerts import Publisher
from notifiers.cap.publication import Publication
from notifiers.database import reading
from notifiers.facts import Addressee
from notifiers.gsm7 import parts
from notifiers.guard import Guard, admit, admit_all
from notifiers.renderer import Renderer
from notifiers.retraction import Retracted, retract
from notifiers.sandbox import Sandbox
from notifiers.tables import ledger, notices
from rules.notices import Notice
from streams.clock import ManualClock
from streams.errors import InputError
from tests.notifiers.samples import NOON, fill, notice
from tests.notifiers.workplace import dispatched, found, planned

LATER = NOON + timedelta(hours=2)


def taken_back(engine: Engine, wrong: Notice, *, dry: bool = False) -> Retracted:
    with engine.begin() as connection:
        return retract(connection, wrong.id, "Duty 7", "two stations in calibration", LATER, dry=dry)


async def test_exactly_who_may_have_got_it_hears_that_it_was_wrong(
    engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    """S0000 got it; of S0001 nobody knows; S0002's failed; S0003's had not gone out; S0004 came afterwards."""
    fill(engine, tmp_path, 4, 0)
    wrong = notice()
    planned(engine, wrong)
    states = {"S0000": "delivered", "S0001": "unknown", "S0002": "failed"}
    with engine.begin() as connection:
        for recipient, state in states.items():
            values = {"state": state, "reason": "unknowable" if state == "unknown" else "30005"}
            connection.execute(update(ledger).where(ledger.c.recipient == recipient).values(values))
    fill(engine, tmp_path, 5, 0)
    planned_only = taken_back(engine, wrong, dry=True)
    assert (planned_only.withdrawn, planned_only.told, planned_only.before) == (2, 4, False)
    assert len(found(engine)) == 8, "a dry run changes nothing"
    done = taken_back(engine, wrong)
    assert (done.withdrawn, done.told) == (2, 4)
    assert taken_back(engine, wrong).before, "a second time changes nothing"
    assert not any((await dispatched(engine, sandbox, LATER.timestamp() + 60)).values())
    of = Counter((d.recipient, d.state) for d in found(engine) if d.notice == done.notice.id)
    assert of == {("S0000", "sent"): 2, ("S0001", "sent"): 2}
    assert {(d.state, d.reason) for d in found(engine) if d.recipient == "S0003"} == {("suppressed", "superseded")}
    assert all("TIN NHAM" in m.body or "WRONG MESSAGE" in m.body for m in sandbox.phone.messages.values())
    with reading(engine) as connection:
        (body,) = connection.execute(select(notices.c.body).where(notices.c.id == done.notice.id)).scalars()
    assert b"retracted by Duty 7: two stations in calibration" in body


def test_the_storm_guard_does_not_hold_an_apology(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, 4, 0)
    wrong = notice()
    planned(engine, wrong)
    with engine.begin() as connection:
        admit_all(connection, "exercise")
        connection.execute(update(ledger).values(state="sent", reason="accepted"))
    taken_back(engine, wrong)
    with engine.begin() as connection:
        storms = admit(connection, "exercise", Guard(recipients=2), LATER.timestamp())
    assert storms == []


def test_the_public_alert_is_cancelled(sqlite_engine: Engine, tmp_path: Path) -> None:
    clock = ManualClock(LATER.timestamp() + 60)
    publisher = Publisher("alerts@airshed.example.org", "https://alerts.example.org")
    publication = Publication(sqlite_engine, publisher, Renderer(), "https://alerts.example.org/cap", clock)
    wrong = notice(exercise=False)
    planned(sqlite_engine, wrong)
    with sqlite_engine.begin() as connection:
        admit_all(connection, "actual")
    (alert,) = publication.current()["public"].documents
    done = taken_back(sqlite_engine, wrong)
    documents = publication.current()["public"].documents
    (cancel,) = (text.decode() for name, text in documents.items() if name != alert)
    assert "<msgType>Cancel</msgType>" in cancel
    assert alert in cancel
    assert done.notice.id in cancel


def test_two_wrong_notices_are_two_apologies(sqlite_engine: Engine, tmp_path: Path) -> None:
    """Of the same transition, to the same person: each names its own hour."""
    fill(sqlite_engine, tmp_path, 1, 1)
    first, second = notice(), notice("request", recipients="facilities")
    planned(sqlite_engine, first, second)
    with sqlite_engine.begin() as connection:
        connection.execute(update(ledger).values(state="sent", reason="accepted"))
    for wrong in (first, second):
        taken_back(sqlite_engine, wrong)
    made = Counter((d.recipient, d.state) for d in found(sqlite_engine) if d.kind == "bulletin")
    assert made == {("S0000", "planned"): 2, ("F000", "planned"): 2}


@pytest.mark.parametrize(
    ("about", "says"),
    [
        (notice("all-clear"), "kind all-clear"),
        (notice("instruction", recipients="authorities"), "to authorities"),
    ],
)
def test_what_warned_nobody_is_not_taken_back(sqlite_engine: Engine, about: Notice, says: str) -> None:
    planned(sqlite_engine, about)
    with pytest.raises(InputError, match=says):
        taken_back(sqlite_engine, about)
    with sqlite_engine.begin() as connection:
        with pytest.raises(InputError, match="no notice"):
            retract(connection, "nothing", "Duty 7", "x", LATER)
        with pytest.raises(InputError, match="no reason"):
            retract(connection, about.id, "Duty 7", " ", LATER)


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("exercise", [False, True])
@pytest.mark.parametrize("recipients", ["residents", "facilities"])
def test_the_words_say_that_it_was_wrong_and_nothing_of_what_was_wrong(
    sqlite_engine: Engine, language: str, exercise: bool, recipients: str
) -> None:
    kind = "request" if recipients == "facilities" else "advisory"
    sender = {
        "vi": "Trung tâm Quan trắc môi trường miền Bắc", "en": "Northern Centre for Environmental Monitoring",
    }  # fmt: skip
    wrong = notice(kind, recipients=recipients, exercise=exercise, sender=sender, sms_parts=1)
    planned(sqlite_engine, wrong)
    made = taken_back(sqlite_engine, wrong).notice
    assert type(made) is type(wrong)
    person = Addressee(contact="", province="01", facility="Nhà máy" if recipients == "facilities" else "")
    sms = Renderer().sms(made, language, person)
    assert parts(sms.body) == sms.parts <= 2
    assert sms.body.startswith(("DIEN TAP: ", "EXERCISE: ")) is exercise
    assert "18h 17/01" in sms.body or "18:00" in sms.body, "the hour of the wrong message"
    letter = Renderer().letter(made, language, person)
    for text in (sms.body, letter.text, letter.html):
        assert "215" not in text
        assert "None" not in text
    assert {"vi": "Nên làm gì", "en": "What to do"}[language] not in letter.text
