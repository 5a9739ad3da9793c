"""What watches over sending while a service runs: the auditor of the ledger, and the heartbeat to the outside."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from sqlalchemy import Engine

from airshed.channels import channel_names
from airshed.configuration import Configuration
from notifiers.auditor import Auditor, Patience
from notifiers.dispatcher import Dispatcher
from notifiers.heartbeat import Heartbeat, calling
from notifiers.told import Caps

_STUCK_S = 120.0
"""A dispatcher comes round within its poll, or half a minute when the database is away; this is four times that."""


def patience_of(settings: Configuration) -> Patience:
    """How long things may take in this installation."""
    audit = settings.audit
    return Patience(
        waiting_s=audit.waiting_s,
        unknown_s=audit.unknown_s,
        fan_out_s=audit.fan_out_s,
        silent_s=audit.silent_s if settings.sms.status_callbacks else float("inf"),
    )


def caps_of(settings: Configuration) -> Caps:
    """How many messages one person may get in this installation."""
    return Caps(settings.audience.per_episode, settings.audience.reminder_after_h)


async def watch(engine: Engine, settings: Configuration, dispatcher: Dispatcher[Any], stop: asyncio.Event) -> None:
    """Audit and beat until ``stop`` is set."""
    auditor = Auditor(
        engine, every_s=settings.audit.every_s, patience=patience_of(settings), channels=channel_names(settings)
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(auditor.run(stop))
        if settings.heartbeat.url is not None:
            call = calling(settings.heartbeat.url.reveal())
            beat = Heartbeat(
                call,
                lambda: problem_of(auditor, dispatcher),
                settings.heartbeat.every_s,
                status=lambda: "stopped" if auditor.stopped else "sending",
            )
            group.create_task(beat.run(stop))


def problem_of(auditor: Auditor, dispatcher: Dispatcher[Any], now_s: float | None = None) -> str:
    """Why no heartbeat may leave: empty when messages are being sent, or would be if nobody had stopped them, and none
    is late for want of a dispatcher. A channel that is not configured is the operators' to hear of, not a standstill.
    """
    silent_s = (time.monotonic() if now_s is None else now_s) - dispatcher.alive_s
    if silent_s > _STUCK_S:
        return f"the dispatcher has not come round for {silent_s:.0f} s"
    late = [finding for finding in auditor.findings if finding.problem in ("waiting", "beyond-lease", "unfinished")]
    return late[0].says if late else ""
