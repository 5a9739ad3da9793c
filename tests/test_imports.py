"""Imports only point down: streams < rules < notifiers < console < airshed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BELOW = {
    "streams": set(),
    "rules": {"streams"},
    "notifiers": {"streams", "rules"},
    "console": {"streams", "rules", "notifiers"},
    "airshed": {"streams", "rules", "notifiers", "console"},
}
PURE_FORBIDDEN = {"sqlalchemy", "faust", "kafka", "aiokafka", "litestar", "httpx", "aiohttp", "requests"}
ADAPTERS = {"streams/sources", "streams/transport"}


def imported_packages(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", BELOW)
def test_imports_point_down(package: str) -> None:
    upward = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / package).rglob("*.py")
        for name in imported_packages(path) & set(BELOW) - BELOW[package] - {package}
    }
    assert not upward


@pytest.mark.parametrize("package", ["streams", "rules"])
def test_the_core_does_no_io(package: str) -> None:
    """Stages know nothing of Kafka, SQL or HTTP: only the adapters may import such libraries."""
    impure = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / package).rglob("*.py")
        if not any(path.relative_to(ROOT).as_posix().startswith(adapter) for adapter in ADAPTERS)
        for name in imported_packages(path) & PURE_FORBIDDEN
    }
    assert not impure


def test_nothing_in_the_core_asks_the_machine_for_the_time() -> None:
    banned = ("time.time()", "datetime.now(", "utcnow(")
    guilty = {
        f"{path.relative_to(ROOT)}: {call}"
        for package in ("streams", "rules")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "clock.py"
        for call in banned
        if call in path.read_text(encoding="utf-8")
    }
    assert not guilty
