"""What several commands print."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console

from notifiers.registries import ImportReport

_SHOWN = 10


def show_imports(reports: Mapping[str, ImportReport]) -> None:
    """Tell, on standard error, what became of imported registries; the first refusals with place and remedy."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    for name, report in reports.items():
        findings = [*(f"refused: {error}" for error in report.refused), *(f"warning: {e}" for e in report.warnings)]
        console.print(f"{name}: {report.accepted} accepted, {len(report.refused)} refused")
        for line in findings[:_SHOWN]:
            console.print(f"  {line}")
        if len(findings) > _SHOWN:
            console.print(f"  … and {len(findings) - _SHOWN} more")
