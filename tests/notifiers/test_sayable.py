"""A pack whose words do not fit is found wrong when it is checked, at the rule that says them."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest
from typer.testing import CliRunner

from airshed.commands.rules import app
from notifiers.sayable import message_problems
from rules.documents import read_document
from rules.loading import load_pack, packaged_packs, parse_pack

VIETNAM = (resources.files("rules") / "packs" / "vietnam-2026.yaml").read_text(encoding="utf-8")


def problems(text: str) -> list[str]:
    raw = text.encode()
    return [str(problem) for problem in message_problems(read_document("v.yaml", raw), parse_pack("v.yaml", raw))]


@pytest.mark.parametrize("name", packaged_packs())
def test_packaged_packs_can_be_said(name: str) -> None:
    raw = (resources.files("rules") / "packs" / f"{name}.yaml").read_bytes()
    assert list(message_problems(read_document(name, raw), load_pack(name))) == []


def test_a_template_that_is_not_there() -> None:
    found = problems(VIETNAM.replace("template: advisory", "template: advisry"))
    assert len(found) == 2  # in both languages
    assert "rules[0].template: there is no template notifiers/templates/advisry.en.j2" in found[0]


def test_an_sms_that_takes_more_parts_than_the_rule_allows() -> None:
    found = problems(VIETNAM.replace("sms_parts: 3", "sms_parts: 1", 1))
    assert len(found) == 2
    assert "rules[1].sms_parts: template request.en: 2 SMS parts at the shortest" in found[0]


def test_a_language_without_templates() -> None:
    sender = "  vi: Trung tâm Không khí Sông Hồng\n"
    text = VIETNAM.replace(sender, sender + "  fr: Centre du fleuve Rouge\n")
    text = re.sub(r"\{vi: ([^,}]+),", r"{fr: \1, vi: \1,", text).replace("      vi:\n", "      fr: [x]\n      vi:\n")
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith("v.yaml:")
    assert "sender.fr: there are no templates in 'fr' (there are templates in vi, en" in found[0]


def test_the_command_fails_on_it(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["check", "vietnam-2026"]).exit_code == 0
    path = tmp_path / "mine.yaml"
    path.write_text(VIETNAM.replace("template: advisory", "template: advisry"), encoding="utf-8")
    answer = CliRunner().invoke(app, ["check", str(path), "--json"])
    assert answer.exit_code == 1
    assert "mine.yaml" in answer.output


def test_words_that_are_meant_for_somebody_else() -> None:
    found = problems(VIETNAM.replace("template: order-draft", "template: request", 1))
    assert len(found) == 1
    assert "template: the words of 'request' are not for order-draft to authorities (use order-draft)" in found[0]
