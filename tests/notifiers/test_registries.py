"""Registry files: every row is taken or refused, and no message shows a contact."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from notifiers.database import facilities, reading, subscribers
from notifiers.facilities import import_facilities
from notifiers.registries import ImportReport, count
from notifiers.subscribers import import_subscribers
from streams.errors import RegistryError
from tests.notifiers.samples import RULES, VAULT, fill

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
