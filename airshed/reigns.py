"""Which packs are in force, in metrics; what of the shelf is refused, in metrics and log."""

from __future__ import annotations

from rules.shelf import Shelf
from streams import metrics
from streams.clock import utc
from streams.episodes import EpisodeTracker
from streams.errors import Problem


def report_reigns(tracker: EpisodeTracker, shelf: Shelf | None) -> None:
    """Which packs are in force, and which activations a tracker could not take over any more."""
    for code, reign in tracker.reigns.items():
        known = {reign.pack, *(activation.pack for activation in reign.activations)}
        for reference in known:
            metrics.PACK_IN_FORCE.labels(code, reference).set(reference == reign.pack)
    for activation, decided_s in tracker.take_refused():
        message = f"{activation.pack} for {utc(activation.from_s):%Y-%m-%dT%H:%MZ} came too late"
        remedy = f"hours up to {utc(decided_s):%Y-%m-%dT%H:%MZ} were decided without it: activate it for one to come"
        place = shelf.place(activation) if shelf else ""
        if shelf:
            shelf.note_refusal(activation, decided_s)
        report_refusal(Problem(message, place=place, field="from", remedy=remedy), "late")


def report_refusal(problem: Problem, kind: str) -> None:
    """Tell of a pack or an activation that is not used. ``kind``: ``log``, ``pack`` or ``late``."""
    # A quarter of a second, which replays and back-tests would pay for nothing.
    import structlog

    from notifiers import operators
    from notifiers.operators import Occasion, OperatorEvent

    metrics.PACK_RELOAD_REFUSED.labels(kind).inc()
    structlog.get_logger().warning("pack refused", kind=kind, place=problem.place, problem=str(problem))
    about = problem.place or kind
    operators.tell(OperatorEvent(occasion=Occasion.PACK_REJECTED, about=about, says=problem.message))
