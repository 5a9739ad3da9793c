"""What must hold when a run of deaths is over: counted at the provider, and in the ledger."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, select, update

from notifiers.auditor import Patience, audit
from notifiers.database import reading
from notifiers.sandbox import Sandbox
from notifiers.tables import attempts, ledger, notices
from tests.notifiers.crash_tally import Tally
from tests.notifiers.samples import number

PLANTS = 1


@dataclass
class Outcome:
    """A run that is over. ``told``: how many notices there were: an advisory, a request, and maybe the end."""

    seed: int
    engine: Engine
    sandbox: Sandbox
    told: int
    people: int

    def judge(self, tally: Tally) -> None:
        """Check everything, and count it."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(ledger)).all()
            tries = connection.execute(select(attempts)).all()
        refused = set(self.sandbox.phone.faults.refused)
        self._everybody_once(refused)
        self._rows_agree(rows, refused)
        self._nothing_guessed(rows, tries)
        tally.runs += 1
        tally.messages += len(self.sandbox.phone.messages) + len(self.sandbox.mailbox.mails)
        tally.undeliverable += len(refused)
        tally.silent += self._silent_are_named(rows)

    def _everybody_once(self, refused: set[str]) -> None:
        """At the provider: who is to be told what, whatever the ledger says."""
        held = Counter((sms.to, sms.body) for sms in self.sandbox.phone.messages.values())
        held.update((mail.to, mail.message_id) for mail in self.sandbox.mailbox.mails)
        twice = {key: times for key, times in held.items() if times > 1}
        assert not twice, f"seed {self.seed}: sent twice: {twice}"
        wanted: Counter[str] = Counter()
        for index in range(self.people):
            wanted[f"person{index}@example.org"] = self.told - 1  # mail goes on when the number is refused
            wanted[number(index)] = 0 if number(index) in refused else self.told - 1
        for index in range(PLANTS):
            wanted[f"plant{index}@example.org"] = wanted[number(900_000 + index)] = 1
        got = Counter(to for to, _ in held)
        assert got == +wanted, f"seed {self.seed}: missing {wanted - got}, too many {got - wanted}"

    def _rows_agree(self, rows: list[Any], refused: set[str]) -> None:
        states = Counter(row.state for row in rows)
        expected = 2 * (self.people * (self.told - 1) + PLANTS)
        silenced = len(refused) if self.told == 3 else 0  # the end goes to those who were warned
        assert len(rows) == expected, f"seed {self.seed}: {len(rows)} rows"
        assert states["failed"] == len(refused), f"seed {self.seed}: {states}"
        assert states["suppressed"] == silenced, f"seed {self.seed}: {states}"
        sent = states["sent"] + states["delivered"]
        assert sent == expected - len(refused) - silenced, f"seed {self.seed}: {states}"

    def _nothing_guessed(self, rows: list[Any], tries: list[Any]) -> None:
        """Every message is tied to the provider's own copy of it, and no attempt is left whose end nobody knows."""
        for row in rows:
            if row.state not in ("sent", "delivered"):
                continue
            if row.channel == "sms":
                there = row.provider_id in self.sandbox.phone.messages
            else:
                there = self.sandbox.mailbox.find(row.provider_id) is not None
            assert there, f"seed {self.seed}: {row.id} is {row.state} as {row.provider_id!r}, which nobody holds"
            assert row.reason not in ("resend", "unknowable"), f"seed {self.seed}: {row.id}: {row.reason}"
        held = [row.provider_id for row in rows if row.provider_id]
        assert len(set(held)) == len(held), f"seed {self.seed}: one message stands for two rows"
        open_ones = [(one.delivery, one.number) for one in tries if one.outcome in ("", "unknown")]
        assert not open_ones, f"seed {self.seed}: attempts without an end: {open_ones}"

    def _silent_are_named(self, rows: list[Any]) -> int:
        """Messages whose last callback was lost: in ten hours the audit names each, and nothing else."""
        silent = [row for row in rows if row.channel == "sms" and row.state == "sent"]
        with self.engine.begin() as connection:
            connection.execute(update(notices).values(time_s=int(time.time())))  # the audit is of these days
            found = audit(connection, time.time() + Patience().silent_s + 60.0)
        named = {finding.notice: finding.number for finding in found}
        assert all(finding.problem == "silent" for finding in found), f"seed {self.seed}: {found}"
        assert named == Counter(row.notice for row in silent), f"seed {self.seed}: {found}"
        return len(silent)
