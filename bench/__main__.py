"""``python -m bench [part ...]``: measure the parts named (all of them by default) and write RESULTS.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bench import backtest, fan_out, latency, local, machine, memory, report, restart
from bench.contest import ENGINES, REPETITIONS, contest
from bench.engines_part import part as engines_part
from bench.report import Part
from bench.workload import Workload

Options = argparse.Namespace


def _engines(options: Options) -> Part:
    load = machine.load()
    workload = Workload(stations=options.stations, readings=options.readings)
    return engines_part(workload, contest(workload, options.engines, options.repetitions), load)


def _replay(options: Options) -> Part:
    workload = Workload(stations=options.stations, readings=options.readings)
    return local.part(workload, options.repetitions, options.recorded)


PARTS: dict[str, Callable[[Options], Part]] = {
    "engines": _engines,
    "replay": _replay,
    "backtest": lambda options: backtest.part(options.recorded),
    "memory": lambda _options: memory.part(),
    "latency": lambda options: latency.part(options.stations),
    "restart": lambda _options: restart.part(),
    "fanout": lambda options: fan_out.part(options.residents, options.drained),
}
"""In the order of the report."""


def main() -> int:
    """Measure and write."""
    options = _options()
    for name in options.parts or PARTS:
        print(f"{name}:", file=sys.stderr, flush=True)
        part = PARTS[name](options)
        part.keep(name)
        print(f"\n{part.text}", flush=True)
        for target in part.targets:
            print("  ".join(target.row()), flush=True)
    report.write(PARTS)
    print(f"\nwritten to {report.RESULTS}", flush=True)
    return 0


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measurements against peers and limits.")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="part", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--readings", type=int, default=2_000_000, help="size of the topic (default %(default)s)")
    parser.add_argument("--stations", type=int, default=1_500, help="(default %(default)s)")
    parser.add_argument("--repetitions", type=int, default=REPETITIONS, help="(default %(default)s)")
    parser.add_argument("--residents", type=int, default=fan_out.RESIDENTS, help="of fanout (default %(default)s)")
    parser.add_argument("--drained", type=int, default=fan_out.DRAINED, help="of fanout (default %(default)s)")
    parser.add_argument(
        "--engines", type=lambda text: text.split(","), default=list(ENGINES), help=f"of {','.join(ENGINES)}"
    )
    parser.add_argument(
        "--recorded", type=Path, help="folder of recorded data (with cn-north-2019-01/), for the replay part"
    )
    options = parser.parse_args()
    if unknown := set(options.engines) - set(ENGINES):
        parser.error(f"no engine {', '.join(sorted(unknown))}; there are {', '.join(ENGINES)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
