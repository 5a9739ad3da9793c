"""Signed links: an acknowledgement page in a message, a status address handed to the provider.

A token is the delivery id (itself derived from notice, recipient and channel) and a signature over it, 45 characters
in all, because an SMS pays for every one. It carries no time: a message tried again must have the very same words,
so that it can be found at the provider. Until when a link may act stands in the ledger, with the notice.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Literal

from itsdangerous import BadSignature, Signer
from itsdangerous.encoding import base64_decode, base64_encode
from itsdangerous.exc import BadData
from itsdangerous.signer import HMACAlgorithm

from streams.errors import ConfigurationError, Problem

Purpose = Literal["acknowledge", "status", "request"]
_UNSUBSCRIBE = "unsubscribe"
_NOT_OURS = "this link was not made by this installation"
_SIGNATURE_BYTES = 16  # HMAC-SHA-256-128 as in RFC 4868: 2^128 guesses, half the length


class BadLinkError(ValueError):
    """The token was not made by us, or not for this purpose."""


class _ShortHmac(HMACAlgorithm):
    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return super().get_signature(key, value)[:_SIGNATURE_BYTES]


def stop_page(public_url: str) -> str:
    """The page of an installation on which a code ends messages, as an SMS names it: without ``https://``, because
    telephones know an address by its dots."""
    return f"{public_url.split('://', 1)[-1].rstrip('/')}/h"


class Links:
    """Makes and reads the links of one installation."""

    def __init__(self, secrets: list[str], public_url: str) -> None:
        """Take signing secrets, the newest last (older ones still verify), and the address people reach us at."""
        if not secrets or min(len(secret) for secret in secrets) < 16:
            raise ConfigurationError(
                [Problem("too short", field="links.secrets", remedy="give at least 16 random characters")]
            )
        self.public_url = public_url.rstrip("/")
        self._signers = {
            purpose: Signer(
                list(secrets),
                salt=f"airshed.{purpose}",
                digest_method=hashlib.sha256,
                algorithm=_ShortHmac(hashlib.sha256),
            )
            for purpose in ("acknowledge", "status", "request", _UNSUBSCRIBE)
        }

    @property
    def stop_page(self) -> str:
        """The page on which a code ends messages, as an SMS names it."""
        return stop_page(self.public_url)

    def acknowledgement(self, delivery: str) -> str:
        """The page on which the recipient of this delivery accepts, refuses or reports done."""
        return f"{self.public_url}/a/{self.token(delivery, 'acknowledge')}"

    def status(self, delivery: str) -> str:
        """Where a provider reports on this delivery; the id in it resolves a row whose answer was lost."""
        return f"{self.public_url}/webhooks/sms/status?d={self.token(delivery, 'status')}"

    def call_status(self, delivery: str) -> str:
        """Where a provider reports on the call of this delivery."""
        return f"{self.public_url}/webhooks/voice/status?d={self.token(delivery, 'status')}"

    def digit(self, delivery: str) -> str:
        """Where a provider sends the digit pressed during the call of this delivery."""
        return f"{self.public_url}/webhooks/voice/digit?d={self.token(delivery, 'acknowledge')}"

    def request(self, request: str) -> str:
        """The page on which the codes of a request for codes are given back."""
        return f"{self.public_url}/c/{self.token(request, 'request')}"

    def unsubscribe(self, person: str, channel: str) -> str:
        """The page on which a subscriber stops a channel. For ever good: mails are kept for years."""
        signed = self._signers[_UNSUBSCRIBE].sign(base64_encode(f"{channel}:{person}"))
        return f"{self.public_url}/u/{signed.decode()}"

    def read_unsubscribe(self, token: str) -> tuple[str, str]:
        """Subscriber id and channel of such a page's token. Raises :class:`BadLinkError`."""
        try:
            channel, _, person = base64_decode(self._signers[_UNSUBSCRIBE].unsign(token)).decode().partition(":")
        except (BadSignature, BadData, ValueError):
            raise BadLinkError(_NOT_OURS) from None
        return person, channel

    def token(self, delivery: str, purpose: Purpose) -> str:
        return self._signers[purpose].sign(base64_encode(uuid.UUID(delivery).bytes)).decode()

    def read(self, token: str, purpose: Purpose) -> str:
        """The delivery id in a token. Raises :class:`BadLinkError`."""
        try:
            return str(uuid.UUID(bytes=base64_decode(self._signers[purpose].unsign(token))))
        except (BadSignature, BadData, ValueError):
            raise BadLinkError(_NOT_OURS) from None
