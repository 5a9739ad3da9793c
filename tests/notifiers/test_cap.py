"""CAP 1.2: valid against the OASIS schema and the rules beside it; chains; exercise and actual never meet."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from lxml import etree
from sqlalchemy import Engine

from console.cap import cap_routes
from notifiers import guard, releases, silences, switch
from notifiers.approvals import approve
from notifiers.cap.alerts import Publisher, alerts, trial
from notifiers.cap.checks import NAMESPACE, problems
from notifiers.cap.documents import CapError, document
from notifiers.cap.feed import Feed, WrongFeedError
from notifiers.cap.model import ActualAlert, ExerciseAlert
from notifiers.cap.publication import Publication
from notifiers.facts import Addressee
from notifiers.guard import Guard
from notifiers.planner import plan
from notifiers.silences import Silence
from rules.notices import Audience, ExerciseNotice, Notice, NoticeProvince
from streams.clock import ManualClock
from tests.notifiers.samples import NOON, fill, notice

CAP = f"{{{NAMESPACE}}}"
ATOM = "{http://www.w3.org/2005/Atom}"
PUBLISHER = Publisher("alerts@airshed.example.org", "https://alerts.example.org")


@dataclass
class Words:
    headline: str
    lead: str
    advice: list[str]
    closing: str
    sender: str


class Voice:
    """Speaks plainly; an exercise says so first."""

    def words(self, about: Notice, language: str, addressee: Addressee, link: str = "") -> Words:
        first = {"vi": "DIỄN TẬP: ", "en": "EXERCISE: "}[language] if isinstance(about, ExerciseNotice) else ""
        return Words(
            f"{first}{about.kind} {language}", "Lời dẫn & <số liệu>", ["Đóng cửa", "Đeo khẩu trang"], "Hết", "TT"
        )


def province(code: str, name: str, index: int | None, level: int = 1) -> NoticeProvince:
    return NoticeProvince(
        code=code, names={"vi": name, "en": name}, level=level, level_name="alert", index=index, index_24h=None
    )


def episode(exercise: bool = True) -> list[Notice]:
    """A warning for two provinces, a third one three hours later, the end of one, the end of all; and a request."""
    three = [province("01", "Hà Nội", 215, 2), province("24", "Bắc Ninh", 182), province("31", "Hải Phòng", 305, 3)]
    over = {"level": 0, "provinces_of": three, "exercise": exercise}
    return [
        notice(exercise=exercise),
        _notice(provinces=["31"], transition=2, hours=3, provinces_of=three, exercise=exercise),
        _notice("all-clear", provinces=["24"], transition=3, hours=5, **over),
        _notice("all-clear", provinces=["01", "31"], transition=4, hours=6, **over),
        notice("request", recipients="facilities", transition=1, exercise=exercise),
    ]


def _notice(kind: str = "advisory", *, provinces_of: list[NoticeProvince], **changes: Any) -> Notice:
    """A sample notice with other provinces than the sample's."""
    return msgspec.structs.replace(notice(kind, **changes), provinces=provinces_of)


def read(xml: bytes) -> etree._Element:
    return etree.fromstring(xml)


def texts(root: etree._Element, name: str) -> list[str]:
    return [element.text or "" for element in root.iter(f"{CAP}{name}")]


@pytest.mark.parametrize("exercise", [True, False])
def test_every_alert_of_an_episode_is_valid(exercise: bool) -> None:
    made = alerts(episode(exercise), PUBLISHER, Voice())
    assert [alert.message_type for alert in made] == ["Alert", "Update", "Update", "Update"]
    for alert in made:
        assert type(alert) is (ExerciseAlert if exercise else ActualAlert)
        root = read(document(alert))
        assert texts(root, "status") == ["Exercise" if exercise else "Actual"]
        assert set(texts(root, "language")) == {"vi-VN", "en-US"}
        assert texts(root, "incidents") == ["red-river-delta-20260117T06-01"]
        assert all(text.endswith("+07:00") for text in texts(root, "expires") + texts(root, "sent"))
        assert all(headline.startswith(("DIỄN TẬP", "EXERCISE")) == exercise for headline in texts(root, "headline"))


def test_a_chain_names_everything_still_live_and_says_it_again() -> None:
    made = alerts(episode(), PUBLISHER, Voice())
    roots = [read(document(alert)) for alert in made]
    sent = [texts(root, "sent")[0] for root in roots]
    references = [(texts(root, "references") or [""])[0].split() for root in roots]
    assert [len(found) for found in references] == [0, 1, 2, 3]
    assert references[1] == [f"{PUBLISHER.sender},{made[0].identifier},{sent[0]}"]
    second = {area.description for info in made[1].infos for area in info.areas}
    assert second == {"Hà Nội", "Bắc Ninh", "Hanoi", "Bac Ninh", "Hải Phòng"}
    severities = [(info.language, info.severity) for info in made[1].infos]
    assert severities == [(la, s) for la in ("vi-VN", "en-US") for s in ("Extreme", "Severe", "Moderate")]
    third = {
        (info.responses, area.description) for info in made[2].infos if info.language == "vi-VN" for area in info.areas
    }
    assert third == {
        (("AllClear",), "Bắc Ninh"),
        (("Prepare", "Avoid"), "Hà Nội"),
        (("Shelter", "Execute"), "Hải Phòng"),
    }
    last = {info.responses for info in made[3].infos}
    assert last == {("AllClear",)}
    assert {info.urgency for info in made[3].infos} == {"Past"}


def test_an_exercise_beside_the_real_thing_is_a_chain_of_its_own() -> None:
    real = notice(exercise=False, transition=2, hours=1)
    made = alerts([notice(), real], PUBLISHER, Voice())
    assert [(type(alert), alert.message_type) for alert in made] == [(ExerciseAlert, "Alert"), (ActualAlert, "Alert")]


def test_what_has_expired_is_not_referenced_and_its_end_is_not_told() -> None:
    brief = replace(PUBLISHER, in_force_hours=1)
    late = notice(transition=2, hours=40)
    first, second = alerts([notice(), late], brief, Voice())
    assert (first.message_type, second.message_type) == ("Alert", "Alert")
    over = notice("all-clear", transition=3, hours=90, level=0)
    assert len(alerts([notice(), over], brief, Voice())) == 1


def test_an_alert_is_in_force_until_the_all_clear_although_its_message_is_not_worth_sending_any_more() -> None:
    over = notice("all-clear", transition=3, hours=60, level=0)
    first, second = alerts([notice(), over], PUBLISHER, Voice())
    assert first.expires - first.sent == timedelta(hours=72)
    assert second.references == (first.reference,)
    assert {info.responses for info in second.infos} == {("AllClear",)}


def test_what_was_wrong_is_withdrawn_and_no_longer_referenced() -> None:
    wrong, right = notice(), notice(transition=3, hours=2)
    audience = Audience(recipients="residents", provinces=["01", "24"], corrects=wrong.id)
    correction = msgspec.structs.replace(
        notice("bulletin", transition=2, hours=1, template="correction"), audience=audience
    )
    first, withdrawn, again = alerts([wrong, correction, right], PUBLISHER, Voice())
    assert withdrawn.message_type == "Cancel"
    assert withdrawn.references == (first.reference,)
    assert problems(document(withdrawn)) == []
    assert texts(read(document(withdrawn)), "note")[0].startswith("Airshed exercise; DIỄN TẬP")
    assert (again.message_type, again.references) == ("Alert", ())
    assert len(alerts([wrong, notice("bulletin", transition=2, hours=1)], PUBLISHER, Voice())) == 1


def test_areas_have_outline_and_code() -> None:
    [alert] = alerts([notice()], PUBLISHER, Voice())
    root = read(document(alert))
    codes = {code.findtext(f"{CAP}value") for code in root.iter(f"{CAP}geocode")}
    assert codes == {"01", "24"}
    for polygon in texts(root, "polygon"):
        assert re.fullmatch(r"(\d+\.\d{3},\d+\.\d{3} ?)+", polygon)
        lat, lon = map(float, polygon.split()[0].split(","))
        assert 20 < lat < 23
        assert 104 < lon < 108


def test_the_same_notices_give_the_same_bytes_in_any_order() -> None:
    forth = [document(alert) for alert in alerts(episode(), PUBLISHER, Voice())]
    back = [document(alert) for alert in alerts(reversed(episode()), PUBLISHER, Voice())]
    assert forth == back


def test_a_province_without_an_index_and_one_of_another_country() -> None:
    strange = [province("110000", "Bắc Kinh", None), province("01", "Thiên Tân", 130)]
    [alert] = alerts([_notice(provinces=["110000", "01"], provinces_of=strange)], PUBLISHER, Voice())
    root = read(document(alert))
    assert texts(root, "polygon") == [], "a code of Viet Nam's under another name is not its province"


def test_a_hostile_name_is_text() -> None:
    evil = [province("01", "<alert>&\x00\x1b\u202e]]>", 215)]
    [alert] = alerts([_notice(provinces=["01"], provinces_of=evil)], PUBLISHER, Voice())
    root = read(document(alert))
    assert "\x1b" not in "".join(texts(root, "areaDesc"))
    assert len(list(root.iter(f"{CAP}info"))) == 2


def good() -> bytes:
    return document(alerts(episode(), PUBLISHER, Voice())[1])


@pytest.mark.parametrize(
    ("pattern", "replacement", "named"),
    [
        (rb"<status>Exercise<", b"<status>Drill<", "Drill"),
        (rb"\+07:00</sent>", b"Z</sent>", "sent"),
        (rb"<certainty>Observed<", b"<certainty>Very Likely<", "Very Likely"),
        (rb"<references>[^<]*</references>", b"", "references: Update"),
        (rb"<references>[^<]*</references>", b"<references>a b c</references>", "not sender,identifier,sent"),
        (rb"<identifier>", b"<identifier>a,b ", "identifier"),
        (rb"<sender>[^<]*<", b"<sender>a &amp; b<", "sender"),
        (rb"<note>[^<]*</note>", b"", "note"),
        (rb"<incidents>[^<]*</incidents>", b"", "incidents"),
        (rb"<scope>Public<", b"<scope>Private<", "addresses"),
        (rb"<expires>2026-01-\d\d", b"<expires>2020-01-01", "expires: not after sent"),
        (rb"<expires>[^<]*</expires>", b"", "expires: missing"),
        (rb"<headline>[^<]*</headline>", b"<headline> </headline>", "headline: empty"),
        (rb"<language>en-US</language>", b"<language>vi-VN</language>", ""),
        (rb"(?s)<info>.*</info>", b"", "info: Update says nothing"),
        (rb"<polygon>\S+ ", b"<polygon>", "polygon"),
        (rb"<polygon>2", b"<polygon>92", "polygon"),
        (rb"<urgency>Immediate<", b"<urgency>Past<", "urgency"),
        (rb"<responseType>Avoid<", b"<responseType>AllClear<", "AllClear"),
        (rb"(?s)<area>.*?</area>\s*(?=<area>|</info>)", b"", "area: missing"),
    ],
)
def test_every_rule_is_noticed(pattern: bytes, replacement: bytes, named: str) -> None:
    changed, number = re.subn(pattern, replacement, good())
    assert number, "the sample has nothing of the kind"
    found = problems(changed)
    assert (not named) or any(named in problem for problem in found), found


def test_languages_that_differ_are_noticed() -> None:
    changed = good().replace(b"<severity>Extreme<", b"<severity>Minor<", 1)
    assert "the languages do not say the same" in problems(changed)


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"not xml",
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><alert xmlns="urn:x">&x;</alert>',
        b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><a>&b;</a>',
        b"<a>" * 100_000,
        b"x" * 6_000_000,
    ],
)
def test_hostile_documents_are_refused(hostile: bytes) -> None:
    assert problems(hostile)


def test_an_alert_that_breaks_a_rule_is_not_written() -> None:
    [alert] = alerts([notice()], PUBLISHER, Voice())
    assert isinstance(alert, ExerciseAlert)
    with pytest.raises(CapError) as refused:
        document(replace(alert, infos=(), note=""))
    assert len(refused.value.found) == 2


def test_an_exercise_or_a_test_cannot_reach_the_public_feed() -> None:
    public = Feed(ActualAlert, "https://x.example/cap", "t", "a")
    [exercise] = alerts([notice()], PUBLISHER, Voice())
    test = trial(PUBLISHER, "1", NOON)
    assert problems(document(test)) == []
    for wrong in (exercise, test):
        mixed: Any = [alerts([notice(exercise=False)], PUBLISHER, Voice())[0], wrong]
        with pytest.raises(WrongFeedError):
            public.document(mixed, NOON)


@pytest.fixture
def publication(sqlite_engine: Engine, tmp_path: Path) -> Publication:
    clock = ManualClock((NOON + timedelta(hours=7)).timestamp())
    return Publication(sqlite_engine, PUBLISHER, Voice(), "https://alerts.example.org/cap", clock, tmp_path / "cap")


def planned(engine: Engine, *made: Notice, let_go: Guard | None = None) -> None:
    """Notices that a dispatcher has looked at; without ``let_go`` it has no guard."""
    with engine.begin() as connection:
        for one in made:
            plan(connection, one)
        for mode in ("actual", "exercise"):
            if let_go is None:
                guard.admit_all(connection, mode)  # type: ignore[arg-type]
            else:
                guard.admit(connection, mode, let_go, NOON.timestamp())  # type: ignore[arg-type]


def shown(publication: Publication, folder: str = "public") -> list[str]:
    """Ids of the notices that alerts are published of."""
    return sorted(name.partition(".")[2] for name in publication.current()[folder].documents)


@pytest.mark.parametrize("exercise", [False, True])
def test_what_the_storm_guard_holds_is_not_public_before_it_is_released(
    publication: Publication, tmp_path: Path, exercise: bool
) -> None:
    fill(publication.engine, tmp_path, 4, 0)
    folder = "exercise" if exercise else "public"
    held, small = notice(exercise=exercise), notice(exercise=exercise, provinces=["24"], transition=2)
    with publication.engine.begin() as connection:
        plan(connection, held)
    assert shown(publication, folder) == [], "no dispatcher has looked at it: it may be one that the guard holds"
    planned(publication.engine, small, let_go=Guard(recipients=5))
    assert [name.endswith(small.id) for name in shown(publication, folder)] == [True]
    publication.write()
    assert not list(tmp_path.rglob(f"*{held.id}.xml"))
    with publication.engine.begin() as connection:
        releases.release(connection, held.id, "Duty 7", "the readings are right", NOON.timestamp() + 60)
    assert len(shown(publication, folder)) == 2
    publication.write()
    assert len(list(tmp_path.rglob(f"*{held.id}.xml"))) == 1


def test_guard_and_approval_are_both_needed(publication: Publication, tmp_path: Path) -> None:
    fill(publication.engine, tmp_path, 4, 0)
    both = notice(exercise=False, approval="officer")
    planned(publication.engine, both, let_go=Guard(recipients=5))
    with publication.engine.begin() as connection:
        approve(connection, both.id, "officer-7", NOON.timestamp() + 60)
    assert shown(publication) == [], "the storm guard still holds it"
    with publication.engine.begin() as connection:
        releases.release(connection, both.id, "Duty 7", "", NOON.timestamp() + 90)
    assert len(shown(publication)) == 1


def test_an_urgent_notice_that_the_guard_lets_pass_is_public_at_once(publication: Publication, tmp_path: Path) -> None:
    fill(publication.engine, tmp_path, 4, 0)
    planned(publication.engine, notice(exercise=False, priority=0), let_go=Guard(recipients=5))
    assert len(shown(publication)) == 1


def test_what_is_released_when_something_newer_is_out_changes_nothing(publication: Publication, tmp_path: Path) -> None:
    """Nobody gets it by message (superseded); in the feed it would rewrite what readers already have."""
    fill(publication.engine, tmp_path, 4, 0)
    held, newer = notice(exercise=False), notice(exercise=False, level=3, transition=2, hours=1)
    planned(publication.engine, held, let_go=Guard(recipients=5))
    planned(publication.engine, newer)  # goes out at once: nothing guards it
    before = publication.current()["public"].documents
    with publication.engine.begin() as connection:
        releases.release(connection, held.id, "Duty 7", "", time.time() + 60)
    assert publication.current()["public"].documents == before
    assert len(before) == 1


@pytest.mark.parametrize(
    ("provinces", "number"), [(("01", "24"), 0), (("01",), 1)], ids=["everywhere", "in-one-of-two-provinces"]
)
def test_what_is_silenced_everywhere_is_not_public(
    publication: Publication, provinces: tuple[str, ...], number: int
) -> None:
    now = datetime.now(UTC)
    publication = replace(publication, clock=ManualClock(now.timestamp() + 60))
    planned(publication.engine, notice(exercise=False, time=now))
    silence = Silence(
        id="",
        officer="Duty 7",
        reason="calibration",
        created_s=0,
        from_s=int(now.timestamp()) - 60,
        until_s=int(now.timestamp()) + 3600,
        provinces=provinces,
    )
    time.sleep(0.01)
    with publication.engine.begin() as connection:
        silences.add(connection, silence, time.time())
    planned(publication.engine, notice(exercise=False, transition=2, time=now))
    assert len(shown(publication)) == 1 + number, "a silence takes nothing back, and keeps new ones out"


def test_files_and_feeds_keep_exercise_and_actual_apart(publication: Publication, tmp_path: Path) -> None:
    planned(publication.engine, *episode(exercise=True))
    publication.write()
    assert not list((tmp_path / "cap").glob("*.xml"))
    assert len(list((tmp_path / "cap" / "exercise").glob("*.xml"))) == 4
    planned(publication.engine, notice(exercise=False, transition=9))
    publication.write()
    [actual] = (tmp_path / "cap").glob("*.xml")
    assert problems(actual.read_bytes()) == []
    feed = read((tmp_path / "cap" / "feed.atom").read_bytes())
    links = [link.get("href") for link in feed.iter(f"{ATOM}link") if link.get("rel") == "alternate"]
    assert links == [f"https://alerts.example.org/cap/{actual.name}"]


def test_what_needs_a_yes_is_published_when_it_has_it(publication: Publication) -> None:
    waiting = notice(approval="officer")
    planned(publication.engine, waiting)
    assert publication.current()["exercise"].documents == {}
    with publication.engine.begin() as connection:
        approve(connection, waiting.id, "officer-7", NOON.timestamp() + 60)
    assert len(publication.current()["exercise"].documents) == 1


def test_the_stop_switch_stops_alerts_too(publication: Publication, tmp_path: Path) -> None:
    planned(publication.engine, notice())
    before = publication.current()["exercise"].documents
    with publication.engine.begin() as connection:
        switch.stop(connection, "officer-7", "wrong list", (NOON + timedelta(minutes=1)).timestamp())
    planned(publication.engine, notice(transition=2, hours=1))
    assert publication.current()["exercise"].documents == before
    started_later = replace(publication, _seen=None, _folders={})
    assert started_later.current()["exercise"].documents == {}, "rather one too few than one too many"
    with publication.engine.begin() as connection:
        switch.resume(connection, "officer-7", "list mended", (NOON + timedelta(minutes=9)).timestamp())
    assert len(publication.current()["exercise"].documents) == 2


def test_the_console_serves_feed_and_alerts(publication: Publication) -> None:
    planned(publication.engine, notice(exercise=False, transition=9), *episode(exercise=True))
    app = Litestar(route_handlers=cap_routes(publication), openapi_config=None)
    with TestClient(app) as client:
        feed = client.get("/cap/feed.atom")
        assert feed.headers["content-type"].startswith("application/atom+xml")
        [link] = [e.get("href") for e in read(feed.content).iter(f"{ATOM}link") if e.get("rel") == "alternate"]
        path = str(link).removeprefix("https://alerts.example.org")
        alert = client.get(path)
        assert alert.headers["content-type"].startswith("application/cap+xml")
        assert problems(alert.content) == []
        assert client.get(path, headers={"If-None-Match": alert.headers["etag"]}).status_code == 304
        assert client.get("/cap/exercise/feed.atom").text.count("<entry>") == 4
        name = path.rpartition("/")[2]
        assert client.get(f"/cap/exercise/{name}").status_code == 404
        assert client.get("/cap/nothing.xml").status_code == 404
