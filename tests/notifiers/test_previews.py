"""What a pack would say: every rule, every language, at its longest, and what cannot be sent is found."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from notifiers.gsm7 import parts
from notifiers.preview_page import page, pieces
from notifiers.previews import BANDS, Names, previews, unused_languages
from notifiers.words import LANGUAGES
from rules.loading import load_pack, packaged_packs
from rules.model import Pack, Rule
from tests.runtimes.installation import run

PACK = load_pack("vietnam-2026")


def only(pack: Pack, rule: str, **changes: object) -> Pack:
    """A pack with one rule of another, changed."""
    (own,) = [own for own in pack.rules if own.id == rule]
    changed: Rule = msgspec.structs.replace(own, **changes)
    return msgspec.structs.replace(pack, rules=[changed])


@pytest.mark.parametrize("name", packaged_packs())
def test_every_packaged_pack_can_be_said(name: str) -> None:
    pack = load_pack(name)
    found = previews(pack)
    assert [(one.rule, one.language) for one in found] == [(r.id, lang) for r in pack.rules for lang in LANGUAGES]
    for one in found:
        assert one.problems == [], one.rule
        mail_only = next(rule for rule in pack.rules if rule.id == one.rule).audience.recipients == "authorities"
        assert (one.sms is None) is mail_only
        if one.sms is not None:
            assert parts(one.sms.text) <= one.sms.parts <= one.sms.most
            assert one.sms.left_out.find("the sender") < 0, "every message says who says it"
        assert one.mail is not None
        assert one.mail.subject
        assert "<html" in one.mail.html


def test_the_longest_names_and_every_province_are_in_it() -> None:
    facility = "Nhà máy nhiệt điện Cửa Lục số 3"
    found = previews(only(PACK, "facilities-request-alert"), Names(facility, "https://a.example.org"))
    vi = found[0]
    assert vi.sms is not None
    assert "NHA MAY NHIET DIEN CUA LUC SO 3" in vi.sms.text
    assert "https://a.example.org/a/" in vi.sms.text
    assert vi.mail is not None
    assert all(province.names["vi"] in vi.mail.text for province in PACK.airshed.provinces)
    assert str(BANDS[-1]) in vi.told
    assert facility in vi.told


def test_what_the_shortening_took_away_is_said() -> None:
    whole = previews(only(PACK, "residents-advisory", sms_parts=3))[0].sms
    short = previews(only(PACK, "residents-advisory", sms_parts=1))[0].sms
    assert whole is not None
    assert short is not None
    assert whole.left_out == ""
    assert "of 7 provinces" in short.left_out
    assert short.parts == 1


def test_an_sms_that_does_not_fit_is_a_problem() -> None:
    found = previews(only(PACK, "facilities-request-alert", sms_parts=1))
    for one in found:
        assert one.sms is None
        assert "SMS parts at the shortest, the rule facilities-request-alert allows 1" in one.problems[0]
        assert len(one.problems) == 1, "said once, not once for every province"


def test_characters_that_no_sms_carries_are_a_problem() -> None:
    actions = {"vi": ["Giảm tải 中 và 🏭"], "en": ["Reduce load"]}
    vi, en = previews(only(PACK, "facilities-request-alert", actions=actions))
    assert vi.problems == ["actions: 中 🏭 cannot be sent in an SMS, it would arrive as '?': Giảm tải 中 và 🏭"]
    assert en.problems == []


def test_a_template_that_is_not_there_is_a_problem() -> None:
    found = previews(only(PACK, "residents-advisory", template="no-such"))
    assert ["there is no template" in one.problems[0] for one in found] == [True, True]


def test_of_an_end_the_longer_of_two_wordings_is_shown() -> None:
    """That for a province whose own air is still bad is longer here; where it is not, the other one is shown."""
    released = previews(only(PACK, "facilities-release"))[0]
    assert released.sms is not None
    assert "chua tot tro lai" in released.sms.text
    told = previews(only(PACK, "residents-all-clear"))[0].told
    assert told.startswith("a place that is not in the episode any more")
    assert not previews(only(PACK, "residents-advisory"))[0].told.startswith("a place")


def test_languages_without_templates_are_named() -> None:
    assert unused_languages(PACK) == []
    assert unused_languages(msgspec.structs.replace(PACK, sender={"en": "Centre", "zh": "中心"})) == ["zh"]


def test_the_cuts_of_an_sms_are_those_that_are_counted() -> None:
    for text in ("a" * 160, "a" * 161, "a" * 152 + "€" + "b" * 10, "[" * 200, "x" * 306, "x" * 307):
        assert "".join(pieces(text)) == text
        assert len(pieces(text)) == parts(text)


def test_the_page_needs_nothing_else_and_shows_everything() -> None:
    found = previews(PACK)
    html = page(PACK, found, ["zh"])
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", html.split("srcdoc", 1)[0])
    assert "<script" not in html
    assert html.count("<iframe") == len(found)
    assert f"All {len(found)} can be sent" in html
    for rule in PACK.rules:
        assert f'id="{rule.id}"' in html
    broken = page(PACK, previews(only(PACK, "facilities-request-alert", sms_parts=1)))
    assert "2 of 2 cannot be sent as they are" in broken


def test_the_command_fails_when_a_message_cannot_be_sent(tmp_path: Path) -> None:
    good = run("rules", "preview", "vietnam-2026", "--rule", "residents-advisory", "--html", str(tmp_path / "p.html"))
    assert good.returncode == 0, good.stderr
    assert "2 messages, none with problems" in good.stdout
    assert (tmp_path / "p.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    wrong = run("rules", "preview", "vietnam-2026", "--rule", "residents")
    assert (wrong.returncode, "residents-advisory" in wrong.stderr) == (1, True)


def test_the_command_takes_the_longest_name_of_a_register(tmp_path: Path) -> None:
    register = tmp_path / "facilities.csv"
    register.write_text("facility_id,name\n1,Short\n2,Nhà máy có tên dài nhất vùng\n", encoding="utf-8")
    arguments = (
        "rules",
        "preview",
        "vietnam-2026",
        "--rule",
        "facilities-request-alert",
        "--facilities",
        str(register),
    )
    found = json.loads(run(*arguments, "--language", "vi", "--json").stdout)
    assert "NHA MAY CO TEN DAI NHAT VUNG" in found[0]["sms"]["text"]
    register.write_text("id\n1\n", encoding="utf-8")
    assert "it needs a column name" in run(*arguments).stderr
