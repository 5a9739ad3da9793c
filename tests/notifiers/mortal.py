"""A process that forks others on demand; each plans, sends and hears callbacks until it is done or dies as ordered.

``python -m tests.notifiers.mortal LISTENER_FD``: one order a line on standard input (:class:`Order`); answers with the
process id of the child, and when it has ended with :class:`Ended`. Forking spares the second that importing takes, so
that a thousand real deaths are affordable. The webhook's socket belongs to this process and outlives its children: a
provider that calls meanwhile waits in its queue, as behind a proxy.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from typing import Any

import msgspec
import twilio.rest.api.v2010.account.message  # noqa: F401 - imported late by the library, in every child else
import uvicorn
import uvicorn.lifespan.off
import uvicorn.loops.auto
import uvicorn.protocols.http.auto
from sqlalchemy import Engine, event

from console.app import ConsoleSettings, create_app
from notifiers.database import connect
from notifiers.facts import Addressee
from notifiers.failpoints import FailpointName, arm
from notifiers.lane import DispatchSettings
from notifiers.links import Links
from notifiers.pace import Backoff
from notifiers.planner import Progress, fan_out
from notifiers.renderer import Renderer
from notifiers.sandbox import AUTH_TOKEN, Addresses
from rules.notices import Notice
from tests.notifiers.samples import notice
from tests.notifiers.workplace import dispatching, email_channel, sms_channel

DIED = 77
LOOKUP_AFTER_S = 0.6
"""Longer than a request can lie in the sandbox's door (its ``delay_s`` is 0.1), as a real setting has to be."""

SETTINGS = DispatchSettings(
    lease_s=10.0,  # on a busy machine too; who dies comes back under the same name and takes its rows back at once
    poll_s=0.02,
    backoff=Backoff(first_s=0.02, longest_s=0.1),
    outage=Backoff(first_s=0.02, longest_s=0.1),
)


class Death(msgspec.Struct, frozen=True):
    """When to die: at the ``nth`` passing of a failpoint, or before or after the ``nth`` commit of a transaction that
    writes (``place`` is then ``before-commit`` or ``after-commit``)."""

    place: str
    nth: int


class Order(msgspec.Struct, frozen=True):
    """One life. Notices are planned first, each with its offset behind it."""

    url: str
    addresses: Addresses
    public_url: str
    notices: list[Notice]
    worker: str
    report: str
    death: Death | None = None


class Ended(msgspec.Struct, frozen=True):
    """How a life ended: exit status, or the negative signal number."""

    status: int


def doom(engine: Engine, death: Death, report: str) -> None:
    """Make the process end at the ordered place, writing down where that was; nothing is flushed or closed."""
    lock, passed = threading.Lock(), 0

    def die(where: str) -> None:
        with open(report, "a", encoding="utf-8") as file:  # noqa: PTH123 - the last thing this process does
            file.write(f"{where}\n")
        os._exit(DIED)

    def counted(where: str) -> None:
        nonlocal passed
        with lock:
            passed += 1
            if passed == death.nth:
                die(where)

    if death.place.endswith("-commit"):
        _doom_commits(engine, death.place, counted)
        return

    def at_failpoint(name: FailpointName) -> None:
        if name == death.place:
            counted(name)

    arm(at_failpoint)


def _doom_commits(engine: Engine, place: str, counted: Any) -> None:
    local, original = threading.local(), engine.dialect.do_commit

    @event.listens_for(engine, "commit")
    def remember(connection: Any) -> None:
        local.writes = not connection.get_execution_options().get("airshed_readonly", False)

    def commit(connection: Any) -> None:
        if local.writes and place == "before-commit":
            counted(f"{place} of {_whose(sys._getframe(1))}")
        original(connection)
        if local.writes and place == "after-commit":
            counted(f"{place} of {_whose(sys._getframe(1))}")

    engine.dialect.do_commit = commit  # type: ignore[method-assign]


def _whose(frame: Any) -> str:
    """What a commit belongs to: the pieces of work of the shared writer, or the function that opened it."""
    while frame is not None:
        name = frame.f_code.co_name
        if "batch" in frame.f_locals and name == "_commit":
            works = {getattr(work, "__qualname__", type(work).__name__) for work, _ in frame.f_locals["batch"]}
            return "+".join(sorted(work.replace(".<locals>.<lambda>", "") for work in works))
        if name in ("fan_out", "_transaction", "_run_in_transaction", "in_transaction"):
            return str(name)
        if "console/webhooks" in frame.f_code.co_filename:
            return "callback"
        frame = frame.f_back
    return "elsewhere"


def _pages(engine: Engine, public_url: str) -> ConsoleSettings:
    return ConsoleSettings(engine=engine, links=_links(public_url), sms_auth_token=AUTH_TOKEN)


def _links(public_url: str) -> Links:
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
    engine = connect(order.url)
    if order.death is not None:
        doom(engine, order.death, order.report)
    links = _links(order.public_url)
    app.state.settings = _pages(engine, order.public_url)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    for offset, planned in enumerate(order.notices, start=1):
        progress = Progress("dispatch", "notices", 0, offset)
        await asyncio.to_thread(fan_out, engine, planned, progress=progress, chunk=2)
    channels = [
        sms_channel(order.addresses, links, status_callbacks=True, lookup_after_s=LOOKUP_AFTER_S),
        email_channel(order.addresses, lookup_after_s=LOOKUP_AFTER_S),
    ]
    async with dispatching(
        engine, channels, links=links, settings=SETTINGS, worker=order.worker, renderer=renderer
    ) as dispatcher:
        left = await dispatcher.drain(20)
    await asyncio.sleep(0.03)  # a callback or two more
    serving.cancel()
    return 1 if any(left.values()) else 0


def main() -> int:
    """Fork a child for every order."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    listener.setblocking(False)
    app, renderer = create_app(_pages(connect("sqlite://"), "http://127.0.0.1")), _warm_renderer()
    decode = msgspec.json.Decoder(Order).decode
    for line in sys.stdin.buffer:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                order = decode(line)
                log = os.open(f"{order.report}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(log, 1)  # what it logs is no answer
                status = asyncio.run(live(order, listener, app, renderer))
            finally:
                os._exit(status)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(msgspec.json.encode(Ended(os.waitstatus_to_exitcode(status))).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
