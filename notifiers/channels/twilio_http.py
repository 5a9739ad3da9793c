"""The HTTP client under the provider's library: one request per call, a time limit, no log, and an address of choice.

The library's own asynchronous client re-posts on a 503 when retries are on (three messages for one call), ignores the
time limit it was built with, and logs the number it lists messages for.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp
from twilio.http import AsyncHttpClient
from twilio.http.response import Response

_SILENT = logging.getLogger("notifiers.twilio.silenced")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False
_SILENT.setLevel(logging.CRITICAL + 1)


class OneRequestClient(AsyncHttpClient):  # type: ignore[misc]
    """Sends each request once to ``base_url`` in place of the provider's host.

    Raises aiohttp's errors as they are: whoever calls tells a refused connection from a lost answer.
    """

    def __init__(self, base_url: str, timeout_s: float, connections: int) -> None:
        super().__init__(_SILENT, True, timeout_s)
        self._base = urlsplit(base_url)
        self._limit = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s, 5.0))
        self._session = aiohttp.ClientSession(
            timeout=self._limit,
            connector=aiohttp.TCPConnector(limit=connections),
            trust_env=False,
        )

    async def request(
        self,
        method: str,
        url: str,
        params: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature; ours is in the session
        allow_redirects: bool = False,
    ) -> Response:
        async with self._session.request(
            method.upper(),
            self._rewritten(url),
            params=params,
            data=None if data is None else urlencode(data, doseq=True),  # aiohttp takes no lists in a form
            headers=dict(headers or {}) | ({"Authorization": aiohttp.encode_basic_auth(*auth)} if auth else {}),
            allow_redirects=False,
        ) as response:
            return Response(response.status, await response.text(), response.headers)

    async def close(self) -> None:
        await self._session.close()

    def _rewritten(self, url: str) -> str:
        asked = urlsplit(url)
        return urlunsplit(
            (self._base.scheme, self._base.netloc, self._base.path.rstrip("/") + asked.path, asked.query, "")
        )
