"""The files of a replay, written from the event log and the ledger: the same bytes however often the run was cut."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from airshed.local import store
from airshed.result_rows import write_index, write_lines, write_provinces


def write_log(engine: sa.Engine, out: Path) -> dict[str, int]:
    """Write index, provinces, episodes, notices and the rejected items of a run. Returns rows by file name.

    ``provinces.jsonl`` has every statement with its evidence, revisions in their order: what explanations rest on.
    """
    rows = {}
    with engine.connect() as connection:
        rows["index.csv"] = write_index(store.logged_lines(connection, "index.stations"), out / "index.csv")
        rows["provinces.csv"] = write_provinces(
            store.logged_lines(connection, "index.provinces"), out / "provinces.csv"
        )
        statements = store.logged_lines(connection, "index.provinces")
        rows["provinces.jsonl"] = write_lines(statements, out / "provinces.jsonl")
        rows["days.jsonl"] = write_lines(store.logged_lines(connection, "index.days"), out / "days.jsonl")
        rows["episodes.jsonl"] = write_lines(store.logged_lines(connection, "episodes"), out / "episodes.jsonl")
        rows["notices.jsonl"] = write_lines(store.logged_lines(connection, "notices"), out / "notices.jsonl")
        bodies = connection.execute(sa.select(store.rejected_log.c.body).order_by(store.rejected_log.c.seq))
        rows["rejected.jsonl"] = write_lines((body for (body,) in bodies), out / "rejected.jsonl")
    return rows
