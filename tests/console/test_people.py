"""The pages for residents, as a browser without scripts uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import Engine, func, select

from console.app import ConsoleSettings, create_app
from console.people import PeoplePages, people_routes
from console.people_words import WORDS
from console.signup_form import FormRules
from notifiers import confirmations
from notifiers.confirmations import MOST_TRIES
from notifiers.database import reading
from notifiers.quotas import Quota
from notifiers.signups import Desk, Limits
from notifiers.tables import confirmations as confirmations_table
from notifiers.tables import consents, erasures, ledger, subscriber_places, subscribers
from streams.clock import ManualClock
from tests.notifiers.samples import AIRSHED, LINKS, VAULT

Client = TestClient[Litestar]
FORM = {
    "lang": "en", "phone": "0912 345 678", "email": "", "province_1": "01", "commune_1": "", "position_1": "",
    "radius_1": "5", "label_1": "", "level": "1", "quiet_from": "", "quiet_to": "",
    "language": "en", "consent": "yes",
}  # fmt: skip


def pages(engine: Engine, clock: ManualClock, limits: Limits) -> Litestar:
    rules = FormRules(airsheds=[AIRSHED], countries=["VN"])
    people = PeoplePages(engine=engine, links=LINKS, clock=clock, desk=Desk(VAULT, "exercise", limits), rules=rules)
    settings = ConsoleSettings(engine=engine, links=LINKS, sms_auth_token="t", clock=clock)
    return create_app(settings, people_routes(people))


@pytest.fixture
def visitor(engine: Engine, clock: ManualClock) -> Iterator[Client]:
    with TestClient(pages(engine, clock, Limits())) as running:
        yield running


def sign_up(visitor: Client, **changes: str) -> Any:
    return visitor.post("/signup", data=FORM | changes)


def codes(engine: Engine) -> dict[str, str]:
    """The codes under way, by channel."""
    with reading(engine) as connection:
        rows = connection.execute(select(confirmations_table.c.id, confirmations_table.c.channel))
        return {row.channel: confirmations.code_of(VAULT, row.id) for row in rows}


def number_of(engine: Engine, table: Any) -> int:
    with reading(engine) as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def state_of(engine: Engine, number: str = "+84912345678") -> str | None:
    with reading(engine) as connection:
        known = subscribers.c.sms_hash == VAULT.fingerprint(number)
        found: str | None = connection.execute(select(subscribers.c.state).where(known)).scalar_one_or_none()
        return found


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_form_speaks_the_language_it_is_asked_in(visitor: Client, language: str) -> None:
    shown = visitor.get("/signup", params={"lang": language})
    assert shown.status_code == 200
    assert f'<html lang="{language}">' in shown.text
    assert WORDS[language]["title"] in shown.text
    assert "<script" not in shown.text
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    preferred = visitor.get("/signup", headers={"Accept-Language": f"{language}-XX,fr;q=0.5"})
    assert preferred.text == shown.text


def test_every_field_has_a_label(visitor: Client) -> None:
    text = visitor.get("/signup").text
    fields = set(re.findall(r'<(?:input|select)[^>]* id="([^"]+)"', text))
    assert fields
    assert fields <= set(re.findall(r'<label for="([^"]+)"', text))


def test_both_languages_have_the_same_words() -> None:
    assert set(WORDS["vi"]) == set(WORDS["en"])


def test_signing_up_through_the_pages(visitor: Client, engine: Engine) -> None:
    answer = sign_up(visitor, email="lan@example.org", position_1="21.03, 105.85", radius_1="20", sensitive="yes")
    assert "/c/" in str(answer.url), "a redirect: loading again does not ask again"
    assert "+84…78" in answer.text
    assert "l…@e…" in answer.text
    assert "912345" not in answer.text
    sent = codes(engine)
    wrong = visitor.post(str(answer.url), data={"channel": "sms", "code": "x", "lang": "en"})
    assert wrong.status_code == 422
    assert WORDS["en"]["wrong"] in wrong.text
    half = visitor.post(str(answer.url), data={"channel": "sms", "code": sent["sms"], "lang": "en"})
    assert WORDS["en"]["one_done"] in half.text
    done = visitor.post(str(answer.url), data={"channel": "email", "code": sent["email"], "lang": "en"})
    assert WORDS["en"]["all_done"] in done.text
    assert state_of(engine) == "active"
    with reading(engine) as connection:
        person = connection.execute(
            select(subscribers.c.subscriber_id).where(subscribers.c.sensitive == 1)
        ).scalar_one()
        given = connection.execute(select(consents.c.what).where(consents.c.subscriber_id == person)).scalars().all()
        places = connection.execute(
            select(subscriber_places.c.province).where(subscriber_places.c.subscriber_id == person)
        )
        assert set(places.scalars()) == {"01", "24"}
    assert sorted(given) == ["email", "sensitive", "sms"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"phone": "12345"}, "phone"),
        ({"phone": ""}, "phone"),
        ({"phone": "+33612345678"}, "phone"),
        ({"phone": "0243 825 1111"}, "phone"),
        ({"email": "a@b@c"}, "email"),
        ({"email": "x@example.org\r\nBcc: y@example.org"}, "email"),
        ({"province_1": ""}, "province_1"),
        ({"province_1": "{{ 7*7 }}"}, "province_1"),
        ({"commune_1": "Phường Hồng Hạ Không Có"}, "commune_1"),
        ({"position_1": "here"}, "position_1"),
        ({"position_1": "10.0, 106.7"}, "position_1"),
        ({"position_1": "nan, nan"}, "position_1"),
        ({"position_1": "21.03, 105.85", "label_1": "x" * 61}, "label_1"),
        ({"position_1": "21.03, 105.85", "radius_1": "1e9"}, "position_1"),
        ({"quiet_from": "22:00"}, "quiet_hours"),
        ({"level": "9"}, "level"),
        ({"language": "tlh"}, "language"),
        ({"consent": ""}, "consent"),
        ({"province_2": "nowhere"}, "province_2"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(
    visitor: Client, engine: Engine, wrong: dict[str, str], field: str
) -> None:
    before = number_of(engine, subscribers)
    answer = sign_up(visitor, **wrong)
    assert answer.status_code == 422
    assert f'id="{field}-wrong"' in answer.text
    assert WORDS["en"]["problems"] in answer.text
    assert number_of(engine, confirmations_table) == 0
    assert number_of(engine, subscribers) == before


def test_a_commune_is_found_by_a_name_almost_right(visitor: Client) -> None:
    answer = sign_up(visitor, commune_1="phuong hong")
    assert "Did you mean: " in answer.text
    assert sign_up(visitor, commune_1="hong ha").status_code == 200


@pytest.mark.parametrize(
    "nasty", ['"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "\u202e\u200b", "\x00", "=cmd|' /C calc'!A0", "x" * 5_000]
)
def test_nothing_typed_comes_back_as_anything_but_text(visitor: Client, nasty: str) -> None:
    fields = dict.fromkeys(("phone", "email", "commune_1", "position_1", "label_1", "quiet_from", "language"), nasty)
    answer = sign_up(visitor, **fields)
    assert answer.status_code == 422
    assert "<img" not in answer.text
    assert ">49<" not in answer.text
    assert len(answer.text) < 40_000
    assert visitor.post("/h", data={"contact": nasty}).status_code == 422


def test_ten_megabytes_are_not_read(visitor: Client) -> None:
    assert sign_up(visitor, label_1="x" * 10_000_000).status_code == 413


def test_a_known_contact_gets_the_same_answer(visitor: Client, engine: Engine, clock: ManualClock) -> None:
    first = sign_up(visitor)
    visitor.post(str(first.url), data={"channel": "sms", "code": codes(engine)["sms"], "lang": "en"})
    assert state_of(engine) == "active"
    clock.set(clock.now_s() + 7200)
    known, unknown = sign_up(visitor), sign_up(visitor, phone="0912345679")
    assert known.status_code == unknown.status_code == 200
    assert known.text == unknown.text.replace("+84…79", "+84…78")
    stop_known = visitor.post("/h", data={"contact": "0912345678", "lang": "en"})
    stop_unknown = visitor.post("/h", data={"contact": "0912345670", "lang": "en"})
    assert stop_known.text == stop_unknown.text.replace("+84…70", "+84…78")
    with reading(engine) as connection:
        planned = connection.execute(select(func.count()).where(ledger.c.kind == "confirmation")).scalar_one()
    assert planned == 4, "to the contact nobody knows nothing is sent when somebody wants to stop"


def test_five_wrong_codes_and_a_new_one(visitor: Client, engine: Engine) -> None:
    answer = sign_up(visitor)
    right = codes(engine)["sms"]
    for _ in range(MOST_TRIES):
        visitor.post(str(answer.url), data={"channel": "sms", "code": "nonsense"})
    dead = visitor.post(str(answer.url), data={"channel": "sms", "code": right, "lang": "en"})
    assert WORDS["en"]["expired"] in dead.text
    again = visitor.post(str(answer.url), data={"channel": "sms", "again": "1", "lang": "en"})
    assert WORDS["en"]["sent_again"] in again.text
    with reading(engine) as connection:
        ids = connection.execute(select(confirmations_table.c.id)).scalars().all()
    tried = [
        visitor.post(str(answer.url), data={"channel": "sms", "code": confirmations.code_of(VAULT, one)}) for one in ids
    ]
    assert state_of(engine) == "active"
    assert {one.status_code for one in tried} <= {200, 422}


def test_too_many_from_one_network(engine: Engine, clock: ManualClock) -> None:
    with TestClient(pages(engine, clock, Limits(address=Quota("address", 1)))) as visitor:
        assert sign_up(visitor).status_code == 200
        refused = sign_up(visitor, phone="0912345679")
    assert refused.status_code == 429
    assert WORDS["en"]["too-often"] in refused.text


def test_a_programme_that_fills_in_everything_gets_nothing(visitor: Client, engine: Engine) -> None:
    answer = sign_up(visitor, website="http://spam.example")
    assert answer.status_code == 200
    assert number_of(engine, confirmations_table) == 0


def test_one_click_stops_the_mails_and_opening_the_link_does_not(visitor: Client, engine: Engine) -> None:
    path = LINKS.unsubscribe("S0000", "email").removeprefix(LINKS.public_url)
    shown = visitor.get(path, params={"lang": "en"})
    assert WORDS["en"]["unsubscribe_title"] in shown.text
    with reading(engine) as connection:
        assert connection.execute(select(subscribers.c.stopped_channels)).scalar_one() == ""
    done = visitor.post(path, data={"List-Unsubscribe": "One-Click"})
    assert done.status_code == 200
    with reading(engine) as connection:
        row = connection.execute(select(subscribers)).one()
    assert (row.stopped_channels, row.state, row.email) == ("email", "active", None)
    everything = visitor.post(path, data={"action": "all", "lang": "en"})
    assert WORDS["en"]["did_stop-all"] in everything.text
    with reading(engine) as connection:
        assert connection.execute(select(subscribers.c.state)).scalar_one() == "stopped"
    assert visitor.post(path[:-2] + "xx", data={}).status_code == 404


def test_erasing_needs_a_code_to_the_contact(visitor: Client, engine: Engine) -> None:
    answer = visitor.post("/h", data={"contact": "+84 910 000 000", "lang": "en"})
    refused = visitor.post(str(answer.url), data={"action": "erase", "code": "123", "lang": "en"})
    assert refused.status_code == 422
    assert number_of(engine, subscribers) == 1
    done = visitor.post(str(answer.url), data={"action": "erase", "code": codes(engine)["sms"], "lang": "en"})
    assert WORDS["en"]["did_erase"] in done.text
    assert number_of(engine, subscribers) == number_of(engine, subscriber_places) == 0
    assert number_of(engine, erasures) == 1
    gone = visitor.post(str(answer.url), data={"action": "erase", "code": "1", "lang": "en"})
    assert gone.status_code == 404
    assert WORDS["en"]["forgotten"] in gone.text


def test_what_nobody_sees_is_taken_out_of_what_was_pasted(visitor: Client, engine: Engine) -> None:
    """Zero-width and direction marks come with text copied from a chat; a number or address with them looks right."""
    answer = sign_up(
        visitor,
        phone="0912\u200b345\u202c 678",
        email="la\u200bn@example.org\u200e",
        position_1="21.03, 105.85",
        label_1="tr\u202e\u01b0\u1eddng\u200b",
    )
    assert "/c/" in str(answer.url)
    for channel, code in codes(engine).items():
        visitor.post(str(answer.url), data={"channel": channel, "code": code, "lang": "en"})
    assert state_of(engine) == "active"
    with reading(engine) as connection:
        labels = set(connection.execute(select(subscriber_places.c.label)).scalars())
    assert "tr\u01b0\u1eddng" in labels


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_broken_link_of_a_mail_leads_to_the_page_for_stopping(visitor: Client, language: str) -> None:
    for answer in (
        visitor.get("/u/broken", params={"lang": language}),
        visitor.post("/u/broken", data={"lang": language}),
    ):
        assert answer.status_code == 404
        assert WORDS[language]["bad_link"] in answer.text
        assert f'href="/h?lang={language}"' in answer.text


def test_the_last_page_says_that_it_is_done(visitor: Client, engine: Engine) -> None:
    answer = sign_up(visitor)
    done = visitor.post(str(answer.url), data={"channel": "sms", "code": codes(engine)["sms"], "lang": "en"})
    assert "<h1>You are signed up</h1>" in done.text
    assert "<h1>Enter the code</h1>" in answer.text
