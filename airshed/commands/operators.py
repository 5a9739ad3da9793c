"""Operators' chat and on-call services: try them, and see what they are told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from airshed.configuration import load
from notifiers.chat import chat_services
from notifiers.operators import OCCASIONS
from streams.errors import ConfigurationError, Problem

Config = Annotated[Path, typer.Option(help="The installation's configuration file.")]
_DEFAULT = Path("airshed.toml")

app = typer.Typer(help="Operators' chat and on-call services.", no_args_is_help=True)


@app.command("test")
def operators_test(config: Config = _DEFAULT) -> None:
    """Send a test message to every configured service, and say which of them took it.

    Example: `airshed operators test`
    """
    settings = load(config)
    if settings.operators.addresses is None:
        problem = Problem("no service is configured", field="operators.addresses", remedy="see docs/channels.md")
        raise ConfigurationError([problem])
    out = Console(highlight=False, markup=False, soft_wrap=True)
    failed = False
    for service in chat_services([settings.operators.addresses.reveal()]):
        taken = service.deliver(f"[{settings.operators.name}] Test", "A test. Nothing needs to be done.", "information")
        failed = failed or not taken
        out.print(f"{'ok  ' if taken else 'FAIL'}  {service.name}")
    if failed:
        raise typer.Exit(1)


@app.command("occasions")
def operators_occasions() -> None:
    """What operators are told of, how urgent it is and what to do.

    Example: `airshed operators occasions`
    """
    table = Table("occasion", "severity", "what", "what to do", box=None)
    for occasion, told in OCCASIONS.items():
        table.add_row(occasion.value, told.severity, told.headline, told.remedy)
    Console(highlight=False, markup=False).print(table)
