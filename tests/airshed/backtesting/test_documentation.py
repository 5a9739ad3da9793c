"""The four commands of docs/rules.md, and the three mistakes, as a reader would try them."""

from __future__ import annotations

import re
import shlex
from importlib import resources
from pathlib import Path

import pytest
from typer.testing import CliRunner

from airshed.cli import app
from rules.documentation import PAGE
from streams.errors import AirshedError

TEXT = PAGE.read_text(encoding="utf-8")


def section(heading: str) -> str:
    start = TEXT.index(f"## {heading}")
    return TEXT[start : TEXT.find("\n## ", start + 1)]


def commands(text: str) -> list[tuple[list[str], str]]:
    """(arguments, what is printed) of every ``$ airshed`` in consoles."""
    consoles = "\n".join(re.findall(r"```console\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    found = []
    for part in re.split(r"^\$ ", consoles, flags=re.MULTILINE)[1:]:
        line, _, printed = part.partition("\n")
        words = shlex.split(line, comments=True)
        if words[0] == "airshed":
            found.append((words[1:], printed.strip()))
    return found


def said(arguments: list[str]) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "400"})
    if isinstance(result.exception, AirshedError):
        return str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 0, result.output
    return result.output


def masked(text: str) -> str:
    """Without numbers, which follow the packs, and without the breaks of the page."""
    return " ".join(re.sub(r"\d+", "#", text).split())


def shows(printed: str, actual: str) -> bool:
    """Whether the page has all of what was said, numbers aside, except where it says that it leaves something out."""
    pieces, rest = [masked(piece) for piece in printed.split("…")], masked(actual)
    if not pieces[0] or not rest.startswith(pieces[0]):
        return False
    for piece in pieces:
        _, found, rest = rest.partition(piece) if piece else ("", "", rest)
        if piece and not found:
            return False
    return not pieces[-1] or not rest


@pytest.mark.parametrize(
    ("printed", "actual", "alike"),
    [
        ("a: 2 b\nc", "a: 3 b c\n", True),
        ("a: 2 b\nc", "a: 3 b d\n", False),
        ("a: 2 …\nc", "a: 3 b and more\nc\n", True),
        ("a: 2 …", "a: 3 b and more\nc\n", True),
        ("a: 2", "a: 3 b", False),
        ("a: 2 …\nc", "a: 3 b and more\nd\n", False),
        ("", "anything", False),
        ("… c", "a b c", False),
    ],
)
def test_what_the_page_shows_is_compared_to_its_end(printed: str, actual: str, alike: bool) -> None:
    assert shows(printed, actual) is alike


@pytest.fixture
def author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rule author in an empty folder, with the configuration of the page and a changed copy of the pack."""
    monkeypatch.chdir(tmp_path)
    (configuration,) = re.findall(r"```toml\n(.*?)```", section("Changing a threshold"), re.DOTALL)
    Path("airshed.toml").write_text(configuration, encoding="utf-8")
    pack = (resources.files("rules") / "packs" / "vietnam-2026.yaml").read_text(encoding="utf-8")
    version = int(re.findall(r'^version: "(\d+)"', pack, re.MULTILINE)[0])
    raised = pack.replace(f'version: "{version}"', f'version: "{version + 1}"', 1)
    assert raised.count("enter: 201") == 1
    Path("mine.yaml").write_text(raised.replace("enter: 201", "enter: 191"), encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_the_four_commands_and_the_three_mistakes(author: Path) -> None:
    text = section("Changing a threshold")
    plain, mistakes = text.split("<!-- mistakes")
    tried = commands(plain)
    assert [" ".join(arguments[:2]) for arguments, _ in tried][1:] == [
        "rules check",
        "backtest winter/readings.csv.gz",
        "rules activate",
        "rules status",
    ]
    for arguments, printed in tried:
        assert shows(printed, said(arguments)), f"{arguments}\n{said(arguments)}"
    assert (author / "report.html").stat().st_size > 50_000
    _try_mistakes(commands(mistakes))


def _try_mistakes(tried: list[tuple[list[str], str]]) -> None:
    mine = Path("mine.yaml").read_text(encoding="utf-8")
    changes = [("enter: 191", "entre: 191"), ("exit: 170", "exit: 195"), ("enter: 191", "enter: 189")]
    for (arguments, printed), (right, wrong) in zip(tried, changes, strict=True):
        assert mine.count(right) == 1
        Path("mistake.yaml").write_text(mine.replace(right, wrong), encoding="utf-8")
        before = {path: path.read_bytes() for path in Path("rules").iterdir()}
        assert masked(said(arguments)) == masked(printed)
        assert {path: path.read_bytes() for path in Path("rules").iterdir()} == before
