"""The first part of the report: the contest of the engines."""

from __future__ import annotations

from bench import machine
from bench.contest import Standing
from bench.report import Part, Target, facts, markdown, ratio_target
from bench.workload import GRACE_S, Workload

_HEADING = (
    "engine", "readings", "readings/s", "readings per CPU s", "spread", "the same, second half", "CPU s", "memory MB",
    "× Airshed", "share of fetch",
)  # fmt: skip


def part(workload: Workload, standings: dict[str, Standing], load: str) -> Part:
    """Tables and targets. Ratios are of readings per second of CPU time of the process, medians of all runs."""
    return Part("Engines on one core", _text(workload, standings, load), _targets(standings))


def _text(workload: Workload, standings: dict[str, Standing], load: str) -> str:
    size = len(next(workload.payloads())[1])
    measured = [standing for standing in standings.values() if standing.runs]
    left_out = [f"{standing.title}: {standing.missing}" for standing in standings.values() if not standing.runs]
    table = markdown(_HEADING, [_row(standing, standings) for standing in measured])
    checked = "; ".join(
        f"{standing.title} {standing.runs[0].means:,}" for standing in measured if standing.runs[0].means
    )
    repetitions = max((len(standing.runs) for standing in measured), default=0)
    return f"""
{workload.readings:,} readings of {workload.stations:,} stations, six pollutants, every five minutes; one JSON object of
about {size} bytes per message, one partition, one broker. Hourly windows, {GRACE_S} s of grace, means per station and
pollutant. Each engine alone on one core, the broker on the others; {repetitions} repetitions in turn; medians. Slow
engines read fewer of the same readings. Start-up is not counted for anybody. The rate is wall time; **ratios are of
readings per second of CPU time**, which other work on the machine disturbs least. "Second half": readings per CPU
second after half of the readings, when a virtual machine has compiled what it runs.

{table}

Hourly means written and found right after every run (relative difference below 1e-9): {checked}.
{"Not measured: " + "; ".join(left_out) + "." if left_out else ""}

What each does beyond the mean: Airshed screens every reading, keeps minute masks against duplicates, and says NowCast,
24 h means, sub-indices, index and dominant pollutant of every station; its state goes to Kafka with every batch. The
others only average; Kafka Streams keeps the six pollutants of a station in one window and writes its state when it
commits (every 30 s), Quix Streams likewise (every 5 s), plain Faust with every event.

{facts(machine.described() | {"load averages at the start": load})}
"""


def _row(standing: Standing, standings: dict[str, Standing]) -> tuple[str, ...]:
    def ratio(name: str) -> str:
        other = standings.get(name)
        return f"{standing.median('cpu') / other.median('cpu'):.2f}" if other and other.runs else ""

    return (
        standing.title,
        f"{standing.runs[0].readings:,}",
        f"{standing.median('wall'):,.0f}",
        f"{standing.median('cpu'):,.0f}",
        f"{standing.spread('cpu'):.0%}",
        f"{standing.median('late_cpu'):,.0f}",
        f"{standing.median('cpu_s'):.1f}",
        f"{standing.median('peak_mb'):,.0f}",
        ratio("airshed"),
        ratio("fetch"),
    )


def _targets(standings: dict[str, Standing]) -> list[Target]:
    ours = standings.get("airshed")
    if ours is None or not ours.runs:
        return []

    def against(names: tuple[str, ...], what: str) -> float | None:
        found = [standings[name].median(what) for name in names if name in standings and standings[name].runs]
        return max(found) if found else None

    streams = ("streams", "streams-rocksdb")
    cpu, late = ours.median("cpu"), ours.median("late_cpu")
    return [
        ratio_target("readings, to a plain Faust agent", 20, cpu, against(("faust",), "cpu")),
        ratio_target("readings, to Quix Streams", 8, cpu, against(("quix",), "cpu")),
        ratio_target("readings, to Kafka Streams", 1.2, cpu, against(streams, "cpu")),
        ratio_target("readings, to Kafka Streams, second half", 1.2, late, against(streams, "late_cpu")),
        ratio_target("readings, to bare aiokafka fetch", 0.5, cpu, against(("fetch",), "cpu")),
    ]
