"""Packs that are refused, with the exact words their author reads; and those that come with Airshed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.loading import load_pack, packaged_packs, parse_pack
from streams.errors import PackError

PACKS = Path(__file__).parent / "packs"
GOOD = (PACKS / "good.yaml").read_bytes()


def refusal(text: str | bytes) -> list[str]:
    raw = text.encode() if isinstance(text, str) else text
    with pytest.raises(PackError) as caught:
        parse_pack("pack.yaml", raw)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("name", ["misspelt", "senseless"])
def test_every_problem_at_once_with_its_place_and_remedy(name: str) -> None:
    with pytest.raises(PackError) as caught:
        parse_pack(f"{name}.yaml", (PACKS / f"{name}.yaml").read_bytes())
    assert str(caught.value) + "\n" == (PACKS / f"{name}.txt").read_text(encoding="utf-8")


LOOK_THERE = "look at the indentation and quotes there"
NO_TAGS = "write the value without a tag"


@pytest.mark.parametrize(
    ("text", "place", "message", "remedy"),
    [
        ("", "1:1", "the file is empty", "start from a copy of a packaged pack"),
        ("name: [a", "1:9", "expected ',' or ']', but got '<stream end>'", LOOK_THERE),
        ("a: 1\n b: 2", "2:3", "mapping values are not allowed here", LOOK_THERE),
        ("a: 1\na: 2", "2:1", "a: 'a' is given twice, first in line 1", ""),
        ("a: !!python/tuple []", "1:4", "a: tag tag:yaml.org,2002:python/tuple is not used here", NO_TAGS),
        ("a: &b [*b]", "1:1", "the file contains itself, or far too much", "write aliases out"),
        ("- a", "1:1", "expected keys and values, got a list", ""),
        ("a: 1\n---\nb: 2", "2:1", "but found another document", LOOK_THERE),
        (b"name: \xff\xfe", "1:1", "byte 6 is not UTF-8", "save the file as UTF-8"),
    ],
)
def test_what_is_not_yaml_as_packs_use_it(text: str | bytes, place: str, message: str, remedy: str) -> None:
    assert refusal(text)[0] == f"pack.yaml:{place}: {message}" + (f" ({remedy})" if remedy else "")


def test_aliases_that_blow_up_are_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert refusal("\n".join(lines)) == ["pack.yaml:1:1: the file contains itself, or far too much (write aliases out)"]


def test_a_good_pack_keeps_its_values() -> None:
    pack = parse_pack("good.yaml", GOOD)
    assert pack.reference == "good@1"
    assert [rule.id for rule in pack.rules][:2] == ["residents", "plants"]
    assert pack.rules[0].on == ["opened", "grown", "escalated"]  # not the true of YAML 1.1
    assert pack.airshed.provinces[0].code == "01"  # nor its octal 1
    assert pack.rules[0].when == "true"


def levels(count: int) -> str:
    one = "    - {{name: l{0}, names: {{en: l{0}}}, enter: {1}, exit: {2}, enter_hours: 6, exit_hours: 12}}\n"
    head, _, rest = GOOD.decode().partition("    - {name: watch")
    _, _, tail = rest.partition("rules:\n")
    given = "".join(one.format(n, 151 + 10 * n, 130 + 10 * n) for n in range(count))
    return f"{head}{given}rules:\n{tail}"


@pytest.mark.parametrize("count", [10, 12, 30])
def test_more_levels_than_a_digit_names_are_refused(count: int) -> None:
    assert refusal(levels(count)) == [f"pack.yaml:24:7: airshed.levels[9]: {count} levels (give at most 9)"]


def test_nine_levels_are_enough() -> None:
    assert len(parse_pack("pack.yaml", levels(9).encode()).airshed.levels) == 9


def test_a_path_and_a_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(GOOD)
    assert load_pack(file).name == load_pack(str(file)).name == "good"
    with pytest.raises(PackError, match=r"cannot be read: No such file"):
        load_pack(tmp_path / "gone.yaml")
    with pytest.raises(PackError, match=r"no pack 'vietnam-2062'; there are: .*korea, vietnam-2026 \(did you mean"):
        load_pack("vietnam-2062")


@pytest.mark.parametrize("name", packaged_packs())
def test_the_packs_that_come_with_airshed_are_in_order(name: str) -> None:
    pack = load_pack(name)
    assert pack.name == name
    kinds = {(rule.notice, rule.audience.recipients) for rule in pack.rules}
    assert {("advisory", "residents"), ("all-clear", "residents")} <= kinds
    for recipients in ("facilities", "authorities"):  # who is asked for something hears when it is over
        asked = {("request", recipients), ("instruction", recipients)} & kinds
        assert not asked or ("all-clear", recipients) in kinds


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_damage_to_a_pack_does_worse_than_refuse_it(data: st.DataObject) -> None:
    """Cut it off, drop bytes, change bytes: either it still is a pack, or a PackError names places in the file."""
    raw = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 2))
        match data.draw(st.sampled_from(["change", "drop", "cut"])):
            case "change":
                raw[at] = data.draw(st.integers(0, 255))
            case "drop":
                del raw[at : at + data.draw(st.integers(1, 40))]
            case "cut":
                raw = raw[: at + 1]
        if len(raw) < 3:
            break
    try:
        parse_pack("pack.yaml", bytes(raw))
    except PackError as error:
        assert error.problems
        assert all(problem.place.startswith("pack.yaml:") for problem in error.problems)
