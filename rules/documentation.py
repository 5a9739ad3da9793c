"""The tables of docs/rules.md that are made from the code. ``python -m rules.documentation`` writes them anew."""

from __future__ import annotations

import re
from pathlib import Path

from rules.readiness import MEANINGS
from rules.variables import VARIABLES

PAGE = Path(__file__).parents[1] / "docs" / "rules.md"


def tables() -> dict[str, str]:
    """By name of the place in the page, the lines that belong there."""
    variables = ["| variable | type | meaning |", "|---|---|---|"]
    variables += [f"| `{name}` | {kind} | {meaning} |" for name, (kind, meaning) in VARIABLES.items()]
    reasons = ["| reason | meaning |", "|---|---|"]
    reasons += [f"| `{reason}` | {meaning} |" for reason, meaning in MEANINGS.items()]
    return {"variables": "\n".join(variables), "reasons": "\n".join(reasons)}


def written(page: str) -> str:
    """The page with its tables as they should be."""
    for name, lines in tables().items():
        place = re.compile(rf"(<!-- {name}[^\n]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
        found = place.search(page)
        if found is not None:
            page = page.replace(found[0], f"{found[1]}\n{lines}\n\n{found[2]}")
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
