"""Options that point the tests at things outside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--recorded", type=Path, help="folder with recorded data and vectors; those tests skip without it")
    parser.addoption(
        "--require",
        action="append",
        default=[],
        choices=["kafka", "postgres"],
        help="fail, instead of skipping, where this is missing (CI requires everything)",
    )


@pytest.fixture(scope="session")
def recorded(request: pytest.FixtureRequest) -> Path:
    """The folder that holds ``data/`` and ``vectors/``."""
    folder = request.config.getoption("--recorded")
    if folder is None:
        pytest.skip("no folder given: --recorded=FOLDER")
    assert isinstance(folder, Path)
    if not (folder / "vectors" / "index.json").is_file():
        pytest.fail(f"--recorded={folder}: no vectors/index.json in it")
    return folder.resolve()


def missing(request: pytest.FixtureRequest, what: str, why: str) -> None:
    """Skip with the reason, or fail where the run requires it."""
    if what in request.config.getoption("--require") or os.environ.get("AIRSHED_REQUIRE_ALL"):
        pytest.fail(f"{what} is required here: {why}")
    pytest.skip(why)
