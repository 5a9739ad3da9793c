"""The SMS alphabet and the counting of parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.gsm7 import parts, septets, unaccent


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Không khí HÀ NỘI rất xấu", "Khong khi HA NOI rat xau"),
        ("Đồng bằng sông Hồng", "Dong bang song Hong"),
        ("25 µg/m³ – ‘đỏ’…", "25 ug/m3 - 'do'..."),
        ("Nhà máy 東\u200b\u202e", "Nha may ?"),
    ],
)
def test_unaccenting(text: str, expected: str) -> None:
    assert unaccent(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 152, 3),  # 306 septets, but the € cannot be split between two parts
    ],
)
def test_parts(text: str, expected: int) -> None:
    assert parts(text) == expected


@given(st.text(max_size=400))
def test_whatever_is_unaccented_fits_the_alphabet(text: str) -> None:
    plain = unaccent(text)
    assert septets(plain) >= len(plain)
    assert unaccent(plain) == plain


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="ờ"):
        septets("trời")
