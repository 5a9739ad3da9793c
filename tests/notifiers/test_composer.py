"""Messages as a person gets them: words chosen by what the person has chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from notifiers.composer import Composer
from notifiers.ledger import claim
from notifiers.messages import Letter, SmsText
from notifiers.speech import spoken
from notifiers.tables import ledger, subscribers
from tests.notifiers.samples import LINKS, NOON, VAULT, fill, notice
from tests.notifiers.workplace import planned

NOW_S = NOON.timestamp() + 60


def composed(engine: Engine) -> dict[str, str]:
    """The SMS of everybody, by recipient."""
    with engine.begin() as connection:
        rows = claim(connection, mode="exercise", worker="w", machine_s=NOW_S, lease_s=60, limit=10, channel="sms")
    made = Composer(engine, VAULT, LINKS).compose(rows, NOW_S)
    said = {}
    for row in rows:
        message = made[row.id]
        assert not isinstance(message, Exception)
        assert isinstance(message.content, SmsText)
        said[row.recipient] = message.content.body
    return said


def test_a_message_says_what_its_recipient_has_chosen(engine: Engine, tmp_path: Path) -> None:
    fill(engine, tmp_path, subscribers=2, facilities=0)
    planned(engine, notice())
    with engine.begin() as connection:
        connection.execute(update(subscribers).where(subscribers.c.subscriber_id == "S0000").values(sensitive=1))
        one = select(ledger.c.id).where(ledger.c.recipient == "S0001", ledger.c.channel == "sms").scalar_subquery()
        connection.execute(update(ledger).where(ledger.c.id == one).values(places="1:24,0:01"))
    said = composed(engine)
    assert "Ban hay o trong nha" in said["S0000"]
    assert "Air in HANOI: VERY UNHEALTHY, VN_AQI 215; BAC NINH: UNHEALTHY, VN_AQI 182 at" in said["S0001"]


def test_the_first_message_of_an_episode_says_where_to_stop(engine: Engine, tmp_path: Path) -> None:
    """A plant's never does: it has an agreement. A second one does where it costs no further part."""
    fill(engine, tmp_path, subscribers=1, facilities=1)
    planned(engine, notice(sms_parts=1, sender={"vi": "T"}), notice("request", recipients="facilities"))
    said = composed(engine)
    assert said["S0000"].endswith("Huy tin: 127.0.0.1:9/h")
    assert "Huy tin" not in said["F000"]
    with engine.begin() as connection:
        connection.execute(update(ledger).values(state="sent"))
    planned(engine, notice(level=3, transition=2, hours=1, sms_parts=1, sender={"vi": "T"}))
    later = composed(engine)["S0000"]
    assert ("Lien tinh" in later, "Huy tin" in later) == (True, False), "by then the other provinces matter more"


def test_an_exercise_says_so_in_the_first_word_of_a_call() -> None:
    letter = Letter("EXERCISE: Request to cut emissions", "", "")
    assert spoken(letter, "Air Centre", "en").text.startswith(
        "EXERCISE. This is an automatic call from Air Centre. EXERCISE:"
    )
    assert spoken(Letter("Request", "", ""), "Air Centre", "en").text.startswith("This is an automatic call")


@pytest.mark.parametrize(("language", "says"), [("vi", "lần thứ 2"), ("en", "call number 2")])
def test_a_second_call_says_so(language: str, says: str) -> None:
    assert says in spoken(Letter("Request", "", ""), "Air Centre", language, 2).text
    assert says not in spoken(Letter("Request", "", ""), "Air Centre", language, 1).text
    again = spoken(Letter("EXERCISE: Request", "", ""), "Air Centre", "en", 3).text
    assert again.startswith("EXERCISE. This is automatic call number 3")
