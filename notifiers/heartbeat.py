"""A sign of life that leaves the system: as long as it comes, messages are being sent; silence is an alarm elsewhere.

Whoever watches (a service for dead man's switches, another centre) is called by HTTP at a steady beat, and only while
all is well. A dispatcher that is stuck, a database that is away, a machine without power all look the same from there.

A deliberate stop is well: it beats on and says so (header ``Airshed-Status``, ``User-Agent``). Whoever stopped sending
must not be woken by it, and a machine that breaks meanwhile must not go unnoticed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import structlog

from streams.metrics import HEARTBEATS

_log = structlog.get_logger(__name__)
_TIMEOUT_S = 10.0

Call = Callable[[str], Awaitable[None]]
"""Calls whoever watches with a status, one word; raises when that cannot be done."""


class Heartbeat:
    """Beats while ``problem()`` says nothing.

    Args:
        call: one beat; see :func:`calling`.
        problem: empty when all is well, else what is wrong; must return at once.
        status: what the beat says: ``sending`` or ``stopped``.
        every_s: a third of the time after which the watcher is to raise the alarm, so that one lost beat is none.
    """

    def __init__(
        self,
        call: Call,
        problem: Callable[[], str],
        every_s: float = 60.0,
        *,
        status: Callable[[], str] = lambda: "sending",
    ) -> None:
        self._call, self._problem, self._every_s, self._status = call, problem, every_s, status

    async def run(self, stop: asyncio.Event) -> None:
        """Beat until ``stop`` is set. Nothing that goes wrong here gets out."""
        while not stop.is_set():
            HEARTBEATS.labels(await self.beat()).inc()
            try:
                await asyncio.wait_for(stop.wait(), self._every_s)
            except TimeoutError:
                continue

    async def beat(self) -> str:
        """One beat. Returns ``sent``, ``withheld`` (something is wrong here) or ``failed`` (nobody could be called)."""
        if problem := self._problem():
            _log.warning("heartbeat withheld", problem=problem)
            return "withheld"
        try:
            await self._call(self._status())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # the address may hold a token: it is not logged, nor is the library's text, which repeats it
            _log.warning("heartbeat failed", error=type(error).__name__, remedy="check heartbeat.url and the network")
            return "failed"
        return "sent"


def calling(url: str) -> Call:
    """Calls a URL with GET. A redirect or an answer other than 2xx counts as failed."""

    async def call(status: str) -> None:
        said = {"Airshed-Status": status, "User-Agent": f"airshed ({status})"}
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, allow_redirects=False, headers=said) as answer,
        ):
            if not 200 <= answer.status < 300:
                raise aiohttp.ClientError(f"HTTP {answer.status}")

    return call
