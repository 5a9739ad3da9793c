"""How the sandbox's provider calls our webhooks: a form, signed as the provider signs it."""

from __future__ import annotations

import aiohttp
from twilio.request_validator import RequestValidator

_TIMEOUT_S = 5.0


class SignedPosts:
    """Posts forms signed with an account's token, over one kept session. ``missed``: how many nobody took."""

    def __init__(self, auth_token: str) -> None:
        self.missed = 0
        self._validator = RequestValidator(auth_token)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, form: dict[str, str], times: int = 1) -> str:
        """Post ``times`` over. Returns the last answer's text, empty if nobody was there: like the provider, a
        webhook that is away misses its news."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S))
        headers = {"X-Twilio-Signature": self._validator.compute_signature(url, form)}
        text = ""
        for _ in range(times):
            try:
                async with self._session.post(url, data=form, headers=headers) as answer:
                    text = await answer.text()
                    self.missed += not answer.ok
            except (aiohttp.ClientError, OSError, TimeoutError):
                text = ""
                self.missed += 1
        return text

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
