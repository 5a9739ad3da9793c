"""The envelope sender of every mail: an address of its own, signed, so that a bounce says which delivery it is about.

``bounces+<token>@domain``. The token is lower-case letters and digits only: servers on the way may change the case
of the part before the @, and cut what they think is an extension at other characters.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import uuid
from collections.abc import Sequence

from streams.errors import ConfigurationError, Problem

_MAC_BYTES = 10  # 80 bits: whoever guesses may only mark one delivery as failed, and has to guess by mail
_ID_BYTES = 16
_LONGEST_LOCAL = 64  # RFC 5321, section 4.5.3.1.1


class ReturnPaths:
    """Makes and reads these addresses."""

    def __init__(self, secrets: Sequence[str], address: str) -> None:
        """Take signing secrets, the newest last, and the address bounces go to (``bounces@bounce.example.org``).

        Raises:
            ConfigurationError: the address is too long to be extended, or none.
        """
        self._local, at, self._domain = address.rpartition("@")
        longest = len(self._local) + 1 + len(self._encoded(bytes(_ID_BYTES + _MAC_BYTES)))
        if not at or not self._local or not self._domain or "+" in self._local or longest > _LONGEST_LOCAL:
            remedy = "write it like bounces@bounce.example.org; the part before the @ may have 20 characters"
            raise ConfigurationError([Problem("no address for bounces", field="email.bounces.address", remedy=remedy)])
        self._keys = [hashlib.sha256(b"airshed.return-path:" + secret.encode()).digest() for secret in secrets]

    def of(self, delivery: str) -> str:
        """The envelope sender of a delivery's mail."""
        identity = uuid.UUID(delivery).bytes
        return f"{self._local}+{self._encoded(identity + self._mac(self._keys[-1], identity))}@{self._domain}"

    def read(self, address: str) -> str | None:
        """The delivery an address is of; ``None`` for an address that is not ours."""
        local, _, domain = address.rpartition("@")
        name, _, token = local.partition("+")
        if name.lower() != self._local.lower() or domain.lower() != self._domain.lower():
            return None
        try:
            raw = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
        except (binascii.Error, ValueError):
            return None
        if len(raw) != _ID_BYTES + _MAC_BYTES:
            return None
        identity, given = raw[:_ID_BYTES], raw[_ID_BYTES:]
        good = [hmac.compare_digest(self._mac(key, identity), given) for key in self._keys]
        return str(uuid.UUID(bytes=identity)) if any(good) else None

    @staticmethod
    def _encoded(raw: bytes) -> str:
        return base64.b32encode(raw).decode().rstrip("=").lower()

    @staticmethod
    def _mac(key: bytes, identity: bytes) -> bytes:
        return hmac.new(key, identity, hashlib.sha256).digest()[:_MAC_BYTES]
