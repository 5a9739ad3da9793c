"""The commands of docs/rules.md as a reader would try them: what the page shows is what is printed.

Where one of these fails, run the command and put what it prints on the page.
"""

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


def said(arguments: list[str], code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "400"})
    if isinstance(result.exception, AirshedError):
        return str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result.output


def plain(text: str) -> str:
    """Without the breaks of the page."""
    return " ".join(text.split())


def undated(text: str) -> str:
    """Without the days and hours that follow the reader's clock."""
    return re.sub(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d \w{3} \d{4} \d\d:00|\d{4}-\d\d-\d\dT\S+", "#", text)


def shows(printed: str, actual: str) -> bool:
    """Whether the page has all of what was said, except where it says that it leaves something out."""
    pieces, rest = [plain(undated(piece)) for piece in printed.split("…")], plain(undated(actual))
    if not pieces[0] or not rest.startswith(pieces[0]):
        return False
    for piece in pieces:
        _, found, rest = rest.partition(piece) if piece else ("", "", rest)
        if piece and not found:
            return False
    return not pieces[-1] or not rest.strip()


@pytest.mark.parametrize(
    ("printed", "actual", "alike"),
    [
        ("a: 2 b\nc", "a: 2 b c\n", True),
        ("a: 2 b\nc", "a: 3 b c\n", False),
        ("a: 2 b\nc", "a: 2 b d\n", False),
        ("a: 2 …\nc", "a: 2 b and more\nc\n", True),
        ("a: 2 …", "a: 2 b and more\nc\n", True),
        ("a: 2", "a: 2 b", False),
        ("a: 2 …\nc", "a: 2 b and more\nd\n", False),
        ("from Sun 22 Nov 2026 09:00 on", "from Mon 23 Nov 2026 11:00 on", True),
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
    right, mistakes = text.split("<!-- mistakes")
    tried = commands(right)
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
    _try_refusals()


def _try_mistakes(tried: list[tuple[list[str], str]]) -> None:
    mine = Path("mine.yaml").read_text(encoding="utf-8")
    changes = [("enter: 191", "entre: 191"), ("exit: 170", "exit: 195"), ("enter: 191", "enter: 189")]
    for (arguments, printed), (right, wrong) in zip(tried, changes, strict=True):
        assert mine.count(right) == 1
        Path("mistake.yaml").write_text(mine.replace(right, wrong), encoding="utf-8")
        before = {path: path.read_bytes() for path in Path("rules").iterdir()}
        assert plain(said(arguments)) == plain(printed)
        assert {path: path.read_bytes() for path in Path("rules").iterdir()} == before


def _try_refusals() -> None:
    mine = Path("mine.yaml").read_text(encoding="utf-8")
    assert mine.count("lateness_s: 600") == 1
    Path("other.yaml").write_text(changed(mine, ("lateness_s: 600", "lateness_s: 1200"), ('"5"', '"9"')), "utf-8")
    for arguments, printed in commands(section("Switching a pack on")):
        assert shows(printed, said(arguments)), f"{arguments}\n{said(arguments)}"


def changed(text: str, *changes: tuple[str, str]) -> str:
    """With the first of each replaced."""
    for right, wrong in changes:
        assert right in text
        text = text.replace(right, wrong, 1)
    return text


PACK = (resources.files("rules") / "packs" / "vietnam-2026.yaml").read_text(encoding="utf-8")


def test_what_a_check_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    changes = [
        (("enter: 151", "enter: high"), ("when: level == 2", "wenn: level == 2")),
        (("exit: 130", "exit: 155"), ("when: level == 2", "when: levle == 2")),
    ]
    tried = commands(TEXT[: TEXT.index("\n## ")])
    for (arguments, printed), mistakes in zip(tried, changes, strict=True):
        Path("mine.yaml").write_text(changed(PACK, *mistakes), encoding="utf-8")
        assert plain(said(arguments)) == plain(printed)


@pytest.mark.slow
def test_scenarios_under_a_lower_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lower = changed(PACK, ("enter: 151", "enter: 140"), ("enter_24h: 151", "enter_24h: 120"))
    Path("mine.yaml").write_text(lower, encoding="utf-8")
    ((arguments, printed),) = commands(section("What a change does to fires"))
    assert plain(said(arguments, code=1)) == plain(printed)


def test_a_case_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = section("Cases, and help while writing")
    (case,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    Path("cases.yaml").write_text(changed(case, ("at: 26", "at: 25")), encoding="utf-8")
    ((arguments, printed),) = commands(text)
    assert plain(said(arguments, code=1)) == plain(printed)
    Path("cases.yaml").write_text(case, encoding="utf-8")
    assert "1 case, all as expected" in said(arguments)
