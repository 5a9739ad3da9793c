"""Escalation of one request to one recipient, as a decision: what is done at a moment, from what has been answered.

    calling ──answer──► accepted ──nothing follows──► reminded ──still nothing──► calling (once more round)
       │                   └──────── started, done ───────┴──► finished
       ├─ refused ──► answered        all calls made, no answer ──► exhausted
       └─ the request is over, replaced, or enough others have answered ──► ended

The first messages are the planner's; a call is a further message, on the next channel of the order. Nothing here knows
a database or a clock: the same standing, answers and moment give the same decision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from notifiers.deliveries import ChannelName

State = Literal["calling", "accepted", "reminded", "finished", "answered", "exhausted", "ended"]
ENOUGH = "enough-answers"
"""So many others have answered that nobody else is called. Who has accepted is still asked what came of it."""
OPEN: tuple[State, ...] = ("calling", "accepted", "reminded")


class EscalationPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How requests are followed up, for some kinds of facility and priorities. The first plan that fits counts.

    Attributes:
        kinds: kinds of facility, as in the registry; empty for all.
        priorities: requests of this priority or a more urgent one.
        order: channels in the order in which they are tried, as far as the facility has a contact.
        interval_s: between one call and the next. Ten minutes: a duty officer who is at the kiln comes back within it.
        cycles: how often the order is gone through; the planner's first messages belong to the first cycle.
        responses: so many facilities of one notice are enough; 0: each is followed up until it answers itself.
        remind_after_s: after an acceptance, how long to wait for "started" or "done" before one reminder, and after
            that before the acceptance is taken back and the calls begin once more.
    """

    kinds: list[str] = []
    priorities: Annotated[int, Meta(ge=0, le=9)] = 9
    order: Annotated[list[ChannelName], Meta(min_length=1, max_length=8)] = msgspec.field(
        default_factory=lambda: ["sms", "email", "voice"]
    )
    interval_s: Annotated[float, Meta(ge=1)] = 600.0
    cycles: Annotated[int, Meta(ge=1, le=10)] = 2
    responses: Annotated[int, Meta(ge=0)] = 0
    remind_after_s: Annotated[float, Meta(ge=1)] = 3600.0

    def fits(self, kind: str, priority: int) -> bool:
        """Whether it is for a facility of this kind and a request of this priority."""
        return (not self.kinds or kind in self.kinds) and priority <= self.priorities


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as it stood when an escalation began, for one facility: a change of the configuration changes none under
    way. ``calls`` are the channels still to be tried, in order; ``again``, those of the round after a reminder."""

    calls: list[ChannelName]
    again: list[ChannelName]
    interval_s: float
    responses: int
    remind_after_s: float


def snapshot(plan: EscalationPlan, reachable: set[ChannelName], planned: set[ChannelName]) -> Snapshot:
    """The plan for a facility.

    Args:
        reachable: channels that it has a contact for and that somebody here serves.
        planned: channels on which the planner has written to it already.
    """
    order = [channel for channel in plan.order if channel in reachable]
    first = [channel for channel in order if channel not in planned]
    return Snapshot(
        calls=first + order * (plan.cycles - 1),
        again=order,
        interval_s=plan.interval_s,
        responses=plan.responses,
        remind_after_s=plan.remind_after_s,
    )


@dataclass(frozen=True)
class Standing:
    """How far an escalation is. Times are those of the dispatcher's clock.

    Attributes:
        step: calls made so far. ``next_s``: when it is looked at again.
        reopened_s: when an acceptance was taken back; an older one counts no more. 0: never.
    """

    state: State
    step: int
    next_s: float
    reopened_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Answers:
    """What is known about a request's fate.

    Attributes:
        accepted_s: latest acceptance, by page or by the digit pressed in a call; 0 for none.
        refused / working: it was refused; it was reported started or done.
        working_as: which of the two.
        over: why the request itself is of no use any more (``too-late``, ``superseded``, ``enough-answers``), or "".
    """

    accepted_s: float = 0.0
    refused: bool = False
    working_as: str = ""
    over: str = ""


class Happened(StrEnum):
    """What operators hear of."""

    REFUSED = "refused"
    NOTHING_FOLLOWED = "nothing-followed"  # accepted, reminded, and still neither started nor done
    EXHAUSTED = "exhausted"


@dataclass(frozen=True)
class Decision:
    """What to do now: the next standing, and maybe a message on ``call``, which is a call or a reminder."""

    standing: Standing
    call: ChannelName | None = None
    purpose: Literal["call", "reminder"] = "call"
    happened: Happened | None = None


def decide(frozen: Snapshot, at: Standing, known: Answers, now_s: float) -> Decision | None:
    """What is done now; ``None`` for nothing yet. Final states stay as they are."""
    if at.state not in OPEN:
        return None
    if known.refused:
        return Decision(replace(at, state="answered", reason="refused"), happened=Happened.REFUSED)
    if known.working_as:
        return Decision(replace(at, state="finished", reason=known.working_as))
    if known.over and not (known.over == ENOUGH and known.accepted_s):
        return Decision(replace(at, state="ended", reason=known.over))
    accepted = known.accepted_s > 0 and known.accepted_s >= at.reopened_s
    if at.state == "calling":
        return _accept(frozen, at, known) if accepted else _call(frozen, at, now_s)
    return _wait(frozen, at, now_s) if now_s >= at.next_s else None


def _accept(frozen: Snapshot, at: Standing, known: Answers) -> Decision:
    due_s = known.accepted_s + frozen.remind_after_s
    return Decision(replace(at, state="accepted", reason="accepted", next_s=due_s))


def _call(frozen: Snapshot, at: Standing, now_s: float) -> Decision | None:
    if now_s < at.next_s:
        return None
    calls = frozen.calls + (frozen.again if at.reopened_s else [])
    if at.step >= len(calls):
        return Decision(replace(at, state="exhausted", reason="no-answer"), happened=Happened.EXHAUSTED)
    # the next one after a whole interval from now: after a standstill, missed calls do not come all at once
    following = replace(at, step=at.step + 1, next_s=now_s + frozen.interval_s, reason="calling")
    return Decision(following, call=calls[at.step])


def _wait(frozen: Snapshot, at: Standing, now_s: float) -> Decision:
    if at.state == "accepted":
        reminded = replace(at, state="reminded", next_s=now_s + frozen.remind_after_s, reason="reminded")
        return Decision(reminded, call=next(iter(frozen.again), None), purpose="reminder")
    begun_anew = replace(
        at, state="calling", step=len(frozen.calls), next_s=now_s, reopened_s=now_s, reason="nothing-followed"
    )
    return Decision(begun_anew, happened=Happened.NOTHING_FOLLOWED)
