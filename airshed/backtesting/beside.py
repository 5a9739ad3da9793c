"""The first half of a long back-test in a process of its own, beside the one that judges.

Both run the code of ``feed``; only where it runs differs. Steps come through a pipe, a day of them at a time, with
what provinces are judged by and nothing else: while one day is judged, a few wait here and one there, so that neither
process waits for the other's slowest step, and memory stays flat.

Errors of the other process are raised in this one. It ignores Ctrl-C, which a terminal sends to both: this one hears
it, and ends the other.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from airshed.backtesting.feed import Handed, Lane, Seen, feed
from airshed.backtesting.recording import WHOLE_BYTES, Recording
from streams.index_batches import IndexBatch
from streams.indices import STANDARDS
from streams.screening import Limits

STEPS = 24
"""Steps in a message: 0.6 MB with 700 stations. With single steps every pause of one side would stop the other."""

AHEAD = 4
"""Messages that wait here. A new piece of the recording takes as long as judging several of them."""


@dataclass(frozen=True)
class _Order:
    """What the other process is to do: the arguments of ``feed``."""

    path: Path
    lanes: list[Lane]
    limits: Limits | None


@dataclass(frozen=True)
class _Message:
    """What comes through the pipe. ``shares``: of the recording, as ``Recording.advanced`` hears them."""

    items: list[Handed | Seen]
    shares: list[float]
    error: Exception | None = None
    finished: bool = False


def worth_a_process(recording: Recording) -> bool:
    """Whether there is a core for it, and more to do than a process needs to start (about a second)."""
    return _cores() > 1 and recording.size() > WHOLE_BYTES


def beside(recording: Recording, lanes: Sequence[Lane], limits: Limits | None = None) -> Generator[Handed | Seen]:
    """What ``feed`` yields, made in another process.

    Raises:
        Exception: what it raised there.
        RuntimeError: when the other process was ended from outside.
    """
    with _process(_Order(recording.path, list(lanes), limits)) as process, _ahead(process, _known(lanes)) as messages:
        while True:
            message = next(messages)
            for share in message.shares:
                recording.advanced(share)
            yield from message.items
            if message.error is not None:
                raise message.error
            if message.finished:
                return


@contextmanager
def _process(order: _Order) -> Iterator[subprocess.Popen[bytes]]:
    # A new interpreter, not a fork: polars has threads by now, and a fork takes their locks along but not the threads.
    # Not ``multiprocessing`` either: it runs the main program once more, and waits for ever where that fails.
    with _without_interrupts():  # inherited: from its first moment on the other process ignores Ctrl-C
        process = subprocess.Popen([sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    try:
        with suppress(BrokenPipeError), process.stdin as orders:  # a process that has ended is met when it is read
            pickle.dump(order, orders)
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _ahead(process: subprocess.Popen[bytes], known: Sequence[Any]) -> Iterator[Iterator[_Message]]:
    """The messages of a process, some of them read while one is worked on."""
    assert process.stdout is not None
    file: BinaryIO = process.stdout  # type: ignore[assignment]  # a buffered reader

    def messages() -> Iterator[_Message]:
        waiting = deque(reader.submit(_read, file, known) for _ in range(AHEAD))
        while True:
            try:
                message = waiting.popleft().result()
            except (EOFError, pickle.UnpicklingError):
                raise RuntimeError(
                    f"the process that reads the recording was ended from outside (exit code {process.wait()}); "
                    "is there enough memory?"
                ) from None
            if not message.finished:
                waiting.append(reader.submit(_read, file, known))
            yield message

    reader = ThreadPoolExecutor(1, "beside")
    try:
        yield messages()
    finally:
        process.terminate()  # so that the pipe ends, and with it the reading
        reader.shutdown()
        file.close()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears of Ctrl-C, and only it may say what happens then
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_PROGRAM = "from airshed.backtesting.beside import work; work()"


def work() -> None:
    """What the other process does: an order in, messages out, with its standard streams as pipes."""
    order: _Order = pickle.load(sys.stdin.buffer)
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anybody prints must not get between the messages
    known = _known(order.lanes)
    shares: list[float] = []
    items: list[Handed | Seen] = []

    def send(error: Exception | None = None, *, finished: bool = False) -> None:
        _Pickler(out, known).dump(_Message(items, shares, error, finished))
        out.flush()
        items.clear()
        shares.clear()

    try:
        for item in feed(Recording(order.path, order.lanes[0].registry, shares.append), order.lanes, order.limits):
            items.append(_lightened(item, order.lanes))
            if len(items) >= STEPS:
                send()
        send(finished=True)
    except BrokenPipeError:
        return  # nobody listens any more
    except Exception as error:  # noqa: BLE001 - raised again by the process that listens
        send(_sendable(error), finished=True)


def _sendable(error: Exception) -> Exception:
    error.add_note("".join(traceback.format_tb(error.__traceback__)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever keeps an error from travelling
        return RuntimeError("".join(traceback.format_exception(error)))
    return error


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# -- messages ----------------------------------------------------------------------------------------------------


def _lightened(item: Handed | Seen, lanes: Sequence[Lane]) -> Handed | Seen:
    """Without what is not judged: no sub-indices and days that no law counts go through the pipe."""
    if isinstance(item, Seen):
        return item
    days = lanes[item.lane].airshed.legal_track is not None
    said = [
        piece.grounds() if isinstance(piece, IndexBatch) and piece.occasion.product == "hour" else piece
        for piece in item.step.said
        if days or not (isinstance(piece, IndexBatch) and piece.occasion.product == "day")
    ]
    return replace(item, step=replace(item.step, said=said))


def _known(lanes: Sequence[Lane]) -> list[Any]:
    """What every batch refers to and both processes have: named in a message, not sent with each."""
    stations = [station for lane in lanes for station in lane.registry.stations]
    return [*(STANDARDS[code] for code in sorted(STANDARDS)), *stations]


class _Pickler(pickle.Pickler):
    def __init__(self, file: BinaryIO, known: Sequence[Any]) -> None:
        super().__init__(file, protocol=5)
        self._numbers = {id(item): number for number, item in enumerate(known)}

    def persistent_id(self, obj: Any) -> int | None:
        return self._numbers.get(id(obj))


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, known: Sequence[Any]) -> None:
        super().__init__(file)
        self._known = known

    def persistent_load(self, pid: int) -> Any:
        return self._known[pid]


def _read(file: BinaryIO, known: Sequence[Any]) -> _Message:
    message: _Message = _Unpickler(file, known).load()
    return message
