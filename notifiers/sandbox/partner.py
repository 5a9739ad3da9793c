"""A partner's system that takes webhooks, checks their signature and knows repetitions by their id."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

WEBHOOK_KEY = "whsec_c2FuZGJveC1zYW5kYm94LXNhbmRib3gtc2FuZGJveA=="


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that was taken."""

    id: str
    body: str


@dataclass
class Partner:
    """Keeps webhooks under ``directory``; the same id once."""

    directory: Path
    taken: dict[str, Taken] = field(default_factory=dict)

    def take(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the signature is good; a good one is kept, unless it is here already."""
        identity, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        key = base64.b64decode(WEBHOOK_KEY.removeprefix("whsec_"))
        signed = b".".join((identity.encode(), stamp.encode(), body))
        wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        given = headers.get("webhook-signature", "").split(" ")
        if not identity or not any(hmac.compare_digest(wanted, one) for one in given):
            return False
        if identity not in self.taken:
            kept = Taken(id=identity, body=body.decode("utf-8", "replace"))
            self.taken[identity] = kept
            with (self.directory / "webhooks.jsonl").open("ab") as file:
                file.write(msgspec.json.encode(kept) + b"\n")
        return True
