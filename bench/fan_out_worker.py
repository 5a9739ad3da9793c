"""Run as a process: ``plan URL`` plans one notice; ``send URL PROVIDER NAME`` sends what is planned until SIGTERM."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace
from sqlalchemy import Engine, text

from bench.residents import PROVINCES, VAULT
from notifiers.channels.sms import SmsChannel, SmsSettings
from notifiers.composer import Composer
from notifiers.database import connect
from notifiers.dispatcher import Dispatcher
from notifiers.links import Links
from notifiers.messages import ExerciseMessage
from notifiers.planner import fan_out
from notifiers.sandbox import ACCOUNT_SID, AUTH_TOKEN
from notifiers.settings import DispatchSettings
from rules.notices import ExerciseNotice
from streams.clock import SystemClock
from tests.notifiers.samples import notice

CONCURRENCY = 32
_CLOCK_TICKS = 100


def warning() -> ExerciseNotice:
    """A notice of the highest level, which holds in every province, to their residents, fresh: everybody is told."""
    now = datetime.now(UTC).replace(microsecond=0)
    made = notice(provinces=list(PROVINCES), level=3, time=now, valid_until=now + timedelta(hours=24))
    assert isinstance(made, ExerciseNotice)
    here = made.provinces[0]
    everywhere = [replace(here, code=code, names={"vi": name, "en": name}) for code, name in PROVINCES.items()]
    return replace(made, provinces=everywhere)


def plan(url: str) -> dict[str, float]:
    """Plan it; seconds, CPU seconds of the database's process, rows, and this process's memory before and after."""
    engine = connect(url)
    before_mb, database = _memory_mb(), _backend_cpu_s(engine)
    started = time.perf_counter()
    rows = fan_out(engine, warning())
    seconds = time.perf_counter() - started
    return {
        "rows": rows,
        "seconds": seconds,
        "database_cpu_s": _backend_cpu_s(engine) - database,
        "memory_before_mb": before_mb,
        "memory_peak_mb": _memory_mb(),
    }


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _backend_cpu_s(engine: Engine) -> float:
    """CPU time of the one connection's server process (the pool has no other)."""
    with engine.connect() as connection:
        process = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS


async def send(url: str, provider: str, name: str) -> None:
    """Send until SIGTERM; what is under way then is finished."""
    links = Links(["a signing secret for measurements"], "http://127.0.0.1:9")
    settings = SmsSettings(
        base_url=provider,
        account_sid=ACCOUNT_SID,
        auth_token=AUTH_TOKEN,
        sender="AIRSHED",
        status_callbacks=False,
        concurrency=CONCURRENCY,
        lookup_after_s=5.0,
        timeout_s=30.0,
    )
    engine, stop = connect(url), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    dispatcher: Dispatcher[ExerciseMessage] = Dispatcher(
        engine,
        [SmsChannel(ExerciseMessage, settings, links)],
        Composer(engine, VAULT, links),
        accepts=ExerciseMessage,
        clock=SystemClock(),
        worker=name,
        settings=DispatchSettings(guard=None),
    )
    await dispatcher.run(stop)
    await dispatcher.close()


if __name__ == "__main__":
    if sys.argv[1] == "plan":
        print(json.dumps(plan(sys.argv[2])))
    else:
        asyncio.run(send(*sys.argv[2:5]))
