"""Fetching over HTTP: bounded in time and size, to the address that was meant and no other.

Names are resolved once and the connection goes to what was checked; redirects are not followed. Unless the source is
set to ``network = "private"`` an address must be a public one, so that neither a slip of the hand nor a hijacked name
makes us talk to services inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Literal

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from streams.errors import FeedError, RefusedFeedError, UnreachableFeedError

Network = Literal["public", "private"]

TIMEOUT_S = 30.0
MOST_BYTES = 64 * 1024 * 1024
"""The largest body taken. The whole of Sensor.Community is about 10 MB, a day of a national network 1 MB."""
_CHUNK_BYTES = 256 * 1024
LONGEST_RETRY_AFTER_S = 3600.0


@dataclass(frozen=True)
class Answer:
    """``status`` is 200, 304 (not modified) or 404 (not there, maybe not yet); anything else is an error."""

    status: int
    body: bytes
    etag: str = ""


class ForbiddenAddressError(OSError):
    """The name leads to an address that this source may not talk to."""


def is_allowed(address: str, network: Network) -> bool:
    """Whether a source of this network may talk to an IP address."""
    return network == "private" or ipaddress.ip_address(address.partition("%")[0]).is_global


class GuardedResolver(AbstractResolver):
    """Resolves names to allowed addresses only; the connection is made to what this returned."""

    def __init__(self, network: Network, inner: AbstractResolver | None = None) -> None:
        self._network = network
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        allowed = [result for result in found if is_allowed(result["host"], self._network)]
        if not allowed:
            raise ForbiddenAddressError(f"{host} is not on the public network")
        return allowed

    async def close(self) -> None:
        await self._inner.close()


class Web:
    """Opens sessions. ``headers`` go with every request; they may hold a key and are never logged."""

    def __init__(
        self, *, network: Network = "public", headers: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._network = network
        self._headers = {"User-Agent": "airshed/1 (air-quality early warning)", **(headers or {})}
        self._timeout = aiohttp.ClientTimeout(total=timeout_s * 4, sock_connect=timeout_s, sock_read=timeout_s)

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Visit]:
        """A session; close it after a look."""
        connector = aiohttp.TCPConnector(resolver=GuardedResolver(self._network), limit_per_host=4)
        async with aiohttp.ClientSession(
            connector=connector, headers=self._headers, timeout=self._timeout, auto_decompress=True
        ) as session:
            yield Visit(session, self._network)


class Visit:
    """One session with a server."""

    def __init__(self, session: aiohttp.ClientSession, network: Network) -> None:
        self._session = session
        self._network = network

    async def get(self, url: str, params: Mapping[str, str] | None = None, etag: str = "") -> Answer:
        """Fetch one address.

        Raises:
            FeedError: unreachable, refused, too large, redirected, or asked to come back later.
        """
        self._check_literal(url)
        headers = {"If-None-Match": etag} if etag else {}
        try:
            async with self._session.get(url, params=params, headers=headers, allow_redirects=False) as response:
                return await _answer(response)
        except ForbiddenAddressError as error:
            raise _forbidden(str(error)) from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, ForbiddenAddressError):
                raise _forbidden(str(error.os_error)) from None
            raise UnreachableFeedError(f"no connection to {_bare(url)}: {error}", reason="unreachable") from None
        except TimeoutError:
            raise UnreachableFeedError(f"no answer from {_bare(url)} in time", reason="timeout") from None
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise UnreachableFeedError(f"{_bare(url)}: {type(error).__name__}: {error}", reason="unreachable") from None

    def _check_literal(self, url: str) -> None:
        """An address written as numbers is never resolved, so it is looked at here."""
        host = URL(url).host or ""
        try:
            allowed = is_allowed(host, self._network)
        except ValueError:
            return
        if not allowed:
            raise _forbidden(f"{host} is not on the public network")


def _forbidden(message: str) -> RefusedFeedError:
    return RefusedFeedError(message, reason="forbidden-address", remedy='if it is yours: network = "private"')


def _bare(url: str) -> str:
    """An address without what might be secret in it."""
    parsed = URL(url)
    return f"{parsed.host}{parsed.path}"


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    if response.status in (304, 404):
        return Answer(response.status, b"")
    if response.status != 200:
        raise _error_of(response)
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > MOST_BYTES:
            raise RefusedFeedError(
                f"{_bare(str(response.url))} holds more than {MOST_BYTES} bytes",
                reason="too-large",
                remedy="ask for less: a region, a day",
            )
    return Answer(200, bytes(body), response.headers.get("ETag", ""))


def _error_of(response: aiohttp.ClientResponse) -> FeedError:
    where, status = _bare(str(response.url)), response.status
    wait_s = retry_after_s(response.headers.get("Retry-After", ""))
    if status == 429:
        return UnreachableFeedError(f"{where}: too many requests", reason="rate-limit", wait_s=wait_s or 60.0)
    if status >= 500:
        return UnreachableFeedError(f"{where}: HTTP {status}", reason=f"http-{status}", wait_s=wait_s)
    if status in (401, 403):
        return RefusedFeedError(f"{where}: HTTP {status}", reason="key", remedy="check the key of this source")
    if 300 <= status < 400:
        target = _bare(response.headers.get("Location", "")) if response.headers.get("Location") else "nowhere"
        return RefusedFeedError(
            f"{where}: redirected to {target}", reason="redirect", remedy="if that is right, configure it as url"
        )
    return RefusedFeedError(f"{where}: HTTP {status}", reason=f"http-{status}", remedy="check the url of this source")


def retry_after_s(header: str) -> float:
    """Seconds of a Retry-After header, at most an hour; 0 where there is none (dates are not read)."""
    text = header.strip()
    return min(float(text), LONGEST_RETRY_AFTER_S) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0
