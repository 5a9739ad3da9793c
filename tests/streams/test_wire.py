"""Messages of the topic ``readings``: what is used, what is rejected alone, and how it is said."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.batches import ReadingBatch
from streams.clock import utc
from streams.columns import MOST_REMEMBERED, Remembered, parse_time_s
from streams.encoding import encode_mark, to_messages
from streams.rejects import MOST_RAW_BYTES
from streams.schemas import POLLUTANTS, STATUSES, Mark, Reading
from streams.wire import Decoded, decode, decode_messages, to_batch
from tests.streams.samples import registry, rows_of

REGISTRY = registry("VN-A", "VN-B", "VN-C")
GOOD = {
    "station": "VN-A",
    "pollutant": "pm25",
    "value": 55.7,
    "unit": "ug/m3",
    "time": "2026-01-12T08:00:00+07:00",
    "period": 300,
    "status": "measuring",
    "source": "test",
}
EIGHT_S = 1768179600  # 2026-01-12 08:00 +07:00


def message(**changes: object) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def without(field: str) -> bytes:
    return json.dumps({name: value for name, value in GOOD.items() if name != field}).encode()


def decoded(*payloads: bytes) -> Decoded:
    return decode_messages(payloads, lambda number: f"readings/3@{100 + number}", REGISTRY)


def test_a_reading_becomes_a_row_in_micrograms() -> None:
    carbon_monoxide = message(pollutant="co", value=1.5, unit="mg/m3", station="VN-B", status="revised")
    assert rows_of(decoded(message(), carbon_monoxide).batch) == [
        (0, 0, EIGHT_S, 300, 55.7, 0),
        (1, 5, EIGHT_S, 300, 1500.0, 3),
    ]


def test_what_is_left_out_has_its_default() -> None:
    short = {name: GOOD[name] for name in ("station", "pollutant", "unit", "time")} | {"value": None}
    (row,) = rows_of(decoded(json.dumps(short).encode()).batch)
    assert row == (0, 0, EIGHT_S, 3600, None, 0)


def test_all_usual_spellings_of_pollutant_and_unit_are_one() -> None:
    spellings = [("PM2.5", "µg/m3"), ("pm2,5", "μg/Nm3"), ("PM25", "ug/m³"), ("Pm_25", "UG/M3")]
    batch = decoded(*(message(pollutant=pollutant, unit=unit) for pollutant, unit in spellings)).batch
    assert batch.pollutant.tolist() == [0] * 4
    assert batch.value.tolist() == [55.7] * 4


BAD: dict[str, tuple[bytes, str, list[str]]] = {
    "not JSON": (b"{oops", "bad-json", ["JSON"]),
    "empty": (b"", "bad-json", ["JSON"]),
    "a number": (b"42", "bad-reading", ["object"]),
    "not UTF-8": (b'{"station":"VN-\xff"}', "bad-json", ["JSON"]),
    "nested without end": (b'{"a":' * 50_000, "bad-json", []),
    "no station": (without("station"), "bad-reading", ["station"]),
    "no value": (without("value"), "bad-reading", ["value"]),
    "no time": (without("time"), "bad-reading", ["time"]),
    "value as text": (message(value="55.7"), "bad-reading", ["value"]),
    "value not finite": (message().replace(b"55.7", b"1e999"), "bad-reading", ["value"]),
    "value NaN": (message().replace(b"55.7", b"NaN"), "bad-json", []),
    "unknown station": (message(station="VN-Z"), "unknown-station", ["station", "'VN-Z'", "registry"]),
    "unknown pollutant": (message(pollutant="pn25"), "unknown-pollutant", ["pollutant", "'pn25'", "pm25"]),
    "unknown unit": (message(unit="grains"), "unknown-unit", ["unit", "grains", "ug/m3"]),
    "mixing ratio of dust": (message(unit="ppb"), "unknown-unit", ["unit", "pm25"]),
    "time without offset": (message(time="2026-01-12T08:00:00"), "naive-time", ["time", "+07:00"]),
    "13th month": (message(time="2026-13-12T08:00:00Z"), "bad-time", ["time", "ISO 8601"]),
    "clock never set": (message(time="1970-01-01T00:05:00Z"), "bad-time", ["time"]),
    "year 9999": (message(time="9999-12-31T23:59:59-12:00"), "bad-time", ["time"]),
    "year 1": (message(time="0001-01-01T00:00:00+07:00"), "bad-time", ["time"]),
    "no period": (message(period=0), "bad-period", ["period", "seconds"]),
    "negative period": (message(period=-300), "bad-period", ["period"]),
    "period beyond int64": (message(period=10**30), "bad-period", ["period"]),
    "period of centuries": (message(period=10**12), "bad-period", ["period"]),
    "unknown status": (message(status="ok"), "bad-status", ["status", "calibrating"]),
    "mark without zone": (b'{"type":"mark","time":"2026-01-12T08:00:00"}', "bad-reading", []),
}


@pytest.mark.parametrize(("payload", "reason", "said"), BAD.values(), ids=BAD)
def test_bad_input_is_rejected_alone_with_place_reason_and_bytes(payload: bytes, reason: str, said: list[str]) -> None:
    result = decoded(message(), payload, message(station="VN-C"))
    assert result.batch.station.tolist() == [0, 2]
    (refused,) = result.rejected
    assert (refused.reason, refused.place) == (reason, "readings/3@101")
    assert refused.raw == payload[:MOST_RAW_BYTES]
    for text in ("readings/3@101", *said):
        assert text in refused.message
    assert "(" in refused.message, "no remedy"


def test_a_bad_item_of_a_list_leaves_its_neighbours() -> None:
    listed = b"[" + b",".join([message(), message(station="VN-Z"), b'{"station":1}', message(station="VN-B")]) + b"]"
    result = decoded(message(station="VN-C"), listed)
    assert result.batch.station.tolist() == [2, 0, 1]
    assert [(r.reason, r.place) for r in result.rejected] == [
        ("bad-reading", "readings/3@101[2]"),
        ("unknown-station", "readings/3@101"),
    ]
    assert b"VN-Z" in result.rejected[1].raw
    assert len(result.rejected[1].raw) < len(listed)


def test_a_message_without_a_value_is_rejected() -> None:
    payloads: list[bytes] = [message(), None, message()]  # type: ignore[list-item]  # what Kafka hands over
    result = decode_messages(payloads, ["a", "b", "c"], REGISTRY)
    assert len(result.batch) == 2
    assert [(r.place, r.raw) for r in result.rejected] == [("b", b"")]


def test_a_broken_list_is_rejected_whole() -> None:
    result = decoded(b"[" + message() + b",", message())
    assert len(result.batch) == 1
    assert [r.reason for r in result.rejected] == ["bad-json"]


def test_meteorology_is_unused_and_no_error() -> None:
    result = decoded(message(pollutant="temp", unit="degC"), message(pollutant="rh", unit="%", station="VN-Z"))
    assert (len(result.batch), result.rejected, result.unused, result.segments) == (0, [], 2, [])


def test_marks_cut_the_messages_into_segments() -> None:
    mark = Mark(utc(EIGHT_S), "gateway", 1)
    result = decoded(message(), message(station="VN-B"), encode_mark(mark), b"{oops", message(), encode_mark(mark))
    kinds = [segment if isinstance(segment, Mark) else segment.station.tolist() for segment in result.segments]
    assert kinds == [[0, 1], mark, [0], mark]
    assert [origin.tolist() for origin in result.origins] == [[0, 1], [2], [4], [5]]
    assert result.batch.station.tolist() == [0, 1, 0]
    assert result.batch_origins.tolist() == [0, 1, 4]


def test_a_mark_is_known_in_any_spelling_of_json() -> None:
    spaced = b' {"source": "g", "time": "2026-01-12T01:00:00Z", "of": 2, "type": "mark"}'
    assert decoded(spaced).segments == [Mark(utc(EIGHT_S), "g", 2)]


def test_a_station_may_be_called_mark() -> None:
    reg = registry("mark")
    (segment,) = decode_messages([message(station="mark")], [""], reg).segments
    assert isinstance(segment, ReadingBatch)


def test_tables_do_not_grow_with_hostile_input() -> None:
    seen = Remembered(len)
    for number in range(MOST_REMEMBERED + 10):
        assert seen[str(number)] == len(str(number))
    assert len(seen) <= MOST_REMEMBERED


def test_parts_of_a_second_are_dropped() -> None:
    assert parse_time_s("2026-01-12T08:00:00.999+07:00") == EIGHT_S


def flips(data: bytes) -> list[bytes]:
    return [data[:i] + bytes([data[i] ^ (1 << bit)]) + data[i + 1 :] for i in range(len(data)) for bit in range(8)]


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_damage_to_a_message_stays_in_it(damage: str) -> None:
    """Every truncation and every single flipped bit: the neighbours survive and nothing raises."""
    sample = message()
    damaged = flips(sample) if damage == "flip" else [sample[:length] for length in range(len(sample))]
    for payload in damaged:
        result = decoded(message(station="VN-B"), payload, message(station="VN-C"))
        stations = result.batch.station.tolist()
        assert stations[0] == 1
        assert stations[-1] == 2
        assert len(stations) + len(result.rejected) + result.unused == 3


def test_objects_and_columns_agree() -> None:
    payloads = [message(), message(station="VN-C", pollutant="so2", value=12, unit="ppb"), message(pollutant="rain")]
    readings = [reading for payload in payloads for reading in decode(payload, "here")[0]]
    coded = to_batch(readings, REGISTRY)
    assert rows_of(coded.batch) == rows_of(decoded(*payloads).batch)
    assert coded.origin.tolist() == [0, 1]
    assert coded.unused == 1


def test_objects_that_cannot_be_used_name_their_place() -> None:
    (reading,), refused = decode(b"[" + message(station="VN-Z", value=None) + b",3]", "push/7")
    assert [(r.reason, r.place) for r in refused] == [("bad-reading", "push/7[1]")]
    (unknown,) = to_batch([reading], REGISTRY, ["push/7[0]"]).rejected
    assert (unknown.reason, unknown.place) == ("unknown-station", "push/7[0]")
    assert msgspec.json.decode(unknown.raw, type=Reading) == reading


def test_a_value_that_is_no_number_is_no_missing_value() -> None:
    (reading,), _ = decode(message(), "here")
    for value in (math.nan, math.inf):
        coded = to_batch([msgspec.structs.replace(reading, value=value)], REGISTRY)
        assert [r.reason for r in coded.rejected] == ["bad-value"]


@st.composite
def batches(draw: st.DrawFn) -> ReadingBatch:
    size = draw(st.integers(0, 30))

    def column(values: st.SearchStrategy[float], dtype: type) -> np.ndarray:
        return np.array(draw(st.lists(values, min_size=size, max_size=size)), dtype)

    return ReadingBatch(
        column(st.integers(0, 2), np.int32),
        column(st.integers(0, len(POLLUTANTS) - 1), np.int8),
        column(st.integers(EIGHT_S - 10**7, EIGHT_S + 10**7), np.int64),
        column(st.integers(1, 86_400), np.int32),
        column(st.just(math.nan) | st.floats(-1e6, 1e6, allow_nan=False), np.float64),
        column(st.integers(0, len(STATUSES) - 1), np.int8),
    )


@given(batches(), st.integers(1, 7))
def test_a_batch_survives_the_wire(batch: ReadingBatch, most: int) -> None:
    """Bit for bit, station by station in the order of the batch, however the lists are cut."""
    messages = list(to_messages(batch, REGISTRY, most))
    result = decode_messages([value for _, value in messages], lambda _: "", REGISTRY)
    assert (result.rejected, result.unused) == ([], 0)
    for row in range(len(REGISTRY)):
        assert rows_of(result.batch.take(result.batch.station == row)) == rows_of(batch.take(batch.station == row))
    for key, value in messages:
        assert {item["station"] for item in json.loads(value)} == {key.decode()}
        assert len(json.loads(value)) <= most


payloads = st.one_of(
    st.sampled_from([payload for payload, _, _ in BAD.values() if len(payload) < 1000]),
    st.builds(lambda code: message(station=code), st.sampled_from(["VN-A", "VN-B", "VN-Z"])),
    st.just(message(pollutant="temp")),
    st.just(encode_mark(Mark(utc(EIGHT_S)))),
)


@given(st.lists(payloads, max_size=12))
@settings(max_examples=60)
def test_nothing_is_lost_and_slicing_does_not_matter(given_payloads: list[bytes]) -> None:
    whole = decoded(*given_payloads)
    marks = sum(isinstance(segment, Mark) for segment in whole.segments)
    assert len(whole.batch) + len(whole.rejected) + whole.unused + marks == len(given_payloads)
    one_by_one = [decoded(payload) for payload in given_payloads]
    assert rows_of(whole.batch) == [row for part in one_by_one for row in rows_of(part.batch)]
    assert sorted(reasons(whole)) == sorted(reason for part in one_by_one for reason in reasons(part))


def reasons(of: Decoded) -> Sequence[str]:
    return [refused.reason for refused in of.rejected]
