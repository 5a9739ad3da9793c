"""RESULTS.md: what was measured, beside what was to be reached."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "RESULTS.md"
NOTES = Path(__file__).parent / "notes.md"
"""What the figures do not say by themselves: written by people, kept with the report."""

KEPT = Path("out") / "bench"
"""Figures of each part, so that a part can be measured again alone."""


@dataclass(frozen=True)
class Target:
    """One line of the targets. ``met``: ``None`` where this run has not measured it."""

    what: str
    wanted: str
    measured: str
    met: bool | None

    def row(self) -> tuple[str, ...]:
        verdict = {True: "met", False: "**missed**", None: "not measured"}[self.met]
        return self.what, self.wanted, self.measured, verdict


@dataclass(frozen=True)
class Part:
    """What one part of the benchmarks has to say."""

    title: str
    text: str
    targets: Sequence[Target] = ()

    def keep(self, name: str) -> None:
        """Store it for the report."""
        KEPT.mkdir(parents=True, exist_ok=True)
        kept = {"title": self.title, "text": self.text, "targets": [vars(target) for target in self.targets]}
        (KEPT / f"{name}.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")

    @classmethod
    def kept(cls, name: str) -> Part | None:
        """The part as it was last measured."""
        path = KEPT / f"{name}.json"
        if not path.exists():
            return None
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(found["title"], found["text"], [Target(**target) for target in found["targets"]])


def write(names: Iterable[str]) -> None:
    """Write the report from the parts kept."""
    parts = [part for name in names if (part := Part.kept(name)) is not None]
    targets = [target.row() for part in parts for target in part.targets]
    sections = [f"## {part.title}\n\n{part.text.strip()}\n" for part in parts]
    head = "# Results of the benchmarks\n\nWritten by `make bench`: one machine, named with each part.\n"
    table = markdown(("what", "target", "measured", "verdict"), targets)
    page = [head, "## Targets\n", table, "", *sections, NOTES.read_text(encoding="utf-8")]
    RESULTS.write_text("\n".join(page), encoding="utf-8")


def markdown(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def ratio_target(what: str, least: float, ours: float, theirs: float | None) -> Target:
    """A target of the form: at least so many times as fast as another."""
    wanted = f"≥ {least:g} ×"
    if not theirs:
        return Target(what, wanted, "", None)
    return Target(what, wanted, f"{ours / theirs:.2f} ×", ours / theirs >= least)


def facts(pairs: Mapping[str, str]) -> str:
    """Headed facts as a list."""
    return "\n".join(f"- {name}: {value}" for name, value in pairs.items())
