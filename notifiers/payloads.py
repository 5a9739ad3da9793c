"""What partners' systems are sent: a notice as JSON, in the shape that Standard Webhooks advises."""

from __future__ import annotations

from typing import Any

import msgspec

from notifiers.messages import Payload
from rules.notices import ExerciseNotice, Notice


def payload(notice: Notice, delivery: str, link: str) -> Payload:
    """The notice for a machine: ``type``, ``timestamp``, ``data``. The same delivery always gives the same bytes.

    ``data.mode`` is ``exercise`` or ``actual``, and the type of an exercise says so too: a receiver that switches on
    the type cannot take one for the other.
    """
    exercise = isinstance(notice, ExerciseNotice)
    kind = f"airshed.{'exercise.' if exercise else ''}{notice.kind}"
    data: dict[str, Any] = {
        "mode": "exercise" if exercise else "actual",
        "delivery": delivery,
        "notice": notice.id,
        "episode": notice.episode,
        "airshed": notice.airshed,
        "level": notice.level,
        "level_name": notice.level_name,
        "time": notice.time,
        "onset": notice.onset,
        "valid_until": notice.valid_until,
        "index_standard": notice.data_standard,
        "provinces": [
            {"code": p.code, "names": p.names, "level": p.level, "index": p.index, "index_24h": p.index_24h}
            for p in notice.provinces
        ],
        "actions": notice.actions,
        "sender": notice.sender,
        "answer": link or None,
    }
    document = {"type": kind, "timestamp": notice.time, "data": data}
    return Payload(kind, msgspec.json.encode(document))
