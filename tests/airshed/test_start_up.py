"""The command line: every command is listed, and each imports only what it needs."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from airshed.cli import COMMANDS, app
from airshed.commands import rules
from airshed.lazy import Lazy

HEAVY = {"numpy", "polars", "scipy", "sqlalchemy", "litestar", "faust", "kafka", "aiokafka", "prompt_toolkit", "twilio"}

WATCHED = """
import sys
sys.argv = ["airshed", *{arguments!r}]
try:
    from airshed.cli import main
    main()
except SystemExit as end:
    assert not end.code, end.code
print(*sorted(set(sys.modules) & {heavy!r}), sep="\\n", file=sys.stderr)
"""


def imported(*arguments: str, given: str = "") -> set[str]:
    """The heavy packages that a command imports."""
    code = WATCHED.format(arguments=arguments, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], input=given, capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_imports_nothing_heavy() -> None:
    assert imported("--help") == set()


def test_the_calculator_needs_numbers_only() -> None:
    request = '{"pollutant":"pm25","averaging":"24h","value":55.7}\n'
    assert imported("index", given=request) == {"numpy"}


def test_checking_a_pack_needs_no_shell_and_no_services() -> None:
    assert imported("rules", "check", "china-2024") <= {"numpy"}


def test_a_replay_that_sends_nothing_needs_no_services() -> None:
    assert imported("replay", "--help") == {"numpy", "polars"}


@pytest.mark.parametrize("lazy", [*COMMANDS.values(), *rules.COMMANDS.values()], ids=lambda lazy: lazy.target)
def test_the_list_says_what_the_command_says_of_itself(lazy: Lazy) -> None:
    found = lazy.load()
    help_text = found.info.help if isinstance(found, typer.Typer) else inspect.getdoc(found)
    first = help_text.split("\n\n")[0].replace("\n", " ")
    assert lazy.help == first


@pytest.mark.parametrize("name", [*COMMANDS, *(f"rules {name}" for name in rules.COMMANDS)])
def test_every_command_has_its_own_page(name: str) -> None:
    shown = CliRunner().invoke(app, [*name.split(), "--help"])
    assert shown.exit_code == 0
    assert f"airshed {name}" in shown.output
