"""The ledger's state machine as one table: which step may move a row from where to where.

The guards in the code ask the table (:func:`sources`), ``docs/ledger.md`` is made from it, and a test lets random
histories of dispatchers, crashes and callbacks loose on rows and holds every move against it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from notifiers.deliveries import DeliveryState

MEANINGS: Mapping[DeliveryState, str] = {
    "held": "waits: for an officer's yes, or for the end of quiet hours; the reason says which",
    "planned": "to be sent as soon as a dispatcher takes it",
    "claimed": "a dispatcher holds it under a lease; nothing has gone out",
    "sending": "an attempt is written down; the provider may or may not know of it",
    "unknown": "the answer was lost; the provider is asked, or its callback awaited, before any second try",
    "sent": "the provider has accepted it",
    "delivered": "the provider says that it has arrived",
    "failed": "it will not arrive; the reason says why",
    "suppressed": "it is not sent; the reason says why",
    "expired": "its time of use was over before it could be sent",
}

FINAL: frozenset[DeliveryState] = frozenset({"suppressed", "delivered", "failed", "expired"})
"""States that no step of ours leaves. A callback may still tell that an expired message had arrived after all."""


@dataclass(frozen=True)
class Step:
    """One way in which rows move.

    Attributes:
        name: what the code calls it.
        moves: from each state, to which ones.
        when: who takes it and when.
        where: the module that does it.
    """

    name: str
    moves: Mapping[DeliveryState, tuple[DeliveryState, ...]]
    when: str
    where: str


STEPS: tuple[Step, ...] = (
    Step(
        "release",
        {"held": ("planned", "held", "suppressed")},
        "the wait is over; what something later has made idle is suppressed, what is approved at night goes on waiting",
        "notifiers/holding.py, notifiers/approvals.py",
    ),
    Step(
        "withdraw",
        {"held": ("suppressed",), "planned": ("suppressed",)},
        "an officer says no, the recipient stops the channel, a newer notice or a correction replaces it, another "
        "channel stands in, or another rule has said it while it waited for a person",
        "notifiers/approvals.py, notifiers/withdrawal.py, notifiers/planner.py, notifiers/fallback.py, "
        "notifiers/beside.py",
    ),
    Step(
        "expire",
        {"held": ("expired",), "planned": ("expired",)},
        "`valid_until` has passed",
        "notifiers/upkeep.py, notifiers/holding.py",
    ),
    Step("claim", {"planned": ("claimed",)}, "a dispatcher takes due rows, under a new epoch", "notifiers/ledger.py"),
    Step(
        "last look",
        {"claimed": ("held", "suppressed")},
        "in the claim's transaction: not true, not new or not at this hour",
        "notifiers/last_look.py",
    ),
    Step(
        "begin",
        {"claimed": ("sending",)},
        "committed BEFORE the provider is called; refused when the lease is over, which else counts anew",
        "notifiers/ledger.py",
    ),
    Step(
        "enter data",
        {"sending": ("sending",)},
        "mail: committed before the body goes out, the first moment at which the server could accept it; "
        "the lease counts anew",
        "notifiers/ledger.py",
    ),
    Step(
        "settle",
        {
            "claimed": ("planned", "failed", "suppressed", "expired"),
            "sending": ("planned", "sent", "failed", "unknown"),
            "unknown": ("planned", "sent", "delivered", "failed", "unknown", "expired"),
        },
        "the outcome of an attempt or of a look-up, by the holder of the row's epoch",
        "notifiers/ledger.py",
    ),
    Step(
        "recover",
        {"claimed": ("planned",), "sending": ("planned", "unknown")},
        "the lease is over, or the dispatcher has started anew; what had reached the point of acceptance is unknown",
        "notifiers/upkeep.py",
    ),
    Step(
        "callback",
        {
            "held": ("sent", "delivered", "failed"),
            "planned": ("sent", "delivered", "failed"),
            "claimed": ("sent", "delivered", "failed"),
            "sending": ("sent", "delivered", "failed"),
            "unknown": ("sent", "delivered", "failed"),
            "expired": ("sent", "delivered", "failed"),
            "sent": ("delivered", "failed"),
        },
        "the provider says what became of it, maybe twice, out of order, or before its own answer to the call",
        "notifiers/callbacks.py",
    ),
    Step(
        "second try",
        {
            "planned": ("planned",),
            "claimed": ("planned",),
            "sending": ("planned",),
            "unknown": ("planned",),
            "sent": ("planned",),
        },
        "the provider says that it was not delivered, by a code that is not the end (30001, 30003, 30008), and the "
        "kind of notice asks for it; once",
        "notifiers/undelivered.py",
    ),
)

_BY_NAME = {step.name: step for step in STEPS}


def sources(step: str, target: DeliveryState) -> tuple[DeliveryState, ...]:
    """The states from which a step may move a row to ``target``. Raises ``KeyError`` for a step that is not there."""
    return tuple(state for state, targets in _BY_NAME[step].moves.items() if target in targets)


def allowed(source: DeliveryState, target: DeliveryState) -> bool:
    """Whether any step leads from one state to another."""
    return any(target in step.moves.get(source, ()) for step in STEPS)


def documentation() -> str:
    """``docs/ledger.md``."""
    states = "\n".join(f"| {state} | {meaning} | {_leading(state)} |" for state, meaning in MEANINGS.items())
    steps = "\n".join(f"| {step.name} | {_moves(step)} | {step.when} | `{_modules(step)}` |" for step in STEPS)
    return _PAGE.format(states=states, steps=steps)


def _leading(state: DeliveryState) -> str:
    return "end" if state in FINAL else ", ".join(step.name for step in STEPS if state in step.moves)


def _moves(step: Step) -> str:
    return "; ".join(f"{source} → {' · '.join(targets)}" for source, targets in step.moves.items())


def _modules(step: Step) -> str:
    return step.where.replace(", ", "`, `")


_PAGE = """\
# The ledger

One row per message: a notice, a recipient, a channel. Its id is made of these three (`rules.notices.delivery_id`), by
Python, SQLite and PostgreSQL alike, and is unique. This page is made from `notifiers/transitions.py`.

## States

| state | meaning | left by |
|---|---|---|
{states}

## Steps

| step | moves | when | where |
|---|---|---|---|
{steps}

## What is written when

1. **Fan-out** (`notifiers/planner.py`). A notice, then its rows by one INSERT … SELECT per channel and slice of the
   registry, each slice a transaction with how far it has come. The offset behind the notice is kept with the end. A
   crash goes on at the slice; the unique id makes a repeat harmless. On the local runtime all of it is part of the
   transaction of the step.
2. **Claim**: rows change hands under a lease and a new epoch; whoever holds an older epoch can no longer move them.
3. **Begin**: the attempt stands in `attempts` and the row is *sending*. Only then is the provider called.
4. **Answer**: the row is settled. A crash between 3 and 4 leaves it *sending*; once the lease is over, or the same
   dispatcher starts again, it is *unknown*.
5. **Unknown** rows are looked up at the provider (SMS: number, day and words; mail: Message-ID), or a callback names
   the delivery in its signed address. Found: settled. Surely absent: planned again. Nobody can tell: by kind of notice,
   advisories, bulletins and confirmation codes are left to an operator (at most once), requests, instructions and ends
   are sent again (at least once, a mail under the same Message-ID).
6. **Callbacks** move a row forward only, in whatever order and number they come. The one way back is the second try of
   what the provider could not deliver ([channels.md](channels.md#undelivered)): the message that ended is remembered by
   the provider's id, so that its echoes move nothing.

`airshed ledger audit` lists what has not come to its end in time; the same audit runs beside every dispatcher.
"""

if __name__ == "__main__":
    sys.stdout.write(documentation())
