"""The public feeds: what each file says, every trap of its format, and what damage may cost."""

from __future__ import annotations

import gzip
import json
from pathlib import Path, PurePath

import pytest

from streams.schemas import STATUSES
from streams.sources import cnemc, json_records, sensor_community
from streams.sources.detection import Kind, kind_of
from streams.sources.files import FileReader, Prefixes, load_path
from streams.sources.json_records import records_of
from streams.sources.revisions import news, said_by
from streams.sources.rows import number
from tests.streams.feed_samples import FEEDS, READER, REGISTRY, SAMPLES, Sample, Value, at, feed, values

SIX = at("2026-01-12T06:00:00")


def read(name: str) -> list[Value]:
    (sample,) = [sample for sample in SAMPLES if sample.name == name]
    loaded = sample.parse(sample.data)
    assert loaded.rejected == []
    return values(loaded)


def test_airnow_hours_begin_in_gmt_and_end_an_hour_later() -> None:
    """05:00 in the file is the hour from 05:00 to 06:00 GMT; the offset of the site is not applied a second time."""
    found = read("HourlyData_2026011205.dat")
    assert {time_s for _, _, time_s, _, _, _ in found} == {SIX}
    assert [(station, pollutant) for station, pollutant, *_ in found] == [
        ("airnow-000051301", "pm25"),
        ("airnow-000051301", "o3"),
        ("airnow-000051301", "co"),
        ("airnow-000051302", "pm10"),
        ("airnow-000051302", "so2"),
    ]


def test_airnow_units_are_converted_and_999_is_no_value() -> None:
    of = {(station[-1], pollutant): value for station, pollutant, _, _, value, _ in read("HourlyData_2026011205.dat")}
    assert of["1", "pm25"] == 12.4
    assert of["1", "o3"] == pytest.approx(31 * 47.998 / 24.465, abs=1e-6)  # ppb
    assert of["1", "co"] == pytest.approx(400 * 28.010 / 24.465, abs=1e-6)  # ppm
    assert of["2", "pm10"] is None


def test_airnow_observations_go_by_column_name_and_status() -> None:
    data = (FEEDS / "HourlyAQObs_2026011205.dat").read_bytes()
    found = read("HourlyAQObs_2026011205.dat")
    assert [(s, p, v, status) for s, p, _, _, v, status in found] == [
        ("airnow-000051301", "o3", pytest.approx(31 * 47.998 / 24.465), "measuring"),
        ("airnow-000051301", "pm25", 12.4, "measuring"),
        ("airnow-000051302", "pm10", 15.0, "fault"),
        ("airnow-000051302", "co", pytest.approx(400 * 28.010 / 24.465), "fault"),
        ("airnow-000051302", "so2", None, "measuring"),
    ]
    # Another order of the columns: readers that count columns took the AQI for the concentration.
    rows = [line.split('","') for line in data.decode("latin-1").replace("\r\n", "\n").strip().split("\n")]
    turned = "\n".join('"' + '","'.join(cell.strip('"') for cell in reversed(row)) + '"' for row in rows)
    (sample,) = [sample for sample in SAMPLES if "AQObs" in sample.name]
    assert values(sample.parse(turned.encode("latin-1"))) == found


def test_china_hours_end_in_shanghai_and_co_is_in_milligrams() -> None:
    found = read("china_sites_20260112.csv")
    first = {(station, pollutant): (time_s, value) for station, pollutant, time_s, _, value, _ in found[:12]}
    midnight = at("2026-01-11T16:00:00")  # 12 January 00:00 in Shanghai
    assert first["cnemc-1001A", "pm25"] == (midnight, 50.0)
    assert first["cnemc-1003A", "pm25"] == (midnight, 52.0)
    assert first["cnemc-1001A", "co"] == (midnight, 800.0)
    # At 01:00 one station gave nothing, which is no reading; means of 24 h and 8 h are not taken.
    assert len(found) == 2 * 6 * 3 - 6


def test_china_hours_as_beginnings_when_so_configured() -> None:
    loaded = cnemc.parse((FEEDS / "china_sites_20260112.csv").read_bytes(), feed("cnemc-", "cn"), "start")
    assert values(loaded)[0][2] == at("2026-01-11T17:00:00")


def test_openaq_archive_has_local_ends_ppm_and_negatives_for_nothing() -> None:
    assert [(s, p, t, v) for s, p, t, _, v, _ in read("location-7001-20260112.csv")] == [
        ("openaq-7001", "pm25", at("2026-01-11T18:00:00"), 55.7),
        ("openaq-7001", "o3", at("2026-01-11T19:00:00"), pytest.approx(31 * 47.998 / 24.465, abs=1e-5)),
        ("openaq-7001", "pm25", at("2026-01-11T20:00:00"), None),
        ("openaq-7002", "pm10", at("2026-01-11T21:00:00"), 80.0),
        ("openaq-7001", "no2", at("2026-01-11T23:00:00"), None),
    ]


def test_openaq_pages_are_labelled_by_datetime_to() -> None:
    found = read("openaq_page.json")
    assert [(p, t, v) for _, p, t, _, v, _ in found] == [
        ("pm25", at("2026-01-12T01:00:00"), 55.7),
        ("pm25", at("2026-01-12T02:00:00"), None),
        ("pm25", at("2026-01-12T03:00:00"), 61.2),
        ("o3", at("2026-01-12T04:00:00"), pytest.approx(31 * 47.998 / 24.465, abs=1e-5)),
        ("pm25", at("2026-01-12T05:00:00"), 48.0),
    ]


def test_sensor_community_p1_is_pm10_and_texts_are_numbers() -> None:
    assert [(s, p, v) for s, p, _, _, v, _ in read("sensor_community.json")] == [
        ("sc-90001", "pm10", 61.3),
        ("sc-90001", "pm25", 41.75),
        ("sc-90002", "pm10", 55.0),
        ("sc-90002", "pm25", None),
        ("sc-90002", "pm10", 55.5),
        ("sc-90002", "pm25", 38.2),
    ]
    stamps = {(t, period) for _, _, t, period, _, _ in read("sensor_community.json")}
    assert stamps == {(at("2026-01-12T05:05:00"), 300), (at("2026-01-12T05:10:00"), 300)}


def test_values_of_one_sensor_fall_into_the_cycles_of_the_clock() -> None:
    """Periods as stamped would overlap and cross the hour, and what counts minutes would refuse them."""
    record = json.loads((FEEDS / "sensor_community.json").read_text())[0]
    stamps = ["04:57:31", "05:02:22", "04:59:58", "05:00:00"]
    records = [
        {**record, "timestamp": f"2026-01-12 {stamp}", "sensordatavalues": [{"value_type": "P2", "value": str(n)}]}
        for n, stamp in enumerate(stamps)
    ]
    loaded = sensor_community.parse(json.dumps(records).encode(), feed("sc-", "sc"))
    assert [(t, v) for _, _, t, _, v, _ in values(loaded)] == [
        (at("2026-01-12T05:00:00"), 3.0),
        (at("2026-01-12T05:05:00"), 1.0),
    ]
    assert loaded.unused == 2


def test_a_citizens_sensor_registered_as_reference_is_noted() -> None:
    record = json.loads((FEEDS / "sensor_community.json").read_text())[0]
    record["sensor"]["id"] = "A"
    record = {**record, "sensor": {"id": 7001}}
    loaded = sensor_community.parse(json.dumps([record]).encode(), feed("openaq-", "sc"))
    assert loaded.notes == ["openaq-7001 is a low-cost sensor; write that into column class of the registry"]


def test_a_feed_without_a_registered_station_says_how_to_register_one() -> None:
    reader = FileReader(registry=REGISTRY, prefixes=Prefixes(cnemc="cn-"), source="china")
    loaded = reader.load((FEEDS / "china_sites_20260112.csv").read_bytes(), PurePath("china.csv"))
    (refused,) = loaded.rejected
    assert (refused.reason, refused.place) == ("unknown-station", "china.csv")
    assert "'cn-1001A'" in refused.message


@pytest.mark.parametrize(
    ("text", "value"),
    [("12.5", 12.5), ("-3.1", -3.1), (".5", 0.5), ("1e2", 100.0), ("-999", None), ("-999.0", None), ("", None)],
)
def test_numbers(text: str, value: float | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["12,5", "1 2", "0x1", "inf", "1_0", "1e999", "--1", "²"])
def test_what_is_no_number_is_refused(text: str) -> None:
    assert number(text) == float("inf")


KINDS = {
    "HourlyData_2026011205.dat": Kind.HOURLY_DATA,
    "HourlyAQObs_2026011205.dat": Kind.OBSERVATIONS,
    "china_sites_20260112.csv": Kind.CNEMC,
    "location-7001-20260112.csv": Kind.OPENAQ_ARCHIVE,
    "sensor_community.json": Kind.SENSOR_COMMUNITY,
    "openaq_page.json": Kind.OPENAQ_PAGE,
    "readings.json": Kind.READINGS_JSON,
}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_the_content_says_what_a_file_is(sample: Sample, tmp_path: Path) -> None:
    assert kind_of(sample.data) is KINDS[sample.name]
    assert kind_of(b"\xef\xbb\xbf" + sample.data) is KINDS[sample.name]
    folder = tmp_path / "openaq-7001"
    folder.mkdir()
    (folder / "nothing-is-said-by-the-name.bin").write_bytes(gzip.compress(sample.data))
    loaded = load_path(tmp_path, READER)
    assert values(loaded) == values(sample.parse(sample.data))
    assert loaded.rejected == []


def test_readings_as_json_lines() -> None:
    lines = [json.dumps(item) for item in json.loads((FEEDS / "readings.json").read_text())]
    loaded = READER.load("\n".join([*lines, '{"station":']).encode(), PurePath("r.jsonl"))
    assert values(loaded) == read("readings.json")
    assert [refused.place for refused in loaded.rejected] == ["r.jsonl:5"]


def touched(sample: Sample, data: bytes, position: int) -> set[int]:
    """Numbers of the records that a byte belongs to; a separator belongs to both neighbours."""
    if sample.records == "lines":
        line = data[:position].count(b"\n")
        return {line, line + 1} if data[position : position + 1] == b"\n" else {line}
    spans = spans_of(data)
    return {number for number, (start, end) in enumerate(spans) if start - 2 <= position <= end + 1}


def spans_of(data: bytes) -> list[tuple[int, int]]:
    """Where the records of a whole sample lie."""
    document = json.loads(data)
    records = document["results"] if isinstance(document, dict) else document
    spans, at_byte = [], 0
    for record in records:
        text = json.dumps(record, ensure_ascii=False).encode()
        start = data.index(text, at_byte)
        spans.append((start, start + len(text)))
        at_byte = start + len(text)
    return spans


def by_record(sample: Sample) -> dict[int, list[Value]]:
    """What each record alone gives."""
    data = sample.data
    if sample.records == "json":
        return {n: values(sample.parse(b"[" + data[a:b] + b"]")) for n, (a, b) in enumerate(json_spans(sample))}
    lines = data.split(b"\n")
    head = lines[0] + b"\n" if sample.header else b""
    return {
        number: values(sample.parse(head + line + b"\n"))
        for number, line in enumerate(lines)
        if line and not (sample.header and number == 0)
    }


def json_spans(sample: Sample) -> list[tuple[int, int]]:
    return spans_of(sample.data)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_truncation_loses_the_cut_record_only(sample: Sample) -> None:
    data, each = sample.data, by_record_of(sample)
    for length in range(len(data)):
        found = values(sample.read(data[:length]))
        for record, expected in each.items():
            if ends_before(sample, record, length):
                assert all(value in found for value in expected), (length, record)


def by_record_of(sample: Sample) -> dict[int, list[Value]]:
    if sample.name != "openaq_page.json":
        return by_record(sample)
    data = sample.data
    return {n: values(sample.parse(b'{"results":[' + data[a:b] + b"]}")) for n, (a, b) in enumerate(json_spans(sample))}


def ends_before(sample: Sample, record: int, length: int) -> bool:
    if sample.records == "json":
        return json_spans(sample)[record][1] <= length
    return sample.data[:length].count(b"\n") > record


@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_flipped_bit_loses_the_records_it_touches_only(sample: Sample) -> None:
    data, each = sample.data, by_record_of(sample)
    begin = data.index(b"\n") + 1 if sample.header else 0
    for position in range(begin, len(data)):
        hit = touched(sample, data, position)
        safe = {value for record, of in each.items() if record not in hit for value in of}
        for bit in range(8):
            flipped = data[:position] + bytes([data[position] ^ (1 << bit)]) + data[position + 1 :]
            loaded = sample.read(flipped)
            assert safe <= set(values(loaded)), (position, bit)
            assert all(refused.message and refused.place for refused in loaded.rejected)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.header], ids=lambda sample: sample.name)
def test_a_damaged_header_is_refused_or_costs_its_column_and_never_lies(sample: Sample) -> None:
    data = sample.data
    whole = set(values(sample.parse(data)))
    for position in range(data.index(b"\n")):
        for bit in range(8):
            flipped = data[:position] + bytes([data[position] ^ (1 << bit)]) + data[position + 1 :]
            loaded = sample.read(flipped)
            found = set(values(loaded))
            # A damaged column of units or status leaves no reading, or the same one; 1001A may become 1003A's twin.
            assert found <= whole or _only_the_status_is_lost(found, whole), (position, bit)


def _only_the_status_is_lost(found: set[Value], whole: set[Value]) -> bool:
    """Without the column Status an inactive site cannot be told from an active one."""
    plain = {value[:5] for value in whole}
    return all(value[:5] in plain for value in found)


def test_hostile_nesting_ends_soon() -> None:
    for data in (b"[" * 200_000, b'{"a":' * 100_000, b'[{"sensor":{"a":[' * 20_000, b"{" * 300_000):
        loaded = sensor_community.parse(data, feed("sc-", "x"))
        assert len(loaded.batch) == 0


def test_the_work_on_a_damaged_document_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    good = b'{"sensor":{"id":1},"sensordatavalues":[]}'
    data = b"[" + good + b",{broken" + b"," + good
    assert len(records_of(data, sensor_community.KEYS).whole) == 2
    monkeypatch.setattr(json_records, "MOST_SCANNED", 60)
    records = records_of(data, sensor_community.KEYS)
    assert len(records.whole) == 1
    assert good in records.damaged[-1][1]


def test_a_changed_value_is_a_revision_and_the_same_value_nothing() -> None:
    data = (FEEDS / "HourlyData_2026011205.dat").read_bytes()
    first = READER.load(data, PurePath("a")).batch
    said = said_by(first, REGISTRY)
    assert len(news(first, said, REGISTRY)) == 0
    changed = READER.load(data.replace(b"|12.4|", b"|13.9|").replace(b"|-999|", b"|20|"), PurePath("a")).batch
    fresh = news(changed, said, REGISTRY)
    assert [(v, STATUSES[s]) for v, s in zip(fresh.value.tolist(), fresh.status.tolist(), strict=True)] == [
        (13.9, "revised"),
        (20.0, "measuring"),  # there was no value before: nothing is being revised
    ]
