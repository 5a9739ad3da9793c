"""The acknowledgement page: shows on GET, acts on POST, once."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, select

from notifiers.acknowledgements import LONGEST_REASON
from notifiers.database import reading
from notifiers.escalation import EscalationPlan
from notifiers.escalations import tick
from notifiers.tables import acknowledgements
from rules.notices import Notice, delivery_id
from streams.clock import ManualClock
from tests.notifiers.samples import LINKS

Client = Any


def path(notice: Notice, facility: str = "F000", channel: str = "email") -> str:
    return f"/a/{LINKS.token(delivery_id(notice.id, facility, channel), 'acknowledge')}"


def recorded(engine: Engine) -> list[tuple[str, str, str]]:
    with reading(engine) as connection:
        rows = connection.execute(select(acknowledgements).order_by(acknowledgements.c.time_s))
        return [(row.facility, row.answer, row.reason) for row in rows]


def test_opening_the_page_changes_nothing(client: Client, engine: Engine, request_notice: Notice) -> None:
    """Mail scanners open every link in a mail, some of them many times."""
    for _ in range(20):
        page = client.get(path(request_notice))
        assert page.status_code == 200
    assert recorded(engine) == []
    assert "Nhà máy xi măng số 0" in page.text
    assert "Giảm 30 % tải lò nung" in page.text
    assert "DIỄN TẬP" in page.text
    assert "06:00 ngày 18/01/2026" in page.text, "the end, in the facility's zone"


def test_the_page_loads_nothing_from_outside(client: Client, request_notice: Notice) -> None:
    page = client.get(path(request_notice))
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in page.text.replace("/static/page.css", "")
    assert page.headers["referrer-policy"] == "no-referrer"
    assert client.get("/static/page.css").headers["content-type"].startswith("text/css")


def test_accepting_is_recorded_once_whichever_message_it_came_through(
    client: Client, engine: Engine, request_notice: Notice
) -> None:
    first = client.post(path(request_notice), data={"answer": "accepted"})
    assert first.status_code == 200
    assert "Đã ghi nhận" in first.text
    again = client.post(path(request_notice, channel="sms"), data={"answer": "accepted"})
    assert "từ trước" in again.text
    assert recorded(engine) == [("F000", "accepted", "")]


def test_then_it_is_reported_done(client: Client, engine: Engine, request_notice: Notice, clock: ManualClock) -> None:
    client.post(path(request_notice), data={"answer": "accepted"})
    clock.advance(3600)
    page = client.get(path(request_notice))
    assert 'value="done"' in page.text
    assert 'value="refused"' not in page.text
    client.post(path(request_notice), data={"answer": "done", "reason": "Lò 2 giảm còn 65 %"})
    assert recorded(engine) == [("F000", "accepted", ""), ("F000", "done", "Lò 2 giảm còn 65 %")]


def test_a_refusal_needs_its_reason(client: Client, engine: Engine, request_notice: Notice) -> None:
    bare = client.post(path(request_notice, "F001"), data={"answer": "refused", "reason": "  "})
    assert bare.status_code == 409
    assert "Please give the reason" in bare.text, "F001 reads English"
    client.post(path(request_notice, "F001"), data={"answer": "refused", "reason": "<b>hospital\r\n supply</b>"})
    assert recorded(engine) == [("F001", "refused", "<b>hospital supply</b>")]
    assert "&lt;b&gt;hospital" in client.get(path(request_notice, "F001")).text


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("bệnh\u202e viện\u200b", "bệnh viện"),
        ("a\x00b", "ab"),
        ("{{ 7*7 }}", "{{ 7*7 }}"),
        ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
        ("x" * 40_000, "x" * LONGEST_REASON),
    ],
)
def test_a_hostile_reason_is_text(
    client: Client, engine: Engine, request_notice: Notice, typed: str, kept: str
) -> None:
    """PostgreSQL takes no NUL: the plant's answer would have been lost."""
    shown = client.post(path(request_notice), data={"answer": "refused", "reason": typed})
    assert shown.status_code == 200
    assert recorded(engine) == [("F000", "refused", kept)]
    assert ">49<" not in shown.text


@pytest.mark.parametrize(("first", "second"), [("accepted", "refused"), ("refused", "accepted")])
def test_the_first_answer_stands(
    client: Client, engine: Engine, request_notice: Notice, first: str, second: str
) -> None:
    client.post(path(request_notice), data={"answer": first, "reason": "x"})
    page = client.post(path(request_notice), data={"answer": second, "reason": "x"})
    assert page.status_code == 409
    assert [answer for _, answer, _ in recorded(engine)] == [first]


@pytest.mark.parametrize(
    ("again", "then"),
    [("accepted", [("accepted", "")]), ("refused", [("accepted", ""), ("refused", "kiln 2")])],
)
def test_who_is_asked_anew_can_answer_anew(
    client: Client, engine: Engine, request_notice: Notice, clock: ManualClock, again: str, then: list[tuple[str, str]]
) -> None:
    """Accepted, nothing followed: the plant is called once more, and its page had nothing to say it with."""
    client.post(path(request_notice), data={"answer": "accepted"})
    plan = EscalationPlan(remind_after_s=600)
    for _ in range(3):
        with engine.begin() as connection:
            tick(connection, "exercise", [plan], ["sms", "email"], clock.now_s())
        clock.advance(700)
    page = client.get(path(request_notice))
    assert "trả lời lại" in page.text
    assert all(f'value="{answer}"' in page.text for answer in ("accepted", "refused", "started", "done"))
    answered = client.post(path(request_notice), data={"answer": again, "reason": "kiln 2"})
    assert answered.status_code == 200
    assert "trả lời lại" not in answered.text
    assert 'value="accepted"' not in answered.text
    assert ('value="done"' in answered.text) is (again == "accepted")
    refused = client.post(path(request_notice), data={"answer": "refused", "reason": "x"})
    assert refused.status_code == (200 if again == "refused" else 409), "asked anew once, not for ever"
    assert [(answer, reason) for _, answer, reason in recorded(engine)] == then


def test_an_old_request_can_be_read_but_not_answered(
    client: Client, engine: Engine, request_notice: Notice, clock: ManualClock
) -> None:
    clock.set(request_notice.valid_until.timestamp() + 8 * 86_400)
    page = client.get(path(request_notice))
    assert page.status_code == 200
    assert "<form" not in page.text
    assert client.post(path(request_notice), data={"answer": "accepted"}).status_code == 409
    assert recorded(engine) == []


def test_a_bad_link_says_so_and_does_nothing(client: Client, engine: Engine, request_notice: Notice) -> None:
    good = path(request_notice)
    not_a_request = f"/a/{LINKS.token(delivery_id(request_notice.id, 'F999', 'email'), 'acknowledge')}"
    status_token = f"/a/{LINKS.token(delivery_id(request_notice.id, 'F000', 'email'), 'status')}"
    for bad in (good[:-2] + "xx", "/a/nonsense", not_a_request, status_token):
        assert client.get(bad).status_code == 404
        answered = client.post(bad, data={"answer": "accepted"})
        assert answered.status_code == 404
        assert "Liên kết không dùng được" in answered.text
    assert client.post(good, data={"answer": "maybe"}).status_code == 400
    assert recorded(engine) == []
