"""Signing up, stopping and erasing: through the real dispatcher, to the sandbox's mailbox and SMS endpoint."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from notifiers import confirmations, consents
from notifiers.choices import Choices
from notifiers.confirmations import KEPT_S, MOST_TRIES, VALID_S, Checked
from notifiers.database import reading
from notifiers.places import Gazetteer
from notifiers.quotas import Quota
from notifiers.sandbox import Sandbox
from notifiers.service_words import code_sms
from notifiers.signups import Action, Desk, Limits, Outcome, SignUp
from notifiers.tables import confirmations as confirmations_table
from notifiers.tables import erasures, ledger, quotas, subscriber_places, subscribers
from notifiers.withdrawal import erase, withdraw, withdraw_contact
from tests.notifiers.samples import AIRSHED, LINKS, NOON, VAULT, fill, notice
from tests.notifiers.workplace import dispatched, dispatching, email_channel, planned, sms_channel

NUMBER, ADDRESS = "+84912345678", "lan@example.org"
NOW = NOON.timestamp()
DESK = Desk(VAULT, "exercise")
PLACES = Gazetteer([AIRSHED])
HOME = SignUp(
    choices=Choices(language="vi", level=2, sensitive=True, timing="evening-before", quiet=(1320, 420)),
    places=[PLACES.province("01"), PLACES.point(21.03, 105.85, 25, "trường")],
    contacts={"sms": NUMBER, "email": ADDRESS},
)
BY_SMS = replace(HOME, contacts={"sms": NUMBER})


def sign_up(engine: Engine, asked: SignUp = HOME, now_s: float = NOW, desk: Desk = DESK, address: str = "a") -> str:
    with engine.begin() as connection:
        outcome, request = desk.sign_up(connection, asked, address=address, now_s=now_s)
    assert outcome is Outcome.ASKED
    return request


def confirm(engine: Engine, request: str, channel: str = "sms", code: str = "", now_s: float = NOW + 60) -> Checked:
    with engine.begin() as connection:
        return DESK.confirm(connection, request, channel, code or code_for(engine, request, channel), now_s)


def code_for(engine: Engine, request: str, channel: str = "sms") -> str:
    with reading(engine) as connection:
        (asked,) = confirmations.asked_in(connection, request, channel)
        return confirmations.code_of(VAULT, asked.id)


def person(engine: Engine) -> Any:
    with reading(engine) as connection:
        return connection.execute(select(subscribers)).one()


def number_of(engine: Engine, table: Any) -> int:
    with reading(engine) as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


async def send_all(engine: Engine, sandbox: Sandbox, now_s: float = NOW) -> None:
    assert not any((await dispatched(engine, sandbox, now_s)).values())


async def test_a_code_that_reached_the_phone_makes_the_person_active(engine: Engine, sandbox: Sandbox) -> None:
    request = sign_up(engine)
    assert person(engine).state == "pending"
    await send_all(engine, sandbox)
    (text,) = sandbox.phone.messages.values()
    assert text.to == NUMBER
    assert text.body.startswith("DIEN TAP: ")
    assert len(text.body) <= 160
    found = re.search(r"\d{6}", text.body)
    assert found
    assert confirm(engine, request, "sms", f" {found[0][:3]} {found[0][3:]} ") is Checked.RIGHT
    row = person(engine)
    assert (row.state, row.channels, row.level, row.sensitive, row.timing) == ("active", "sms", 2, 1, "evening-before")
    assert (row.quiet_from, row.quiet_to, row.email) == (1320, 420, None)
    assert VAULT.open(row.sms) == NUMBER

    (mail,) = sandbox.mailbox.mails
    plain = mail.message.get_body(("plain",))
    assert plain is not None
    found = re.search(r"\d{6}", plain.get_content())
    assert found
    assert mail.message["List-Unsubscribe"] is None, "there is nothing to unsubscribe from yet"
    assert confirm(engine, request, "email", found[0]) is Checked.RIGHT
    assert person(engine).channels == "sms email"
    with reading(engine) as connection:
        given = consents.consents_of(connection, person(engine).subscriber_id)
        places = connection.execute(select(subscriber_places.c.province).order_by("place", "province")).scalars().all()
        states = connection.execute(select(ledger.c.state, ledger.c.kind)).all()
    assert [(one["what"], one["wording_version"], one["given_by"]) for one in given] == [
        ("email", consents.WORDING_VERSION, "page"),
        ("sensitive", consents.WORDING_VERSION, "page"),
        ("sms", consents.WORDING_VERSION, "page"),
    ]
    assert places == ["01", "01", "24"], "the circle around the school reaches over the border"
    assert set(states) == {("sent", "confirmation")}


def test_without_the_code_nothing_happens(engine: Engine) -> None:
    request = sign_up(engine)
    right = code_for(engine, request)
    wrong = str((int(right) + 1) % 1_000_000).zfill(6)
    for _ in range(MOST_TRIES):
        assert confirm(engine, request, "sms", wrong) is Checked.WRONG
    assert confirm(engine, request, "sms", right) is Checked.EXPIRED, "five wrong codes kill it"
    assert person(engine).state == "pending"
    assert confirm(engine, confirmations.new_id(), "sms", right) is Checked.UNKNOWN


def test_a_code_that_was_never_sent_is_never_right(engine: Engine) -> None:
    """Beyond the quota of a contact nothing is sent, but the page goes on: thirty codes for a guesser instead of three,
    and one of those nobody had sent erased a person."""
    request = sign_up(engine, BY_SMS)
    assert confirm(engine, request) is Checked.RIGHT
    with engine.begin() as connection:
        _, asked = DESK.manage(connection, "sms", NUMBER, "vi", address="b", now_s=NOW)
        for second in range(20):
            DESK.again(connection, asked, "sms", address="b", now_s=NOW + second)
        in_ledger = set(connection.execute(select(ledger.c.id)).scalars())
        table = confirmations_table
        codes = list(connection.execute(select(table.c.id).where(table.c.request == asked)).scalars())
        unsent = [confirmations.code_of(VAULT, one) for one in codes if one not in in_ledger]
        sent = [confirmations.code_of(VAULT, one) for one in codes if one in in_ledger]
        assert (len(sent), len(unsent)) == (2, 19), "three codes an hour, one of them for the sign-up"
        for code in unsent[: MOST_TRIES - 1]:
            assert DESK.act(connection, asked, code, Action.ERASE, NOW + 30) is Checked.WRONG
    assert number_of(engine, subscribers) == 1
    with engine.begin() as connection:
        assert DESK.act(connection, asked, sent[0], Action.ERASE, NOW + 30) is Checked.RIGHT
    assert number_of(engine, subscribers) == 0


def test_whether_a_code_was_sent_cannot_be_told_from_the_answers(engine: Engine) -> None:
    """A contact that nobody knows gets no message, and its page answers as that of a known one does."""
    with engine.begin() as connection:
        _, asked = DESK.manage(connection, "sms", NUMBER, "vi", address="b", now_s=NOW)
        (one,) = confirmations.asked_in(connection, asked)
        code = confirmations.code_of(VAULT, one.id)
        answers = [DESK.act(connection, asked, code, Action.ERASE, NOW + 30) for _ in range(MOST_TRIES + 1)]
    assert answers == [Checked.WRONG] * MOST_TRIES + [Checked.EXPIRED]


def test_a_code_has_its_time(engine: Engine) -> None:
    request = sign_up(engine)
    assert confirm(engine, request, now_s=NOW + VALID_S + 1) is Checked.EXPIRED
    with engine.begin() as connection:
        DESK.again(connection, request, "sms", address="a", now_s=NOW + VALID_S + 1)
    assert confirm(engine, request, now_s=NOW + VALID_S + 60) is Checked.RIGHT, "a new one can be had"
    assert person(engine).state == "active"


def test_what_nobody_confirmed_is_forgotten_contact_and_all(engine: Engine) -> None:
    request = sign_up(engine, BY_SMS)
    with engine.begin() as connection:
        assert confirmations.forget(connection, NOW + KEPT_S - 60) == 0
        assert confirmations.forget(connection, NOW + KEPT_S + 60) == 1
    assert number_of(engine, subscribers) == number_of(engine, confirmations_table) == 0
    assert number_of(engine, subscriber_places) == 0
    assert confirm(engine, request, "sms", "123456") is Checked.UNKNOWN


def test_a_known_contact_is_asked_like_an_unknown_one_and_becomes_the_same_person(engine: Engine) -> None:
    """Who was warned under the old id must get the all-clear under it."""
    confirm(engine, sign_up(engine, BY_SMS))
    before = person(engine).subscriber_id
    moved = replace(BY_SMS, choices=Choices(language="en", level=1), places=[PLACES.province("31")])
    request = sign_up(engine, moved, now_s=NOW + 7200)
    assert number_of(engine, ledger) == 2, "the same message goes out"
    assert confirm(engine, request, now_s=NOW + 7260) is Checked.RIGHT
    row = person(engine)
    assert (row.subscriber_id, row.language, row.level, row.province) == (before, "en", 1, "31")
    with reading(engine) as connection:
        assert connection.execute(select(subscriber_places.c.province)).scalars().all() == ["31"]


def test_pressing_twice_changes_nothing(engine: Engine) -> None:
    request = sign_up(engine)
    assert confirm(engine, request) is confirm(engine, request) is Checked.RIGHT
    assert person(engine).channels == "sms"


def test_a_proven_contact_leaves_whoever_had_it_before(engine: Engine) -> None:
    """A number that was given to somebody else by the carrier: the new owner proves it, the old one keeps the mail."""
    confirm(engine, (first := sign_up(engine)))
    confirm(engine, first, "email")
    mine = replace(HOME, contacts={"email": "new@example.org", "sms": NUMBER})
    request = sign_up(engine, mine, now_s=NOW + 7200)
    confirm(engine, request, "email", now_s=NOW + 7260)
    confirm(engine, request, "sms", now_s=NOW + 7260)
    with reading(engine) as connection:
        rows = connection.execute(select(subscribers.c.channels, subscribers.c.state)).all()
    assert sorted(rows) == [("email", "active"), ("sms email", "active")]


@pytest.mark.parametrize(
    ("limits", "others"),
    [
        (Limits(contact=Quota("contact", 2)), [NUMBER] * 4),
        (Limits(contact_day=Quota("contact-day", 2, 86_400)), [NUMBER] * 4),
        (Limits(block=Quota("block", 2)), [f"+8491234{n:04}" for n in range(4)]),
    ],
)
def test_nobody_earns_by_our_messages(engine: Engine, limits: Limits, others: list[str]) -> None:
    """Numbers of one block, or one number again and again: the page says the same, no message goes out."""
    desk = Desk(VAULT, "exercise", limits)
    for number, contact in enumerate(others):
        asked = replace(BY_SMS, contacts={"sms": contact})
        sign_up(engine, asked, NOW + number, desk, address=f"10.0.0.{number}")
    assert number_of(engine, ledger) == 2
    assert number_of(engine, confirmations_table) == 4


def test_one_internet_address_cannot_ask_for_ever(engine: Engine) -> None:
    desk = Desk(VAULT, "exercise", Limits(address=Quota("address", 2)))
    with engine.begin() as connection:
        outcomes = [
            desk.sign_up(connection, replace(BY_SMS, contacts={"sms": f"+849{n}2345678"}), address="a", now_s=NOW)[0]
            for n in range(3)
        ]
        later, _ = desk.sign_up(connection, BY_SMS, address="a", now_s=NOW + 3600)
    assert outcomes == [Outcome.ASKED, Outcome.ASKED, Outcome.TOO_OFTEN]
    assert later is Outcome.ASKED


async def test_stopping_by_a_code_to_the_contact(engine: Engine, sandbox: Sandbox) -> None:
    confirm(engine, (request := sign_up(engine)))
    confirm(engine, request, "email")
    with engine.begin() as connection:
        _, managed = DESK.manage(connection, "sms", NUMBER, "en", address="a", now_s=NOW + 7200)
    await send_all(engine, sandbox, NOW + 7200)
    (code,) = re.findall(r"\d{6}", list(sandbox.phone.messages.values())[-1].body)
    with engine.begin() as connection:
        assert DESK.act(connection, managed, code, Action.STOP, NOW + 7260) is Checked.RIGHT
    row = person(engine)
    assert (row.state, row.stopped_channels, row.sms) == ("active", "sms", None)
    assert row.sms_hash, "so that no file brings it back"


def test_a_code_for_a_contact_nobody_knows_is_asked_for_like_any_and_never_sent(engine: Engine) -> None:
    with engine.begin() as connection:
        outcome, request = DESK.manage(connection, "sms", NUMBER, "vi", address="a", now_s=NOW)
    assert outcome is Outcome.ASKED
    assert number_of(engine, ledger) == 0
    with engine.begin() as connection:
        assert DESK.act(connection, request, "000000", Action.ERASE, NOW) in (Checked.WRONG, Checked.RIGHT)


async def test_who_says_no_gets_nothing_that_was_planned(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    fill(engine, tmp_path, 2, 0)
    planned(engine, notice())
    with engine.begin() as connection:
        assert withdraw_contact(connection, VAULT, "+84910000000", "sms", by="sms", now_s=NOW) == 1
        assert withdraw(connection, "S0001", by="one-click", now_s=NOW)
        assert not withdraw(connection, "S0001", by="one-click", now_s=NOW + 5), "a second click changes nothing"
    await send_all(engine, sandbox)
    assert sandbox.phone.messages == {}
    assert [mail.to for mail in sandbox.mailbox.mails] == ["person0@example.org"]
    with reading(engine) as connection:
        rows = connection.execute(select(ledger.c.recipient, ledger.c.channel, ledger.c.reason)).all()
    assert {(r, c) for r, c, reason in rows if reason == "opted-out"} == {
        ("S0000", "sms"),
        ("S0001", "sms"),
        ("S0001", "email"),
    }


async def test_the_one_click_link_of_a_mail_names_person_and_channel(
    engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    fill(engine, tmp_path, 1, 1)
    planned(engine, notice(), notice("request", recipients="facilities"))
    await send_all(engine, sandbox)
    by_address = {mail.to: mail.message for mail in sandbox.mailbox.mails}
    header = str(by_address["person0@example.org"]["List-Unsubscribe"])
    token = header.strip("<>").rpartition("/u/")[2]
    assert LINKS.read_unsubscribe(token) == ("S0000", "email")
    assert by_address["plant0@example.org"]["List-Unsubscribe"] is None, "a plant's duty officer is not a subscriber"


async def test_what_nobody_confirms_is_forgotten_although_nobody_else_signs_up(
    engine: Engine, sandbox: Sandbox
) -> None:
    sign_up(engine)
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(engine, channels, now_s=NOW + KEPT_S - 60) as dispatcher:
        await dispatcher.drain(5)
    assert number_of(engine, confirmations_table) == 2, "the day is not over"
    async with dispatching(engine, [], now_s=NOW + 3 * KEPT_S) as dispatcher:
        await dispatcher.drain(5)
    for table in (subscribers, subscriber_places, confirmations_table, quotas):
        assert number_of(engine, table) == 0, table


def test_erased_is_erased(engine: Engine) -> None:
    confirm(engine, (request := sign_up(engine)))
    confirm(engine, request, "email")
    one = person(engine)
    with engine.begin() as connection:
        assert erase(connection, one.subscriber_id, by="page", now_s=NOW + 100)
        assert not erase(connection, one.subscriber_id, by="page", now_s=NOW + 200)
    for table in (subscribers, subscriber_places, confirmations_table):
        assert number_of(engine, table) == 0, table
    with reading(engine) as connection:
        assert connection.execute(select(quotas).where(quotas.c.key.in_([one.sms_hash, one.email_hash]))).all() == []
        left = consents.consents_of(connection, one.subscriber_id)
        assert connection.execute(select(erasures.c.subscriber_id)).scalars().all() == [one.subscriber_id]
    assert all(consent["withdrawn_by"] == "page" for consent in left)
    assert {name for consent in left for name in consent} == {
        "subscriber_id", "what", "given_s", "wording_version", "given_by", "withdrawn_s", "withdrawn_by",
    }  # fmt: skip


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("exercise", [False, True])
def test_the_code_of_a_sign_up_says_where_to_stop_in_one_part(language: str, exercise: bool) -> None:
    page = "canhbao.gov.vn/h"
    said = code_sms("123456", "sign-up", language, exercise=exercise, stop_page=page)
    assert (said.parts, "123456" in said.body) == (1, True)
    assert said.body.endswith(page)
    assert page not in code_sms("123456", "manage", language, exercise=exercise, stop_page=page).body
    long = code_sms("123456", "sign-up", language, exercise=exercise, stop_page=page * 9)
    assert (long.parts, page in long.body) == (1, False), "rather without it than in two parts"
