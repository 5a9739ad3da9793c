"""Registry files: every row is taken or refused, and no message shows a contact."""

from __future__ import annotations

import tracemalloc
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from notifiers import registries
from notifiers.consents import PAGE, give
from notifiers.database import reading
from notifiers.facilities import import_facilities
from notifiers.registries import ImportReport, count
from notifiers.spreadsheets import safe_cell
from notifiers.subscribers import import_subscribers
from notifiers.tables import consents, facilities, subscriber_places, subscribers
from notifiers.withdrawal import erase, withdraw
from streams.errors import RegistryError
from tests.notifiers.samples import RULES, VAULT, fill

SMUGGLED = "\nmallory,vi,01,1,sms,,0912345677"
"""A row inside a cell."""
HEADER = "subscriber_id,language,province,level,channels,email,phone\n"


def imported(engine: Engine, folder: Path, rows: str) -> ImportReport:
    path = folder / "people.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    with engine.begin() as connection:
        return import_subscribers(connection, path, VAULT, RULES)


def test_samples_go_in_and_again(engine: Engine, tmp_path: Path) -> None:
    for _ in range(2):
        reports = fill(engine, tmp_path, 5, 3)
        assert [report.accepted for report in reports] == [5, 3]
        assert all(not report.refused and not report.warnings for report in reports)
    with reading(engine) as connection:
        assert count(connection, subscribers) == 5
        assert count(connection, facilities) == 3


def test_importing_again_updates(engine: Engine, tmp_path: Path) -> None:
    imported(engine, tmp_path, "a,vi,01,1,sms,,0912345678\n")
    imported(engine, tmp_path, "a,en,Bắc Giang,2,sms email,a@example.org,+84 912 345 679\n")
    with reading(engine) as connection:
        row = connection.execute(select(subscribers)).one()
    assert (row.language, row.province, row.level, row.channels) == ("en", "24", 2, "sms email")
    assert VAULT.open(row.sms) == "+84912345679"
    assert row.sms_hash == VAULT.fingerprint("+84912345679")


@pytest.mark.parametrize(
    ("row", "field", "said"),
    [
        ("a,vi,Huế,1,sms,,0912345678", "province", "unknown province 'Huế'"),
        ("a,fr,01,1,sms,,0912345678", "language", "no messages in 'fr'"),
        ("a,vi,01,loud,sms,,0912345678", "level", "'loud' is not a level"),
        ("a,vi,01,1,pigeon,,0912345678", "channels", "unknown channel 'pigeon'"),
        (",vi,01,1,sms,,0912345678", "subscriber_id", "cannot be an id"),
        ("=cmd|' /C calc'!A0,vi,01,1,sms,,0912345678", "subscriber_id", "cannot be an id"),
        ("a,vi,01,1,sms,,12", "phone", "is not a number in use"),
        ("a,vi,01,1,sms,,call me", "phone", "is not a phone number"),
        ("a,vi,01,1,sms,,024 3825 0001", "phone", "is a landline"),
        ("a,vi,01,1,email,nobody,", "email", "is not a"),
        ('a,vi,01,1,email,"x@example.org\r\nBcc: y@example.org",', "email", "is not a mail address"),
        ("a,vi,01,1,sms,,", "phone", "neither phone nor email"),
    ],
)
def test_an_unusable_row_is_refused_with_its_place(
    sqlite_engine: Engine, tmp_path: Path, row: str, field: str, said: str
) -> None:
    report = imported(sqlite_engine, tmp_path, row + "\nb,vi,01,1,sms,,0912345678\n")
    assert report.accepted == 1, "the good row goes in"
    (refused,) = report.refused
    assert refused.field == field
    assert said in refused.message
    assert "people.csv:" in refused.place
    assert refused.remedy


def test_one_bad_contact_leaves_the_other(sqlite_engine: Engine, tmp_path: Path) -> None:
    report = imported(sqlite_engine, tmp_path, "a,vi,01,1,sms email,a@example.org,0243825000199\n")
    assert (report.accepted, report.refused) == (1, [])
    (warning,) = report.warnings
    assert warning.field == "phone"
    with reading(sqlite_engine) as connection:
        row = connection.execute(select(subscribers)).one()
    assert row.sms is None
    assert row.channels == "sms email", "the wish stays, so that the ledger can say why it was not met"


def test_no_error_shows_a_contact(sqlite_engine: Engine, tmp_path: Path) -> None:
    report = imported(
        sqlite_engine, tmp_path, "a,vi,01,1,sms email,secret.person@,0243825111\nb,vi,01,1,sms,,+84999123456789\n"
    )
    shown = " ".join(str(error) for error in report.refused + report.warnings)
    assert shown
    for secret in ("secret.person", "0243825111", "123456"):
        assert secret not in shown


def test_contacts_are_not_in_the_database_file(sqlite_engine: Engine, tmp_path: Path) -> None:
    imported(sqlite_engine, tmp_path, "a,vi,01,1,sms email,someone.real@example.org,0912345678\n")
    sqlite_engine.dispose()
    content = b"".join(path.read_bytes() for path in tmp_path.glob("airshed.db*"))
    assert b"912345678" not in content
    assert b"someone.real" not in content


def test_an_id_twice_in_a_file_is_refused_naming_both_places(sqlite_engine: Engine, tmp_path: Path) -> None:
    report = imported(sqlite_engine, tmp_path, "a,vi,01,1,sms,,0912345678\na,vi,24,1,sms,,0912345679\n")
    assert report.accepted == 1
    assert "people.csv:2" in report.refused[0].message
    assert report.refused[0].place.endswith("people.csv:3")


def test_hostile_facility_names_are_neutralised(sqlite_engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "plants.csv"
    path.write_text(
        "facility_id,name,province,email\n"
        'f1,"Nhà\u200b máy\u202e {{ 7*7 }}\r\n xi măng",01,f@example.org\n'
        f"f2,{'x' * 10_000},01,f@example.org\n",
        encoding="utf-8",
    )
    with sqlite_engine.begin() as connection:
        report = import_facilities(connection, path, VAULT, RULES)
        assert connection.execute(select(facilities.c.name)).scalar_one() == "Nhà máy {{ 7*7 }} xi măng"
    assert report.refused[0].field == "name"


def test_a_file_without_the_columns_is_refused_whole(sqlite_engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text("id;name\n1;x\n", encoding="utf-8")
    with (
        sqlite_engine.begin() as connection,
        pytest.raises(RegistryError, match="no column facility_id, name, province"),
    ):
        import_facilities(connection, path, VAULT, RULES)


def test_a_file_that_is_not_utf8_says_so(sqlite_engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "wrong.csv"
    path.write_bytes(HEADER.encode() + "a,vi,Hà Nội,1,sms,,0912345678\n".encode("cp1258", "replace"))
    with sqlite_engine.begin() as connection, pytest.raises(RegistryError, match="not UTF-8"):
        import_subscribers(connection, path, VAULT, RULES)


CHOSEN = (
    "subscriber_id,language,places,level,channels,phone,email,sensitive,timing,quiet_hours,accented,"
    "consent_source,consent_date\n"
)


def chosen(engine: Engine, folder: Path, *lines: str, head: str = CHOSEN) -> ImportReport:
    path = folder / "chosen.csv"
    path.write_bytes((head + "\n".join(lines) + "\n").encode())
    with engine.begin() as connection:
        return import_subscribers(connection, path, VAULT, RULES, now_s=1_767_000_000)


LAN = "lan,vi,01; 24/Phường Kinh Bắc; trường = 21.03 105.85 25,2,sms,0912345678,,1,evening-before,22:00-06:30,1,form,{}"


def test_choices_places_and_consent_of_a_row(engine: Engine, tmp_path: Path) -> None:
    report = chosen(engine, tmp_path, LAN.format("2026-01-02"))
    assert (report.accepted, report.refused) == (1, [])
    with reading(engine) as connection:
        row = connection.execute(select(subscribers)).one()
        places = connection.execute(
            select(subscriber_places).order_by(subscriber_places.c.place, subscriber_places.c.province)
        ).all()
        given = connection.execute(select(consents)).all()
    assert (row.province, row.level, row.sensitive, row.timing, row.accented) == ("01", 2, 1, "evening-before", 1)
    assert (row.quiet_from, row.quiet_to, row.state, row.created_s) == (22 * 60, 6 * 60 + 30, "active", 1_767_000_000)
    assert [(p.place, p.kind, p.province, p.label) for p in places] == [
        (0, "province", "01", ""),
        (1, "commune", "24", ""),
        (2, "point", "01", "trường"),
        (2, "point", "24", "trường"),
    ]
    assert {(c.what, c.given_by, c.wording_version) for c in given} == {
        ("sms", "import: form", "not stated"),
        ("sensitive", "import: form", "not stated"),
    }


@pytest.mark.parametrize(
    ("row", "field", "said"),
    [
        ("a,vi,99,1,sms,0912345678,,,,,,form,2026-01-02", "province", "unknown province '99'"),
        ("a,vi,01/Nơi không có,1,sms,0912345678,,,,,,form,2026-01-02", "commune", "no commune"),
        ("a,vi,10.0 106.7 5,1,sms,0912345678,,,,,,form,2026-01-02", "lat", "none of the provinces"),
        ("a,vi,21.0 105.8 500,1,sms,0912345678,,,,,,form,2026-01-02", "radius_km", "500 km"),
        ("a,vi,nan nan 5,1,sms,0912345678,,,,,,form,2026-01-02", "lat", "not a position"),
        ("a,vi,01;01;01;01;01;01,1,sms,0912345678,,,,,,form,2026-01-02", "places", "6 places"),
        (f"a,vi,{'x' * 61} = 01,1,sms,0912345678,,,,,,form,2026-01-02", "label", "61 characters"),
        ("a,vi,01,1,sms,0912345678,,maybe,,,,form,2026-01-02", "sensitive", "neither yes nor no"),
        ("a,vi,01,1,sms,0912345678,,,noon,,,form,2026-01-02", "timing", "unknown 'noon'"),
        ("a,vi,01,1,sms,0912345678,,,,all night,,form,2026-01-02", "quiet_hours", "are no hours"),
        ("a,vi,01,1,sms,0912345678,,,,,,,", "consent_source", "no consent"),
        ("a,vi,01,1,sms,0912345678,,,,,,form,soon", "consent_date", "is not a date"),
    ],
)
def test_a_wrong_choice_is_refused_by_its_field(
    sqlite_engine: Engine, tmp_path: Path, row: str, field: str, said: str
) -> None:
    report = chosen(sqlite_engine, tmp_path, row)
    (refused,) = report.refused
    assert (refused.field, report.accepted) == (field, 0)
    assert said in refused.message
    assert refused.place.endswith("chosen.csv:2")
    assert refused.remedy


def test_a_file_never_brings_back_who_said_no(engine: Engine, tmp_path: Path) -> None:
    chosen(engine, tmp_path, LAN.format("2026-01-02"))
    with engine.begin() as connection:
        withdraw(connection, "lan", by="sms", now_s=1_767_800_000)  # 7 January
    again = chosen(engine, tmp_path, LAN.format("2026-01-02"))
    renamed = chosen(engine, tmp_path, LAN.format("2026-01-02").replace("lan,", "lan2,"))
    for report in (again, renamed):
        assert report.accepted == 0
        assert "consent was withdrawn on 2026-01-07" in report.refused[0].message
    younger = chosen(engine, tmp_path, LAN.format("2026-01-08"))
    assert (younger.accepted, younger.refused) == (1, [])
    with engine.begin() as connection:
        assert connection.execute(select(subscribers.c.state)).scalars().all() == ["active"]
        erase(connection, "lan", by="page", now_s=1_768_000_000)
    erased = chosen(engine, tmp_path, LAN.format("2026-02-01"))
    assert erased.accepted == 0
    assert "was erased on request" in erased.refused[0].message


def test_a_file_does_not_overrule_what_was_chosen_on_the_page(sqlite_engine: Engine, tmp_path: Path) -> None:
    chosen(sqlite_engine, tmp_path, LAN.format("2026-01-02"))
    with sqlite_engine.begin() as connection:
        give(connection, "lan", ["sms"], by=PAGE, now_s=1_767_800_000)
    report = chosen(sqlite_engine, tmp_path, LAN.format("2026-01-02"))
    assert report.accepted == 0
    assert "has chosen on the page" in report.refused[0].message


def test_numbers_of_other_countries_are_refused_where_they_are_not_served(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_text(HEADER + "a,vi,01,1,sms,,+33612345678\nb,vi,01,1,sms,,0912345678\n", encoding="utf-8")
    with sqlite_engine.begin() as connection:
        report = import_subscribers(connection, path, VAULT, replace(RULES, countries=("VN",)))
    assert report.accepted == 1
    assert "country +33, which is not served" in report.refused[0].message


def test_invisible_characters_around_a_number_are_dropped(sqlite_engine: Engine, tmp_path: Path) -> None:
    """Address books copy numbers with direction marks; a zero-width space must not make a second person of one."""
    imported(sqlite_engine, tmp_path, "a,vi,01,1,sms,,\u202a09\u200b12345678\u202c\n")
    with reading(sqlite_engine) as connection:
        assert connection.execute(select(subscribers.c.sms_hash)).scalar_one() == VAULT.fingerprint("+84912345678")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("x" * 10_000_000, "not readable as CSV"),
        ('"' + SMUGGLED * 300_000 + '"', "not readable as CSV"),
        ('"' + "x\n" * 70_000, "not readable as CSV"),
        ("x" * 5_000, "5000 characters"),
        ("x,y,z", "more cells than columns"),
    ],
    ids=["10 MB", "10 MB of rows", "no end", "long", "commas"],
)
def test_a_monstrous_cell_costs_its_row_not_the_file(
    sqlite_engine: Engine, tmp_path: Path, cell: str, said: str
) -> None:
    path = tmp_path / "people.csv"
    good = "b,vi,01,1,sms,,0912345679\n"
    path.write_text(f"{HEADER}a,vi,01,1,sms,{cell},0912345678\n{good}", encoding="utf-8")
    tracemalloc.start()
    with sqlite_engine.begin() as connection:
        report = import_subscribers(connection, path, VAULT, RULES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.refused
    assert said in report.refused[0].message
    assert len(str(report.refused[0])) < 500, "what is shown is short"
    with reading(sqlite_engine) as connection:
        known = set(connection.execute(select(subscribers.c.subscriber_id)).scalars())
    assert known <= {"b"}
    if not cell.startswith('"x'):
        assert known == {"b"}, "the row after it goes in"
    assert peak < 8_000_000, "ten megabytes are never in memory"


@pytest.mark.parametrize("name", ["x" * 10_000_000, '"' + SMUGGLED * 300_000 + '"'], ids=["10 MB", "10 MB of rows"])
def test_ten_megabytes_of_a_plants_name_cost_its_row(sqlite_engine: Engine, tmp_path: Path, name: str) -> None:
    path = tmp_path / "plants.csv"
    path.write_text(
        f"facility_id,name,province,email\nf1,{name},01,a@example.org\nf2,Kiln,01,b@example.org\n", encoding="utf-8"
    )
    with sqlite_engine.begin() as connection:
        report = import_facilities(connection, path, VAULT, RULES)
        assert connection.execute(select(facilities.c.facility_id)).scalars().all() == ["f2"]
    (refused,) = report.refused
    assert refused.place == f"{path}:2"
    assert "not readable as CSV" in refused.message
    assert len(str(refused)) < 500


def test_a_file_of_nonsense_ends_before_the_memory_does(
    sqlite_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten megabytes of ``x`` in lines would be five million refusals of a kilobyte each. Nothing of the file stays."""
    monkeypatch.setattr(registries, "MOST_REFUSED", 50)
    nonsense = "x\n" * 50
    report = imported(sqlite_engine, tmp_path, nonsense + "b,vi,01,1,sms,,0912345679\n")
    assert (len(report.refused), report.accepted) == (50, 1)
    with pytest.raises(RegistryError, match="more than 50 rows cannot be used") as caught:
        imported(sqlite_engine, tmp_path, "c,vi,01,1,sms,,0912345678\n" * 1_000 + nonsense)
    assert "people.csv:3" in str(caught.value), "the first of them are named"
    with reading(sqlite_engine) as connection:
        assert set(connection.execute(select(subscribers.c.subscriber_id)).scalars()) == {"b"}


@pytest.mark.parametrize("nasty", ["\x00", "\u202e", "\u200b", "\r\nBcc: x@y.zz", "{{ 7*7 }}", "=cmd|' /C calc'!A0"])
def test_nasty_characters_are_refused_or_neutralised(engine: Engine, tmp_path: Path, nasty: str) -> None:
    """In an id or an address they are refused; a label loses what cannot be seen and stays text."""
    quoted = nasty.replace('"', '""')
    rows = [
        f'"a{quoted}",vi,01,1,sms,0912345678,,,,,,form,2026-01-02',
        f'b,vi,01,1,email,,"b{quoted}@example.org",,,,,form,2026-01-02',
        f'c,vi,01,1,sms,0912345679,,,,,,"form{quoted}",2026-01-02',
    ]
    if "=" not in nasty:
        rows.append(f'd,vi,"trường{quoted} = 01",1,sms,0912345680,,,,,,form,2026-01-02')
    report = chosen(engine, tmp_path, *rows)
    accepted = {"c", "d"} if "=" not in nasty else {"c"}
    with reading(engine) as connection:
        assert set(connection.execute(select(subscribers.c.subscriber_id)).scalars()) == accepted
        sources = connection.execute(select(consents.c.given_by).where(consents.c.subscriber_id == "c")).scalars().all()
        labels = connection.execute(select(subscriber_places.c.label)).scalars().all()
    assert report.accepted == len(accepted)
    for text in (*sources, *labels):
        assert not any(unicodedata.category(character)[0] == "C" for character in text)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+84…78", "'+84…78"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("-3.5", "-3.5"),
        ("Hà Nội", "Hà Nội"),
    ],
)
def test_no_exported_cell_is_a_formula(text: str, safe: str) -> None:
    assert safe_cell(text) == safe
