"""The one entry point. Exit codes: 0 done, 1 failed (the message says why and what to do), 2 wrong usage."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from airshed.lazy import MARKUP, Lazy, lazy_group
from streams.errors import AirshedError

_OPERATIONS = "airshed.commands.operations"
_RUNTIME = "airshed.commands.runtime"

COMMANDS = {
    "demo": Lazy(
        "airshed.commands.demo:demo",
        "A simulated winter episode over seven provinces: readings, index, episode, notices, messages received.",
    ),
    "replay": Lazy(
        "airshed.commands.replay:replay",
        "Replay recorded readings on event time: index, provinces, episodes, notices and deliveries as files.",
    ),
    "backtest": Lazy(
        "airshed.commands.backtest:backtest",
        "What a rule pack would have done with recorded readings, and how two packs differ. Sends nothing.",
    ),
    "index": Lazy(
        "airshed.commands.index:index",
        "Calculate index values: JSON lines on standard input, one answer per line, in order.",
    ),
    "up": Lazy(
        f"{_RUNTIME}:up",
        "Everything in one process on one SQLite file: sources, stages, notifiers, pages. Until Ctrl-C or SIGTERM.",
    ),
    "ingest": Lazy(
        f"{_RUNTIME}:ingest",
        "The gateway of the Kafka runtime: from the configured sources to the topic `readings`.",
    ),
    "worker": Lazy(
        f"{_RUNTIME}:worker",
        "The stages of the Kafka runtime: index, provinces, episodes, rules. Start as many as there are partitions.",
    ),
    "dispatch": Lazy(
        "airshed.commands.dispatch:app",
        "The notifiers of the Kafka runtime: from the topic `notices` to the ledger, and from there to people.",
    ),
    "console": Lazy(f"{_RUNTIME}:console", "Acknowledgement pages and provider webhooks of the Kafka runtime."),
    "migrate": Lazy(f"{_OPERATIONS}:migrate", "Bring the database to the newest schema. Safe to repeat."),
    "doctor": Lazy(
        f"{_OPERATIONS}:doctor",
        "Look at everything the installation needs and say what is wrong with it, and what to do.",
    ),
    "sandbox": Lazy(
        f"{_OPERATIONS}:sandbox",
        "A mailbox and an SMS endpoint that behave like the real ones, and a page with every message. Until Ctrl-C.",
    ),
    "export": Lazy(
        f"{_OPERATIONS}:export",
        "Write what the Kafka topics say as the files a replay writes, repetitions after crashes removed.",
    ),
    "topics": Lazy(f"{_OPERATIONS}:topics", "Kafka topics: see what is missing or different, create what is missing."),
    "rejected": Lazy(f"{_OPERATIONS}:rejected", "Readings and lines that could not be used."),
    "subscribers": Lazy("airshed.commands.subscribers:app", "The registry of residents."),
    "facilities": Lazy(f"{_OPERATIONS}:facilities", "The registry of plants."),
    "ledger": Lazy("airshed.commands.ledger:app", "The ledger of messages: what is late, and what to do about it."),
    "notices": Lazy(
        "airshed.commands.notices:app", "Notices that need an officer's yes, or wait behind the storm guard."
    ),
    "silences": Lazy(
        "airshed.commands.silences:app", "Keep a rule, a province or a plant quiet until a stated time, with a reason."
    ),
    "operators": Lazy("airshed.commands.operators:app", "Operators' chat and on-call services."),
    "cap": Lazy("airshed.commands.cap:app", "Public alerts in CAP 1.2."),
    "rules": Lazy("airshed.commands.rules:app", "Rule packs."),
    "regions": Lazy("airshed.commands.regions:app", "The provinces of a country: codes, names, borders, former names."),
    "scenarios": Lazy("airshed.commands.scenarios:app", "Simulated weather and faults."),
}
"""Every command. A module is imported when one of its commands is called."""

app = typer.Typer(
    name="airshed",
    cls=lazy_group(COMMANDS),
    help="Live air-quality readings into warnings and action across province borders.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=MARKUP,
)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the Python traceback of a failure.")] = False,
) -> None:
    _State.debug = debug


class _State:
    debug = False


def main() -> None:
    """Run the command line."""
    try:
        app()
    except AirshedError as error:
        if _State.debug:
            raise
        _show(error)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _show(error: AirshedError) -> None:
    from rich.console import Console  # only a failure needs it

    text = str(error).replace("[", r"\[")
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]airshed:[/red] {text}")


if __name__ == "__main__":
    main()
