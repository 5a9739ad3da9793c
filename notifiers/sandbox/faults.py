"""Faults the sandbox plays on demand, each named after what goes wrong."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal, get_args

SmsFault = Literal[
    "slow",  # accepted at once, answered late
    "stall",  # accepted late, after the client may have given up
    "500",  # refused with an internal error, nothing accepted
    "500-accepted",  # an internal error although the message was accepted
    "503",
    "429",
    "drop",  # the connection breaks, nothing accepted
    "drop-accepted",  # the connection breaks although the message was accepted
]
MailFault = Literal[
    "slow-banner",
    "421",  # "closing" in answer to MAIL
    "450",  # greylisting in answer to RCPT
    "550",  # refusal in answer to RCPT
    "451-data",  # refusal after the body
    "drop-data",  # the connection breaks after the body, nothing kept
    "drop-kept",  # the connection breaks after the body, which was kept
    "late-250",  # kept at once, answered late
]
CallbackFault = Literal["twice", "disordered", "never"]
SMS_FAULTS: tuple[str, ...] = get_args(SmsFault)
MAIL_FAULTS: tuple[str, ...] = get_args(MailFault)


@dataclass
class Faults:
    """What is to go wrong next.

    Attributes:
        queue: faults for the coming requests (or mails), one each.
        delay_s: how long ``slow``, ``stall``, ``slow-banner`` and ``late-250`` take.
        refused: contacts refused for good, with the code (``+84…``: 21614, ``a@b.vn``: 550).
        undelivered: numbers whose accepted messages end as undelivered, with the code.
        callbacks: what is wrong with status callbacks, until changed.
    """

    queue: deque[str] = field(default_factory=deque)
    delay_s: float = 1.0
    refused: dict[str, int] = field(default_factory=dict)
    undelivered: dict[str, int] = field(default_factory=dict)
    callbacks: CallbackFault | None = None

    def next(self, fault: SmsFault | MailFault, times: int = 1) -> None:
        """Play ``fault`` for the next ``times`` requests."""
        self.queue.extend([fault] * times)

    def take(self, *among: str) -> str:
        """The fault to play now, if the next one is among those that can happen here; else none ("")."""
        return self.queue.popleft() if self.queue and self.queue[0] in among else ""
