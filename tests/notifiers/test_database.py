"""The schema that migrations build is the one the code uses, on both databases."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, select, text

from notifiers.database import load_progress, reading, save_progress, upgrade
from notifiers.tables import metadata, subscriber_places, subscribers


def test_migrations_lead_to_the_schema_in_the_code(engine: Engine) -> None:
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    assert [difference for difference in found if difference[0] != "remove_table"] == []


def test_upgrading_again_changes_nothing(engine: Engine) -> None:
    upgrade(engine)
    with reading(engine) as connection:
        assert load_progress(connection, "dispatch") == {}


def test_progress_never_goes_back(engine: Engine) -> None:
    with engine.begin() as connection:
        save_progress(connection, "dispatch", "notices", 0, 7)
        save_progress(connection, "dispatch", "notices", 0, 3)
        save_progress(connection, "dispatch", "notices", 1, 1)
    with reading(engine) as connection:
        assert load_progress(connection, "dispatch") == {("notices", 0): 7, ("notices", 1): 1}


def test_a_reader_does_not_wait_for_a_writer(sqlite_engine: Engine) -> None:
    with sqlite_engine.begin() as writer:
        save_progress(writer, "dispatch", "notices", 0, 7)
        with reading(sqlite_engine) as reader:
            assert load_progress(reader, "dispatch") == {}


def test_power_loss_cannot_take_a_commit_back(sqlite_engine: Engine) -> None:
    with sqlite_engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"


def test_people_of_before_keep_their_province_as_a_place(bare_engine: Engine) -> None:
    """Who was imported by an earlier version goes on being warned for the same province."""
    upgrade(bare_engine, "0002")
    with bare_engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO subscribers (subscriber_id, language, province, level, channels) "
                "VALUES ('a', 'vi', '01', 1, 'sms')"
            )
        )
    upgrade(bare_engine)
    with reading(bare_engine) as connection:
        place = connection.execute(select(subscriber_places)).one()
        person = connection.execute(select(subscribers)).one()
    assert (place.subscriber_id, place.place, place.province, place.kind) == ("a", 0, "01", "province")
    assert (person.state, person.timing, person.stopped_channels) == ("active", "any", "")
