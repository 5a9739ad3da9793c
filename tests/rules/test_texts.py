"""Hostile texts in a rule pack: refused with their place, in a short message, before anything else is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.loading import parse_pack
from rules.texts import LONGEST_TEXT
from streams.errors import PackError

GOOD = (Path(__file__).parent / "packs" / "good.yaml").read_text(encoding="utf-8")
NAME, VERSION, CONDITION = "{en: One}", 'version: "1"', "when: level < 2 || size(left) > 0"


def refused(text: str) -> str:
    with pytest.raises(PackError) as caught:
        parse_pack("pack.yaml", text.encode())
    return str(caught.value)


def with_name(written: str) -> str:
    assert GOOD.count(NAME) == 1
    return GOOD.replace(NAME, f'{{en: "{written}"}}')


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (r"O\u202ene", "with characters that cannot be seen: U+202E"),
        (r"O\u200bne", "with characters that cannot be seen: U+200B"),
        (r"One\r\nBcc: x@example.org", "with characters that cannot be seen: U+000A, U+000D"),
        (r"O\0ne", "with characters that cannot be seen: U+0000"),
        ("x" * (LONGEST_TEXT + 1), f"of {LONGEST_TEXT + 1} characters (at most {LONGEST_TEXT})"),
        ("x" * 900_000, "of 900000 characters"),
    ],
)
def test_a_name_nobody_could_read_is_refused(written: str, said: str) -> None:
    line = GOOD[: GOOD.index(NAME)].count("\n") + 1
    message = refused(with_name(written))
    assert message.startswith(f"pack.yaml:{line}:")
    assert f"a text {said}" in message
    assert len(message) < 500
    assert message.isprintable()


def test_ten_megabytes_are_refused_unread() -> None:
    assert refused(with_name("x" * 10_000_000)).startswith("pack.yaml:1:1: 100")


@pytest.mark.parametrize("key", [r'"airshed\u202e"', "x" * 900])
def test_a_key_nobody_could_read_is_refused(key: str) -> None:
    message = refused(f"{GOOD}\n{key}: 1\n")
    assert message.startswith("pack.yaml:1:1: a key ")
    assert message.isprintable()
    assert len(message) < 500


@pytest.mark.parametrize("digits", [101, 5_000, 900_000])
def test_a_number_without_end_is_refused_and_not_raised(digits: int) -> None:
    """Python raises ValueError above 4 300 digits: a reload of packs would have ended in it."""
    message = refused(GOOD.replace(VERSION, f"version: {'9' * digits}"))
    assert len(message) < 500


def test_a_formula_and_a_template_are_names_like_any_other() -> None:
    """A cell that begins so is made safe where tables are written, and names are data for templates."""
    for written in ("{{ 7*7 }}", "=cmd|' /C calc'!A0"):
        pack = parse_pack("pack.yaml", with_name(written).encode())
        assert any(written in province.names.values() for province in pack.airshed.provinces)


def test_a_condition_may_take_lines() -> None:
    assert GOOD.count(CONDITION) == 1
    parse_pack("pack.yaml", GOOD.replace(CONDITION, "when: |\n      level < 2\n      || size(left) > 0").encode())
