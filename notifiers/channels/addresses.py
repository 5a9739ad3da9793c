"""Which addresses a webhook may be sent to: public ones, checked when the name is resolved and connected to as checked.

A partner writes its address into a form. Without this, ``https://169.254.169.254/`` or a name that leads to
``10.0.0.5`` would make us talk to services inside, with our signature under it.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

_HTTPS = 443
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_EMBEDDING = (
    ipaddress.IPv6Network("64:ff9b::/96"),  # NAT64 (RFC 6052): an IPv4 address in the last 32 bits
    ipaddress.IPv6Network("64:ff9b:1::/48"),  # NAT64 of local use (RFC 8215)
    ipaddress.IPv6Network("2002::/16"),  # 6to4
    ipaddress.IPv6Network("2001::/32"),  # Teredo
)
"""IPv6 ranges that carry an IPv4 address: whatever gateway opens them could lead inside. Nobody's webhook is there."""


class ForbiddenAddressError(OSError):
    """The webhook leads to an address that may not be talked to."""


@dataclass(frozen=True)
class Allowed:
    """Networks beside the public internet that webhooks may reach (on the premises, or in a test)."""

    networks: Sequence[IpNetwork] = ()

    @classmethod
    def of(cls, networks: Sequence[str]) -> Allowed:
        """From texts such as ``10.20.0.0/16``. Raises ``ValueError`` for what is no network."""
        return cls([ipaddress.ip_network(text) for text in networks])

    def has(self, address: str, port: int = _HTTPS) -> bool:
        """Whether an IP address may be talked to on a port; the public internet on 443 only.

        Raises:
            ValueError: not an IP address.
        """
        ip = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        inside = any(ip.version == network.version and ip in network for network in self.networks)
        return inside or (port == _HTTPS and _is_public(ip))

    def check(self, url: str) -> URL:
        """The parsed address, if its form is one that may be talked to. Names are checked when they are resolved.

        Raises:
            ForbiddenAddressError: not ``https`` on 443 (in allowed networks ``http`` and other ports are taken), a
                user or a password in it, or an IP address that is not allowed.
        """
        try:
            parsed = URL(url)
            port, host = parsed.port, parsed.host
        except ValueError:
            raise ForbiddenAddressError("not a web address") from None
        if parsed.scheme not in ("https", "http") or not host or not port:
            raise ForbiddenAddressError("write it like https://name.example/path")
        if parsed.user is not None or parsed.password is not None or (parsed.scheme == "http" and port == _HTTPS):
            raise ForbiddenAddressError("write it like https://name.example/path")
        literal = _literal(host)
        if literal and not self.has(literal, port):
            raise ForbiddenAddressError("not a public address on port 443")
        if port != _HTTPS and not self.networks:
            raise ForbiddenAddressError("only https on port 443 is spoken with the outside")
        return parsed


class CheckedResolver(AbstractResolver):
    """Resolves a name once, refuses it if any of its addresses is not allowed, and connects to what was checked."""

    def __init__(self, allowed: Allowed, inner: AbstractResolver | None = None) -> None:
        self._allowed = allowed
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not found or not all(self._allowed.has(result["host"], port) for result in found):
            raise ForbiddenAddressError("the name does not lead to the public network")
        return found

    async def close(self) -> None:
        await self._inner.close()


def _literal(host: str) -> str:
    """The IP address a host part is, however it is written (``127.1``, ``0x7f000001``, ``2130706433``); else empty."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))  # takes every form that connect() would take
    except (OSError, UnicodeError):
        return ""


def _is_public(ip: IpAddress) -> bool:
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return _is_public(ip.ipv4_mapped)
        if any(ip in network for network in _EMBEDDING):
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified
