"""Random histories of dispatchers, crashes and callbacks: every move stands in the table, and none goes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import delete, insert, select

from notifiers import ledger as machine
from notifiers.callbacks import STATE_OF_STATUS, Heard, apply_status
from notifiers.database import connect, upgrade
from notifiers.deliveries import DeliveryState
from notifiers.holding import Held, release
from notifiers.ledger import Claimed
from notifiers.moves import Moved
from notifiers.tables import attempts, heard, ledger, notices
from notifiers.transitions import FINAL, MEANINGS, STEPS, allowed, documentation, sources
from notifiers.upkeep import expire, recover

DOCS = Path(__file__).parents[2] / "docs"
ROWS = ("d0", "d1", "d2")
WORKERS = ("w1", "w2")
LEASE_S, LOOKUP_AFTER_S = 20.0, 5.0
_ENGINE = connect("sqlite://")
upgrade(_ENGINE)


def test_the_page_is_what_the_table_says() -> None:
    """Mend with: ``python -m notifiers.transitions > docs/ledger.md``."""
    assert (DOCS / "ledger.md").read_text(encoding="utf-8") == documentation()


def test_every_state_is_described_and_reached_and_left_unless_it_is_an_end() -> None:
    assert set(MEANINGS) == set(get_args(DeliveryState))
    reached = {target for step in STEPS for targets in step.moves.values() for target in targets}
    assert reached | {"planned", "held"} == set(MEANINGS)
    left = {state for step in STEPS if step.name not in ("callback", "second try") for state in step.moves}
    assert left == set(MEANINGS) - FINAL - {"sent"}


def test_a_callback_never_leads_back() -> None:
    order = {"sent": 1, "delivered": 2, "failed": 2}
    for target in ("sent", "delivered", "failed"):
        assert all(order.get(source, 0) < order[target] for source in sources("callback", target))  # type: ignore[arg-type]


class Histories(RuleBasedStateMachine):
    """Two dispatchers that may be paused or die, a provider that says anything in any order, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1_000.0
        self.hands: list[tuple[str, Claimed]] = []
        self.before: dict[str, str] = {}
        self.proven: dict[str, str] = {}

    @initialize(
        states=st.tuples(*[st.sampled_from(("planned", "held"))] * 3),
        until=st.sampled_from((1_030, 10_000)),
    )
    def plan(self, states: tuple[str, ...], until: int) -> None:
        with _ENGINE.begin() as connection:
            for table in (ledger, attempts, notices, heard):
                connection.execute(delete(table))
            for number, (name, state) in enumerate(zip(ROWS, states, strict=True)):
                held = Held.QUIET_HOURS.value if state == "held" else "planned"
                connection.execute(insert(ledger).values(_row(name, number, state, held, until)))
        self.before = self._states()

    @rule(worker=st.sampled_from(WORKERS), limit=st.integers(1, 3))
    def claim(self, worker: str, limit: int) -> None:
        self._claim(machine.claim, worker, limit)

    @rule(worker=st.sampled_from(WORKERS), limit=st.integers(1, 3))
    def claim_unknown(self, worker: str, limit: int) -> None:
        self._claim(machine.claim_unknown, worker, limit)

    def _claim(self, claimed: Any, worker: str, limit: int) -> None:
        with _ENGINE.begin() as connection:
            rows = claimed(
                connection,
                mode="exercise",
                channel="sms",
                limit=limit,
                worker=worker,
                lease_s=LEASE_S,
                machine_s=self.now_s,
            )
        self.hands += [(worker, row) for row in rows]

    @rule(data=st.data(), phase=st.sampled_from(("request", "connect")))
    def begin(self, data: st.DataObject, phase: Any) -> None:
        if self.hands:
            worker, row = data.draw(st.sampled_from(self.hands))
            with _ENGINE.begin() as connection:
                machine.begin(connection, row, worker, phase, self.now_s)

    @rule(data=st.data())
    def enter_data(self, data: st.DataObject) -> None:
        if self.hands:
            _, row = data.draw(st.sampled_from(self.hands))
            with _ENGINE.begin() as connection:
                machine.enter_data(connection, row)

    @rule(
        data=st.data(),
        outcome=st.sampled_from(
            (
                ("sent", "accepted"),
                ("failed", "30007"),
                ("unknown", "no-answer"),
                ("planned", "429"),
                ("planned", "absent"),
            )
        ),
    )
    def settle(self, data: st.DataObject, outcome: Any) -> None:
        if self.hands:
            _, row = data.draw(st.sampled_from(self.hands))
            state, reason = outcome
            provider = {"provider_id": f"SM-{row.id}"} if state == "sent" else {}
            with _ENGINE.begin() as connection:
                machine.settle(connection, row, state, reason, self.now_s, due_s=self.now_s, **provider)  # type: ignore[arg-type]

    @rule(name=st.sampled_from(ROWS), status=st.sampled_from(sorted(STATE_OF_STATUS)), times=st.integers(1, 3))
    def call_back(self, name: str, status: str, times: int) -> None:
        for _ in range(times):
            before = self._rows()[name]
            with _ENGINE.begin() as connection:
                said = apply_status(connection, name, f"SM-{name}", status)
            now = self._rows()[name]
            if said is Moved.APPLIED:
                assert before["state"] in sources("callback", now["state"])
                self.proven[name] = now["state"]
                self._check()
            else:
                assert now == before, f"{said}: the row stands still"

    @rule(name=st.sampled_from(ROWS), code=st.sampled_from(("30001", "30003", "30005", "30008")))
    def call_back_undelivered(self, name: str, code: str) -> None:
        before = self._rows()[name]
        known = before["provider_id"] or f"SM-{name}"
        with _ENGINE.begin() as connection:
            said = apply_status(connection, name, known, "undelivered", code, now_s=self.now_s)
        now = self._rows()[name]
        if said is Heard.TRIES_AGAIN:
            assert (code, now["state"]) == ("30001", "planned")
            assert before["state"] in sources("second try", "planned")
            self.proven.pop(name, None)
        elif said is Moved.APPLIED:
            assert now["state"] == "failed"
            self.proven[name] = now["state"]
        else:
            assert now == before, f"{said}: the row stands still"
        self._check()

    @rule(worker=st.sampled_from((*WORKERS, None)))
    def recover(self, worker: str | None) -> None:
        with _ENGINE.begin() as connection:
            recover(connection, worker, self.now_s, LOOKUP_AFTER_S)

    @rule(seconds=st.sampled_from((0.5, 6.0, 21.0)))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def expire(self) -> None:
        with _ENGINE.begin() as connection:
            expire(connection, "exercise", self.now_s)

    @rule()
    def release(self) -> None:
        with _ENGINE.begin() as connection:
            release(connection, "exercise", self.now_s)

    @invariant()
    def every_move_stands_in_the_table(self) -> None:
        if self.before:
            self._check()

    def _check(self) -> None:
        """Moves of one step each; what the provider has proven is never taken back."""
        now = self._states()
        for name, state in now.items():
            before = self.before[name]
            assert state == before or allowed(before, state), f"{name}: {before} → {state}"  # type: ignore[arg-type]
            proven = self.proven.get(name)
            assert proven is None or state in (proven, "delivered", "failed"), f"{name}: {proven}, then {state}"
        self.before = now

    def _states(self) -> dict[str, str]:
        return {name: row["state"] for name, row in self._rows().items()}

    def _rows(self) -> dict[str, dict[str, Any]]:
        with _ENGINE.begin() as connection:
            return {row["id"]: dict(row) for row in connection.execute(select(ledger)).mappings()}


def _row(name: str, number: int, state: str, reason: str, until: int) -> dict[str, Any]:
    return {
        "id": name,
        "notice": f"n{number}",
        "mode": "exercise",
        "episode": "e",
        "kind": "advisory",
        "registry": "residents",
        "recipient": f"p{number}",
        "channel": "sms",
        "language": "vi",
        "state": state,
        "reason": reason,
        "phase": "",
        "parts": 0,
        "priority": 5,
        "notice_time_s": 1_000,
        "valid_until_s": until,
        "due_s": 0.0,
        "attempts": 0,
        "worker": "",
        "epoch": 0,
        "lease_until_s": 0.0,
        "revision": 0,
        "published": 0,
        "hold_until_s": 1_010,
    }


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
