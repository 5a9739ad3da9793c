"""The duty officer of the plant in a run: reads its SMS, takes its calls, and answers on the page or by a digit."""

from __future__ import annotations

import re

import aiohttp

from notifiers.acknowledgements import Answer
from notifiers.sandbox import Sandbox
from notifiers.speech import ACKNOWLEDGING_DIGIT
from tests.notifiers.crash_scenarios import Scenario

_LINK = re.compile(r"http://\S+/a/\S+")
_PATIENCE_S = 5.0


class Plant:
    """Does what the scenario says, however often the page is away. ``told``: answers that were taken."""

    def __init__(self, scenario: Scenario, sandbox: Sandbox, number: str) -> None:
        self._scenario, self._sandbox, self._number = scenario, sandbox, number
        self._read_by_then = 0
        self.told: list[Answer] = []
        sandbox.switchboard.digits = {number: ACKNOWLEDGING_DIGIT} if scenario.answer == "digit" else {}

    async def act(self, minute: int) -> None:
        """Give the answer that is due. Raises ``aiohttp.ClientError`` when nobody is there to take it."""
        for answer in self._due(minute):
            await self._say(answer)
            self.told.append(answer)
            self._read_by_then = len(self._messages())

    def _due(self, minute: int) -> list[Answer]:
        answer = self._scenario.answer
        if not answer or "done" in self.told:
            return []
        if answer == "digit":
            pressed = any(call.digit for call in self._sandbox.switchboard.calls.values())
            self._read_by_then = self._read_by_then if pressed else len(self._messages())
            return ["done"] if pressed and self._is_asked_again() else []
        if answer not in self.told:
            return [answer] if minute >= self._scenario.answer_min else []
        return ["done"] if answer == "accepted" and self._is_asked_again() else []

    def _is_asked_again(self) -> bool:
        return len(self._messages()) > self._read_by_then

    async def _say(self, answer: Answer) -> None:
        found = _LINK.search(self._messages()[-1])
        assert found is not None, "a request without a link to answer it"
        form = {"answer": answer, "reason": "the kiln cannot be slowed" if answer == "refused" else ""}
        patience = aiohttp.ClientTimeout(total=_PATIENCE_S)
        async with (
            aiohttp.ClientSession(timeout=patience) as session,
            session.post(found[0], data=form) as page,
        ):
            assert page.status == 200, f"{answer} was not taken: {page.status}"

    def _messages(self) -> list[str]:
        return [sms.body for sms in self._sandbox.phone.messages.values() if sms.to == self._number]
