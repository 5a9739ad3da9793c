"""Documents that are made from code are as the code says."""

from __future__ import annotations

from pathlib import Path

from notifiers.channels.limits import LIMITS
from streams import metrics

DOCS = Path(__file__).parent.parent / "docs"


def test_every_metric_is_documented() -> None:
    """Mend with: ``python -m streams.metrics > docs/metrics.md``."""
    assert (DOCS / "metrics.md").read_text(encoding="utf-8") == metrics.documentation()


def test_metric_names_are_given_once_with_a_meaning_and_an_action() -> None:
    names = [description.name for description in metrics.DESCRIPTIONS]
    assert len(names) == len(set(names))
    for description in metrics.DESCRIPTIONS:
        assert description.name.startswith("airshed_")
        assert description.meaning.endswith((".", ")"))
        assert description.action.endswith((".", ")"))


def test_the_limits_of_channels_are_documented() -> None:
    text = (DOCS / "channels.md").read_text(encoding="utf-8")
    for name, limits in LIMITS.items():
        validity = f"{limits.shortest_validity_s}–{limits.longest_validity_s} s" if limits.longest_validity_s else "–"
        assert f"| `{name}` | {limits.longest} {limits.unit} | {validity} | {limits.source} |" in text
