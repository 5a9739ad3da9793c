"""The one entry point. Exit codes: 0 done, 1 failed (the message says why and what to do), 2 wrong usage."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from airshed.commands import demo, index, operations, replay, rules, runtime
from streams.errors import AirshedError

app = typer.Typer(
    name="airshed",
    help="Live air-quality readings into warnings and action across province borders.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
demo.register(app)
replay.register(app)
index.register(app)
runtime.register(app)
operations.register(app)
app.add_typer(rules.app, name="rules")


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
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]airshed:[/red] {_escaped(str(error))}")
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


if __name__ == "__main__":
    main()
