"""The PyFlink contestant: a virtual environment of its own, because its pins contradict everybody else's."""

from __future__ import annotations

from bench.stopwatch import Run


def why_missing() -> str:
    """Why it is not measured."""
    return "not yet"


def command(run: Run) -> list[str]:
    """The process."""
    raise NotImplementedError
