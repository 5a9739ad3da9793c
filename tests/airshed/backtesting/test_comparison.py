"""Two lists of notices, held against each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airshed.backtesting.comparison import Difference, compare
from airshed.backtesting.tallies import Told
from tests.airshed.backtesting.samples import told


def test_the_same() -> None:
    notices = [told(0), told(3, level=2), told(9, "request", recipients="facilities")]
    assert (compare(notices, notices).same, compare(notices, notices).differences) == (3, [])


def test_only_new_and_only_old() -> None:
    found = compare([told(0)], [told(49)])
    assert [d.what for d in found.differences] == [["only-new"], ["only-old"]]
    found = compare([told(0, "advisory")], [told(0, "bulletin")])
    assert [d.what for d in found.differences] == [["only-new"], ["only-old"]]
    assert compare([told(0, provinces="01")], [told(0, provinces="24")]).same == 0


def test_moved_and_otherwise_different() -> None:
    (found,) = compare([told(5, provinces="01 24", level=2)], [told(8, provinces="24 31")]).differences
    assert found == Difference(
        what=["time", "level", "provinces"],
        new=told(5, provinces="01 24", level=2).id,
        old=told(8, provinces="24 31").id,
        hours=-3,
        joined=["01"],
        left=["31"],
    )


def test_a_renamed_rule_is_the_same_news_under_another_name() -> None:
    (found,) = compare([told(5, rule="warn-people")], [told(5, rule="tell-people")]).differences
    assert found.what == ["rule"]


def test_the_closest_belong_together_and_the_other_is_new() -> None:
    found = compare([told(0), told(10)], [told(11)])
    assert [(d.what, d.hours) for d in found.differences] == [(["only-new"], 0), (["time"], -1)]


notices = st.lists(
    st.builds(
        told,
        st.integers(0, 120),
        st.sampled_from(["advisory", "all-clear"]),
        st.sampled_from(["01", "24", "01 24"]),
        level=st.integers(1, 2),
        rule=st.sampled_from(["", "another"]),
    ),
    max_size=8,
).map(lambda found: sorted(found, key=lambda notice: notice.time_s))


@given(notices, notices)
def test_every_notice_is_accounted_for_once(new: list[Told], old: list[Told]) -> None:
    found = compare(new, old)
    only_new, only_old = found.number("only-new"), found.number("only-old")
    paired = found.same + len(found.differences) - only_new - only_old
    assert paired + only_new == len(new)
    assert paired + only_old == len(old)


@given(notices)
def test_a_pack_does_not_differ_from_itself(same: list[Told]) -> None:
    assert compare(same, same).differences == []
