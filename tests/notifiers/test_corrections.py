"""Late readings show that it was worse than people were told: who was told hears so, and nobody else.

From province hours through the tracker and the rule engine, the stages that both runtimes drive, to the ledger of
either database and to the messages that arrive.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, update

from notifiers.registries import ImportRules
from notifiers.sandbox import Sandbox
from notifiers.subscribers import import_subscribers
from notifiers.tables import ledger, subscribers
from rules.engine import RuleEngine
from rules.loading import load_pack
from rules.model import Pack
from rules.notices import Notice
from streams.schemas import ProvinceState
from tests.notifiers.samples import VAULT, fill, subscribers_csv
from tests.notifiers.samples import notice as sample
from tests.notifiers.workplace import dispatched, found, planned
from tests.streams.province_hours import airshed, run, state, states, tracker

REGION = airshed("AB BC CD")
CASES = {
    "open": ("160*24", "160*24", 14),  # the episode goes on while the late readings come
    "closed": ("160*6 60*18", "160*6 60*18", 20),  # it was over ten hours before
}
PROVINCES = ("A", "B", "C", "D")  # the air of C and D is clean


def pack() -> Pack:
    """The Vietnamese pack's rules for residents, over four provinces with short names."""
    base = load_pack("vietnam-2026")
    rules = [rule for rule in base.rules if rule.audience.recipients == "residents"]
    assert [rule.id for rule in rules if rule.notice == "bulletin"] == ["residents-correction"]
    return msgspec.structs.replace(base, airshed=REGION, rules=rules, quiet_hours=None)


def late(code: str, hours: range, index: int) -> list[ProvinceState]:
    return [state(REGION, code, number, index, revision=1) for number in hours]


def judged(a: str, b: str, after: int) -> list[Notice]:
    """What is said when the peak of hours 2 to 5 becomes known after hour ``after`` only."""
    clean = "60*24"
    hours = states(REGION, {"A": a, "B": b, "C": clean, "D": clean})
    stage, memory = tracker(REGION), dict[str, bytes]()
    engine = RuleEngine(pack(), memory, "exercise")
    events = run(stage, hours[:after])
    stage.accept([*late("A", range(2, 6), 320), *late("B", range(2, 6), 320)])
    events += run(stage, hours[after:], first=after + 1)
    said = []
    for event in events:  # the engine is killed after every event and goes on from its state
        said += engine.accept([event])
        engine = RuleEngine(pack(), memory, "exercise")
    return said


def register(engine: Engine, folder: Path, count: int) -> None:
    """So many residents, S0000 of A, S0001 of B and so on in turn, each with SMS and mail."""
    with engine.begin() as connection:
        path = subscribers_csv(folder / "people.csv", count, PROVINCES)
        import_subscribers(connection, path, VAULT, ImportRules([REGION]))


async def send(engine: Engine, sandbox: Sandbox, notice: Notice) -> None:
    planned(engine, notice)
    assert not any((await dispatched(engine, sandbox, notice.time.timestamp() + 60)).values())


@pytest.mark.parametrize("case", CASES)
async def test_a_correction_reaches_exactly_who_was_told(
    engine: Engine, sandbox: Sandbox, tmp_path: Path, case: str
) -> None:
    """Of A: S0000 was told, S0004 could not be reached, S0008 came later. Of B: S0001 was told, S0005 wanted higher
    levels only. S0002 and S0003 live where the air was clean."""
    first, *later = judged(*CASES[case])
    assert (first.kind, first.rule) == ("advisory", "residents-advisory")
    (correction,) = (notice for notice in later if notice.kind == "bulletin")
    assert (correction.rule, correction.audience.told_in) == ("residents-correction", first.episode)
    register(engine, tmp_path, 8)
    with engine.begin() as connection:
        connection.execute(update(subscribers).where(subscribers.c.subscriber_id == "S0005").values(level=3))
    await send(engine, sandbox, first)
    with engine.begin() as connection:
        lost = ledger.c.recipient == "S0004"
        connection.execute(update(ledger).where(lost).values(state="failed", reason="30005"))
    register(engine, tmp_path, 9)
    for notice in later:
        await send(engine, sandbox, notice)
    told = Counter((d.recipient, d.channel, d.state, d.reason) for d in found(engine) if d.notice == correction.id)
    sent = {recipient for recipient, _, state, _ in told if state == "sent"}
    assert sent == {"S0000", "S0001"}
    assert {recipient for recipient, *_ in told} <= {"S0000", "S0001", "S0004", "S0005", "S0008"}
    assert {(state, reason) for r, _, state, reason in told if r not in sent} == {("suppressed", "not-told")}
    assert all(number == 1 for number in told.values()), "once on each channel"
    assert "DINH CHINH" in next(m.body for m in reversed(sandbox.phone.messages.values()) if m.to.endswith("0000000"))


@pytest.mark.parametrize(("index", "said"), [(60, []), (160, []), (320, [("bulletin", "residents-correction")])])
def test_late_readings_that_raise_no_peak_tell_residents_nothing(index: int, said: list[tuple[str, str]]) -> None:
    """What was cleaner than told is the authorities' to hear; to take a warning back is an officer's decision."""
    hours = states(REGION, {"A": "160*20", "B": "160*20", "C": "60*20", "D": "60*20"})
    stage, engine = tracker(REGION), RuleEngine(pack(), {}, "exercise")
    events = run(stage, hours[:12])
    stage.accept([*late("A", range(5, 10), index), *late("B", range(5, 10), index)])
    events += run(stage, hours[12:], first=13)
    assert [event.kind for event in events] == (["opened"] if index == 160 else ["opened", "revised"])
    told = [(notice.kind, notice.rule) for notice in engine.accept(events)]
    assert told == [("advisory", "residents-advisory"), *said]


async def test_an_end_in_another_episode_reaches_who_was_warned_in_the_first(
    engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Episodes merge: the warning is of the one, the end of the other, and says so by ``told_in``."""
    fill(engine, tmp_path, 2, 0)
    warning = sample("advisory", provinces=["01"])
    end = sample("all-clear", level=0, transition=7, hours=5, told_in=warning.episode, episode="red-river-delta-other")
    for notice in (warning, end):
        await send(engine, sandbox, notice)
    ended = Counter((d.recipient, d.state) for d in found(engine) if d.notice == end.id)
    assert ended == {("S0000", "sent"): 2, ("S0001", "suppressed"): 2}
