"""A process that forks others on demand; each plans, sends and hears callbacks until it is done or dies as ordered.

``python -m tests.notifiers.mortal LISTENER_FD``: one order a line on standard input (:class:`Order`); answers with the
process id of the child, and when it has ended with :class:`Ended`. Forking spares the second that importing takes, so
that a thousand real deaths are affordable. The webhook's socket belongs to this process and outlives its children: a
provider that calls meanwhile waits in its queue, or has called in vain (``forgetful``), as with either kind of proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec
import twilio.rest.api.v2010.account.message  # noqa: F401 - imported late by the library, in every child else
import uvicorn
import uvicorn.lifespan.off
import uvicorn.loops.auto
import uvicorn.protocols.http.auto
from sqlalchemy import Engine

from console.app import ConsoleSettings, create_app
from notifiers.database import connect
from notifiers.facts import Addressee
from notifiers.lane import DispatchSettings
from notifiers.links import Links
from notifiers.pace import Backoff
from notifiers.planner import Progress, fan_out
from notifiers.renderer import Renderer
from notifiers.sandbox import AUTH_TOKEN, Addresses
from notifiers.undelivered import SecondTries
from rules.notices import Notice
from streams.clock import Clock, SystemClock
from tests.notifiers.crash_clock import CommonClock
from tests.notifiers.crash_scenarios import PLAN
from tests.notifiers.deaths import Death, doom
from tests.notifiers.samples import notice
from tests.notifiers.workplace import dispatching, email_channel, sms_channel, voice_channel

TIMEOUT_S = 0.5
"""Of a request. What the sandbox answers later than that is a lost answer."""
LOOKUP_AFTER_S = 0.9
"""Longer than a request can lie in the sandbox's door (at most 0.7 s), as a real setting has to be."""

DEFECT = 70
"""Exit status of a process that ended by an exception; what it was is in its log."""

AGAIN_AFTER_S = 0.05

SETTINGS = DispatchSettings(
    poll_s=0.02,
    backoff=Backoff(first_s=0.02, longest_s=0.1),
    outage=Backoff(first_s=0.02, longest_s=0.1),
    fallback_after_s=0.08,
    again_after_s=AGAIN_AFTER_S,
)


class Order(msgspec.Struct, frozen=True):
    """One life. Notices are planned first, each with its offset behind it.

    Attributes:
        log: file that the process's log is added to.
        clock: file of the clock common to all processes.
        follows_up: whether requests are followed up.
        waits_for_time: whether it lives on until the clock is over.
        lease_s: of claimed rows. Who comes back under the same name takes its rows back at once.
        patience_s: how long to look for something to do when nothing more is done.
        listen_s: how long to hear callbacks when everything is done.
        forgetful: callbacks that came while nobody lived are lost; otherwise they wait for the next life.
    """

    url: str
    addresses: Addresses
    public_url: str
    notices: list[Notice]
    worker: str
    log: str
    clock: str
    follows_up: bool = False
    waits_for_time: bool = True
    lease_s: float = 10.0
    patience_s: float = 20.0
    listen_s: float = 0.03
    forgetful: bool = False
    death: Death | None = None


class Ended(msgspec.Struct, frozen=True):
    """How a life ended: exit status, or the negative signal number."""

    status: int


def _pages(engine: Engine, public_url: str, clock: Clock) -> ConsoleSettings:
    return ConsoleSettings(
        engine=engine,
        links=links_of(public_url),
        sms_auth_token=AUTH_TOKEN,
        clock=clock,
        second_tries=SecondTries(again_after_s=AGAIN_AFTER_S),
    )


def links_of(public_url: str) -> Links:
    return Links(["a signing secret for tests"], public_url)


def _warm_renderer() -> Renderer:
    """One whose templates are compiled, so that children need not do it."""
    renderer = Renderer()
    for kind, province, facility in (("advisory", "01", ""), ("all-clear", "01", ""), ("request", "01", "F")):
        for language in ("vi", "en"):
            one = notice(kind, recipients="facilities" if facility else "residents")
            addressee = Addressee(contact="", province=province, facility=facility)
            renderer.sms(one, language, addressee, "http://127.0.0.1/a/x")
            renderer.letter(one, language, addressee, "http://127.0.0.1/a/x")
    return renderer


async def live(order: Order, listener: socket.socket, app: Any, renderer: Renderer) -> int:
    """Plan, send and listen. 0 when nothing is left to send or to look up."""
    engine, clock = connect(order.url), CommonClock(Path(order.clock))
    if order.death is not None:
        doom(engine, order.death)
    links = links_of(order.public_url)
    app.state.settings = _pages(engine, order.public_url, clock)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    for offset, planned in enumerate(order.notices, start=1):
        progress = Progress("dispatch", "notices", 0, offset)
        await asyncio.to_thread(fan_out, engine, planned, progress=progress, chunk=2)
    waits = {"timeout_s": TIMEOUT_S, "lookup_after_s": LOOKUP_AFTER_S}
    channels: list[Any] = [
        sms_channel(order.addresses, links, status_callbacks=True, **waits),
        email_channel(order.addresses, **waits),
    ]
    settings = dataclasses.replace(SETTINGS, lease_s=order.lease_s)
    if order.follows_up:
        channels.append(voice_channel(order.addresses, links, **waits))
        settings = dataclasses.replace(settings, escalations=(PLAN,))
    async with dispatching(
        engine, channels, links=links, settings=settings, worker=order.worker, renderer=renderer, clock=clock
    ) as dispatcher:
        left = await dispatcher.drain(order.patience_s)
        while order.waits_for_time and not clock.over and not any(left.values()):
            clock.all_is_done(yes=True)
            await clock.moved()
            left = await dispatcher.drain(order.patience_s)
    await asyncio.sleep(order.listen_s)
    serving.cancel()
    return 1 if any(left.values()) else 0


def _hang_up(listener: socket.socket) -> None:
    """End the connections of those who called while nobody lived, without an answer."""
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()


def main() -> int:
    """Fork a child for every order."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    listener.setblocking(False)
    app, renderer = create_app(_pages(connect("sqlite://"), "http://127.0.0.1", SystemClock())), _warm_renderer()
    decode = msgspec.json.Decoder(Order).decode
    for line in sys.stdin.buffer:
        order = decode(line)
        if order.forgetful:
            _hang_up(listener)
        child = os.fork()
        if child == 0:
            status = DEFECT
            try:
                log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(log, 1)  # what it logs is no answer
                os.dup2(log, 2)
                status = asyncio.run(live(order, listener, app, renderer))
            except BaseException:
                traceback.print_exc()
                raise
            finally:
                os._exit(status)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(msgspec.json.encode(Ended(os.waitstatus_to_exitcode(status))).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
