"""The parts of the Kafka runtime that need no broker."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airshed.kafka.derived import deriver
from airshed.kafka.journal import Journal
from airshed.kafka.limits import RejectionLimits, Verdict
from airshed.kafka.runner import StageRunner, next_offset
from airshed.kafka.settings import KafkaSettings, Security
from airshed.kafka.silence import SilenceWatch
from airshed.kafka.stages import NOTHING_YET, encode, mark_in
from streams.batches import ReadingBatch
from streams.schemas import Mark
from streams.topics import READINGS, REJECTED
from streams.transport.batches import FinishedOffsets, Partition
from streams.transport.partitions import partition_of
from tests.airshed.agents import apply_writes
from tests.kafka.counting import Item, moment, specs

HERE = Partition(READINGS, 0)
SETTINGS = KafkaSettings(bootstrap=["nowhere:1"], partitions=1, airshed_partitions=2)


@dataclass(frozen=True)
class Message:
    """A record as the consumer sees it."""

    offset: int
    value: bytes | None
    key: bytes | None = None


# -- finished offsets ------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.randoms())
def test_offsets_are_safe_only_without_a_hole(sizes: list[int], order: Any) -> None:
    """Whatever the order in which batches are finished, nothing unfinished is ever passed (Faust's issue 606)."""
    finished = FinishedOffsets()
    ends = np.cumsum(sizes).tolist()
    batches = [finished.open(HERE, end) for end in ends]
    done: set[int] = set()
    for number in order.sample(range(len(batches)), len(batches)):
        assert batches[number].come() == (set(range(number)) <= done)
        batches[number].finish()
        done.add(number)
        whole = 0
        while whole in done:
            whole += 1
        assert finished.safe(HERE) == (ends[whole - 1] if whole else None)


def test_a_batch_that_nobody_finishes_holds_back_all_behind_it() -> None:
    finished = FinishedOffsets()
    finished.open(HERE, 10)
    finished.open(HERE, 20).finish()
    assert finished.safe(HERE) is None
    assert finished.partitions() == []


def test_a_batch_from_before_a_reset_finishes_nothing() -> None:
    finished = FinishedOffsets()
    old = finished.open(HERE, 1_000)
    finished.reset()
    new = finished.open(HERE, 10)
    old.finish()
    assert finished.safe(HERE) is None
    new.finish()
    assert finished.safe(HERE) == 10


def test_what_the_state_holds_may_be_committed_at_once() -> None:
    """A worker killed before its commit and started again on a quiet topic would otherwise never commit: false lag."""
    finished = FinishedOffsets()
    finished.reset({HERE: 42})
    assert finished.safe(HERE) == 42
    finished.open(HERE, 50)
    assert finished.safe(HERE) == 42


# -- journal ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.binary(max_size=3))), max_size=20))
def test_the_journal_is_a_mapping_and_its_writes_rebuild_it(changes: list[tuple[str, bytes | None]]) -> None:
    durable: dict[str, bytes] = {"sa": b"old", "rnext": b"7"}
    journal, plain = Journal(durable), {"a": b"old"}
    for key, value in changes:
        if value is not None:
            journal.stage[key] = plain[key] = value
        elif key in plain:
            del journal.stage[key], plain[key]
        else:
            with pytest.raises(KeyError):
                del journal.stage[key]
    assert dict(journal.stage) == plain
    assert len(journal.stage) == len(plain)
    assert durable == {"sa": b"old", "rnext": b"7"}, "nothing is durable before it is flushed"
    for key, value in journal.writes():
        durable[key] = value or b""
        if value is None:
            del durable[key]
    assert {key[1:]: value for key, value in durable.items() if key[0] == "s"} == plain


def test_the_runtimes_notes_and_the_stages_keys_never_meet() -> None:
    journal = Journal({})
    journal.put("next", b"1")
    journal.stage["next"] = b"2"
    assert journal.get("next") == b"1"
    assert dict(journal.stage) == {"next": b"2"}


# -- runner ----------------------------------------------------------------------------------------------------------


def _messages() -> list[Message]:
    values: list[bytes] = []
    for step in range(4):
        values += [encode(Item(station, number)) for number in range(step * 3, step * 3 + 3) for station in "ab"]
        values.append(encode(Mark(moment(step), "gateway")))
    return [Message(offset, value) for offset, value in enumerate(values)]


def _undisturbed() -> tuple[list[Any], dict[str, bytes]]:
    durable: dict[str, bytes] = {}
    runner = StageRunner(specs(SETTINGS)[0], 0, durable)
    work = runner.take(_messages())
    apply_writes(durable, work.writes)
    return work.outgoing, durable


@given(st.lists(st.integers(1, 28), max_size=6), st.lists(st.integers(0, 30), max_size=6))
def test_fetches_of_any_size_and_crashes_after_any_call_end_in_the_same_state(
    cuts: list[int], crashes: list[int]
) -> None:
    """A crash keeps the writes of some first calls; what follows is delivered again from the start."""
    messages, (said, state) = _messages(), _undisturbed()
    durable: dict[str, bytes] = {}
    heard: list[Any] = []
    for crash in [*crashes, None]:
        runner = StageRunner(specs(SETTINGS)[0], 0, durable)
        for piece in _pieces(messages, cuts):
            work = runner.take(piece)
            heard += work.outgoing
            apply_writes(durable, work.writes if crash is None else _whole_calls(work.writes, crash))
            if crash is not None:
                break
            runner.settle()
    assert durable == state
    assert list(dict.fromkeys(heard)) == said
    assert next_offset(durable) == len(messages)


def _pieces(messages: list[Message], cuts: list[int]) -> list[list[Message]]:
    edges = [0, *sorted({cut for cut in cuts if cut < len(messages)}), len(messages)]
    return [messages[begin:end] for begin, end in itertools.pairwise(edges)]


def _whole_calls(writes: Sequence[tuple[str, bytes | None]], count: int) -> Sequence[tuple[str, bytes | None]]:
    ends = [number + 1 for number, (key, _) in enumerate(writes) if key == "rnext"]
    return writes[: ends[min(count, len(ends)) - 1]] if count and ends else []


def test_outputs_go_to_the_partition_of_their_key_and_marks_to_all() -> None:
    said, _ = _undisturbed()
    tallies = {message.partition for message in said if mark_in(message.value) is None}
    marks = [message.partition for message in said if mark_in(message.value) is not None]
    assert tallies == {partition_of("all", 2)}
    assert marks == [0, 1] * 4


def test_broken_payloads_are_rejected_with_their_place() -> None:
    runner = StageRunner(specs(SETTINGS)[0], 0, {})
    work = runner.take([Message(40, b"{"), Message(41, encode(Item("a", 0))), Message(42, None)])
    assert [item.place for item in work.rejected] == ["readings/0@40", "readings/0@42"]
    assert {message.topic for message in work.outgoing} == {REJECTED}
    assert work.taken == 3
    assert msgspec.json.decode(runner.journal.stage["a"]) == [1, 0, 0]


def test_an_announcement_promises_nothing() -> None:
    runner = StageRunner(specs(SETTINGS)[0], 0, {})
    assert runner.take([Message(0, encode(Mark(NOTHING_YET, "gateway")))]).outgoing == []


def test_a_reading_that_says_mark_is_no_mark() -> None:
    assert mark_in(b'{"source":"mark","time":"2026-01-01T00:00:00Z"}') is None
    assert mark_in(encode(Mark(moment(1), "mark"))) == Mark(moment(1), "mark")


# -- limits ----------------------------------------------------------------------------------------------------------


def _limits() -> RejectionLimits:
    return RejectionLimits(ratio=0.5, run=30, window=100)


def test_a_bad_stretch_is_borne_and_a_bad_feed_is_not() -> None:
    limits = _limits()
    assert [limits.count(10, 4) for _ in range(50)] == [Verdict.FINE] * 50
    assert Verdict.RATIO in [limits.count(10, 6) for _ in range(10)]


def test_a_run_of_nothing_usable_stops_even_a_young_worker() -> None:
    limits = _limits()
    assert [limits.count(10, 10) for _ in range(3)] == [Verdict.FINE, Verdict.FINE, Verdict.RUN]


def test_one_good_reading_ends_a_run() -> None:
    limits = _limits()
    verdicts = [limits.count(10, 10), limits.count(10, 10), limits.count(1, 0), limits.count(10, 10)]
    assert verdicts == [Verdict.FINE] * 4


# -- silence ---------------------------------------------------------------------------------------------------------


def _spoke(watch: SilenceWatch, source: str, step: int, at_s: float) -> None:
    watch.observe(Mark(moment(step), source, 2), at_s)


def test_a_silent_source_is_given_up_once_while_others_go_on() -> None:
    watch = SilenceWatch(grace_s=60)
    _spoke(watch, "0", 1, 0)
    _spoke(watch, "1", 1, 0)
    _spoke(watch, "0", 2, 50)
    assert watch.silent(59) == []
    _spoke(watch, "0", 3, 100)
    assert watch.silent(110) == ["1"]
    assert watch.silent(111) == []
    _spoke(watch, "1", 4, 120)
    _spoke(watch, "0", 5, 170)
    _spoke(watch, "0", 6, 185)
    assert watch.silent(190) == ["1"], "it spoke again and fell silent again"


def test_when_nobody_speaks_nobody_is_given_up() -> None:
    watch = SilenceWatch(grace_s=60)
    _spoke(watch, "0", 2, 0)
    _spoke(watch, "1", 1, 0)
    assert watch.silent(1_000) == []


def test_a_partition_that_never_spoke_is_given_up_too() -> None:
    watch = SilenceWatch(grace_s=60)
    for minute in range(3):
        _spoke(watch, "0", minute, minute * 30)
    assert watch.silent(61) == ["1"]


# -- derived marks ---------------------------------------------------------------------------------------------------

STEP_S, LATENESS_S = 3600, 600


def _batch(times: Sequence[int]) -> ReadingBatch:
    count = len(times)
    return ReadingBatch(
        np.zeros(count, np.int32),
        np.zeros(count, np.int8),
        np.array(times, np.int64),
        np.full(count, 3600, np.int32),
        np.arange(count, dtype=np.float64),
        np.zeros(count, np.int8),
    )


def _run(derive: Callable[..., Any], times: Sequence[int], cuts: Sequence[int]) -> list[tuple[str, int]]:
    """What a stage would see: readings by time and marks, in order."""
    seen: list[tuple[str, int]] = []
    last: int | None = None
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(times)}), len(times)]
    for begin, end in itertools.pairwise(edges):
        for piece in derive(_batch(times[begin:end]), last):
            if isinstance(piece, Mark):
                last = int(piece.time.timestamp())
                seen.append(("mark", last))
            else:
                seen += [("reading", time_s) for time_s in piece.time_s.tolist()]
    return seen


@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=30), st.lists(st.integers(1, 30), max_size=5))
def test_derived_marks_do_not_depend_on_the_fetches(times: list[int], cuts: list[int]) -> None:
    derive = deriver(STEP_S, LATENESS_S)
    assert _run(derive, times, cuts) == _run(derive, times, [])


def test_a_derived_mark_stands_before_the_reading_that_passes_the_step() -> None:
    seen = _run(deriver(STEP_S, LATENESS_S), [3600, 4100, 4200, 3500, 7900], [])
    assert seen == [
        ("mark", 600),
        ("reading", 3600),
        ("reading", 4100),
        ("mark", 4200),
        ("reading", 4200),
        ("reading", 3500),
        ("mark", 7800),
        ("reading", 7900),
    ]


# -- settings --------------------------------------------------------------------------------------------------------


def test_partitions_agree_with_kafkas_default_partitioner() -> None:
    """Values from the Java client: Utils.toPositive(Utils.murmur2("21".getBytes())) % 1000 and "foobar"."""
    assert partition_of("21", 1_000) == (-973932308 & 0x7FFFFFFF) % 1_000
    assert partition_of("foobar", 1_000) == (-790332482 & 0x7FFFFFFF) % 1_000


def test_the_password_is_never_shown() -> None:
    settings = KafkaSettings(bootstrap=["b:1"], security=Security(username="u", password="s3cret"))
    assert "s3cret" not in repr(settings)


def test_a_moment_of_the_tests_is_aware() -> None:
    assert moment(0) == datetime(1970, 1, 1, 1, tzinfo=UTC)
