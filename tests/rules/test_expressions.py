"""Conditions taken apart: the cutting agrees with the runtime, on what people write and on what nobody would."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.cel_runtime import cel
from rules.expressions import Failed, Part, needed, shown, take_apart

VALUES: dict[str, Any] = {
    "level": 1,
    "previous_level": 0,
    "kind": "opened",
    "provinces": ["01", "24"],
    "left": [],
    "index": {"01": 210},
    "hours_since_onset": 5,
}


def tree(part: Part) -> Any:
    """(text, value, operator, pieces) down to comparisons."""
    if part.operator in ("", "==", "!=", "<", ">", ">=", "in"):
        return part.text, shown(part.value)
    return part.text, shown(part.value), part.operator, [tree(piece) for piece in part.pieces]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("true", ("true", "true")),
        (" ( level == 2 ) ", ("level == 2", "false")),
        (
            "level == 1 && left != [] || kind in ['a && b', 'opened']",
            (
                "level == 1 && left != [] || kind in ['a && b', 'opened']",
                "true",
                "||",
                [
                    ("level == 1 && left != []", "false", "&&", [("level == 1", "true"), ("left != []", "false")]),
                    ("kind in ['a && b', 'opened']", "true"),
                ],
            ),
        ),
        ("!(level > 1)", ("!(level > 1)", "true", "!", [("level > 1", "false")])),
        ("(level > 0) == (size(left) > 0)", ("(level > 0) == (size(left) > 0)", "false")),
        ("kind == \"it's || not\"", ("kind == \"it's || not\"", "false")),
        ("kind == 'a\\'b && c'", ("kind == 'a\\'b && c'", "false")),
        (
            "level >= 1 // && never\n && true",
            ("level >= 1 // && never\n && true", "true", "&&", [("level >= 1 // && never", "true"), ("true", "true")]),
        ),
        (
            "level > 1 ? kind == 'a' : level == 1 ? true : false",
            (
                "level > 1 ? kind == 'a' : level == 1 ? true : false",
                "true",
                "?:",
                [
                    ("level > 1", "false"),
                    ("kind == 'a'", "false"),
                    (
                        "level == 1 ? true : false",
                        "true",
                        "?:",
                        [("level == 1", "true"), ("true", "true"), ("false", "false")],
                    ),
                ],
            ),
        ),
        ("index['24'] > 300", ("index['24'] > 300", "no value for 24")),
    ],
)  # fmt: skip
def test_parts_and_their_values(source: str, expected: Any) -> None:
    assert tree(take_apart(source, VALUES)) == expected


def test_a_macro_shows_every_element() -> None:
    part = take_apart("provinces.exists(p, p in index && index[p] > 300)", VALUES)
    assert [(piece.element, shown(piece.value)) for piece in part.pieces] == [
        ("p = '01'", "false"),
        ("p = '24'", "false"),
    ]
    assert [step.text for step in part.pieces[0].pieces] == ["p in index", "index[p] > 300"]
    two = take_apart("provinces.exists(p, p == '01') && provinces.all(p, p == '01')", VALUES)
    assert [(piece.operator, piece.value) for piece in two.pieces] == [("exists p", True), ("all p", False)]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("level >= 1", ""),
        ("level == 2", "level == 2 (level is 1)"),
        ("previous_level >= 2 && level < 2", "previous_level >= 2 (previous_level is 0)"),
        (
            "level == 3 && (kind == 'closed' || left != [])",
            "(level == 3 (level is 1) and (kind == 'closed' (kind is 'opened') or left != [] (left is [])))",
        ),
        ("!(level == 1)", "level == 1 not (level is 1)"),
        (
            "!(level == 1 && kind == 'opened')",
            "(level == 1 not (level is 1) or kind == 'opened' not (kind is 'opened'))",
        ),
        (
            "'24' in index && index['24'] > 300",
            "('24' in index (index is {'01': 210}) and index['24'] > 300 (index['24']: no value for 24))",
        ),
        ("left.exists(p, p == '01')", "left.exists(p, p == '01') would have to be true, it is false"),
    ],
)  # fmt: skip
def test_what_would_have_had_to_differ(source: str, words: str) -> None:
    assert needed(take_apart(source, VALUES)) == words


def test_text_that_is_no_cel_is_refused() -> None:
    with pytest.raises(ValueError, match="Syntax"):
        take_apart("level ==", VALUES)


def atoms() -> st.SearchStrategy[str]:
    numbers = st.integers(-3, 300).map(str)
    names = st.sampled_from(["level", "previous_level", "hours_since_onset", "size(left)", "index['01']"])
    comparison = st.tuples(names, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), st.one_of(numbers, names)).map(
        " ".join
    )
    texts = st.sampled_from(["kind == 'a || b'", "kind in ['opened', '!(']", "'01' in index", "true", "false"])
    macros = st.sampled_from(
        ["provinces.exists(p, p == '24' && level > 0)", "provinces.all(q, q in index || level == 1)"]
    )
    return st.one_of(comparison, texts, macros)


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    gap = st.sampled_from(["", " ", "\n  "])
    return st.one_of(
        st.tuples(inner, gap, st.sampled_from(["&&", "||"]), gap, inner).map("".join),
        inner.map(lambda text: f"!({text})"),
        inner.map(lambda text: f"({text})"),
        st.tuples(inner, inner, inner).map(lambda three: f"({three[0]}) ? ({three[1]}) : ({three[2]})"),
    )


@settings(max_examples=300, deadline=None)
@given(source=st.recursive(atoms(), compound, max_leaves=8))
def test_the_parts_put_together_are_the_whole(source: str) -> None:
    part = take_apart(source, VALUES)
    assert part.value == cel.compile(source).execute(VALUES)
    assert_consistent(part)
    assert (needed(part) == "") is (part.value is True)
    assert (needed(part, wanted=False) == "") is (part.value is False)


def assert_consistent(part: Part) -> None:
    values = [piece.value for piece in part.pieces]
    assert not any(isinstance(value, Failed) for value in values)
    if part.operator == "&&":
        assert part.value is all(values)
    elif part.operator == "||":
        assert part.value is any(values)
    elif part.operator == "!":
        assert part.value is not values[0]
    elif part.operator == "?:":
        assert part.value == (values[1] if values[0] else values[2])
    elif part.operator.startswith("exists"):
        assert part.value is any(values)
    elif part.operator.startswith("all"):
        assert part.value is all(values)
    for piece in part.pieces:
        assert_consistent(piece)
