"""Quix Streams as its documentation teaches it: a StreamingDataFrame, a tumbling window with grace, final results.

Keyed by station as the topic is, with the six pollutants side by side in the window: a key for each series would send
every reading through Kafka a second time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from quixstreams import Application

from bench.stopwatch import Run, Stopwatch
from bench.workload import GRACE_S, PERIOD_S
from streams.topics import READINGS

Sums = dict[str, list[float]]


def _start_ms(value: dict[str, Any], _headers: Any, _timestamp: float, _kind: Any) -> int:
    """Windows hold their start and not their end, so a reading goes by the start of its period."""
    return int((datetime.fromisoformat(value["time"]).timestamp() - PERIOD_S) * 1000)


def _first(reading: dict[str, Any]) -> Sums:
    return {reading["pollutant"]: [reading["value"], 1]}


def _add(sums: Sums, reading: dict[str, Any]) -> Sums:
    entry = sums.setdefault(reading["pollutant"], [0.0, 0])
    entry[0] += reading["value"]
    entry[1] += 1
    return sums


def _means(window: dict[str, Any]) -> dict[str, Any]:
    means = {pollutant: total / count for pollutant, (total, count) in window["value"].items()}
    return {"hour_s": window["end"] // 1000, "means": means}


def main() -> None:
    """Run until the readings of the run are through."""
    run = Run.from_command_line()
    watch = Stopwatch(run.readings)
    app = Application(
        broker_address=run.bootstrap,
        consumer_group=run.name,
        auto_offset_reset="earliest",
        state_dir=f"{run.folder}/quix-{run.name}",
        loglevel="ERROR",
    )
    source = app.topic(READINGS, value_deserializer="json", key_deserializer="str", timestamp_extractor=_start_ms)
    sink = app.topic(f"{run.name}.means", value_serializer="json", key_serializer="str")
    taken = 0

    def count(_reading: dict[str, Any]) -> None:
        nonlocal taken
        watch.first()
        taken += 1
        if watch.passed(taken):
            app.stop()

    frame = app.dataframe(source).update(count)
    window = frame.tumbling_window(timedelta(hours=1), grace_ms=timedelta(seconds=GRACE_S))
    window.reduce(reducer=_add, initializer=_first).final().apply(_means).to_topic(sink)
    app.run()
    watch.report()


if __name__ == "__main__":
    main()
