"""``POST /api/readings``: agencies send readings, and hear item by item what became of them."""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import tomllib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from litestar import MediaType, Request, Response, post
from litestar.handlers import HTTPRouteHandler

from streams.clock import Clock
from streams.errors import ConfigurationError, Problem
from streams.metrics import PUSHES
from streams.sources.pacing import TokenBucket
from streams.sources.push import MOST_BYTES, BusyError, PushError, PushSource, Sender, Verdict, parse
from streams.stations import StationRegistry

_log = structlog.get_logger(__name__)

PER_MINUTE = 120
"""Requests of one agency: sixty stations that send every minute, and as many again after an outage."""
GUESSES_PER_MINUTE = 10
"""Requests with a wrong key from one address before it is told to wait."""
MOST_ADDRESSES = 10_000
BUSY_RETRY_S = 5
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_NOT_PUBLIC = "unknown key"
_STATUS = {"bad-json": 400, "bad-gzip": 400, "too-large": 413}


class ApiKeys:
    """The keys of all agencies, as SHA-256 of each: whoever reads the file cannot send with what is in it.

    A plain hash is enough because the keys are drawn at random with 256 bits; slow hashes are for passwords.
    """

    def __init__(self, digests: Mapping[str, list[str]]) -> None:
        self._digests = [(digest.removeprefix("sha256:"), agency) for agency, of in digests.items() for digest in of]

    def agency_of(self, key: str) -> str | None:
        """The agency a key belongs to. Takes the same time whichever key it is, and whether it is one."""
        given = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
        found = None
        for digest, agency in self._digests:
            if hmac.compare_digest(digest, given):
                found = agency
        return found


def read_keys(text: str, registry: StationRegistry, place: str) -> ApiKeys:
    """Keys as TOML: ``"Name of the agency" = ["sha256:…"]``; two keys while one is being replaced.

    Raises:
        ConfigurationError: with every problem in it.
    """
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        remedy = 'write: "Name of the agency" = ["sha256:…"]'
        raise ConfigurationError([Problem(str(error), place=place, remedy=remedy)]) from None
    agencies = {station.agency for station in registry.stations} - {""}
    problems = [problem for agency, of in given.items() for problem in _key_problems(agency, of, agencies, place)]
    if problems:
        raise ConfigurationError(problems)
    return ApiKeys(given)


def _key_problems(agency: str, digests: Any, agencies: set[str], place: str) -> list[Problem]:
    problems = []
    if agency not in agencies:
        known = ", ".join(sorted(agencies)) or "none"
        remedy = f"use a name of column agency; there are: {known}"
        problems.append(Problem("no station of the registry belongs to it", place=place, field=agency, remedy=remedy))
    if not isinstance(digests, list) or not all(isinstance(d, str) and _DIGEST.fullmatch(d) for d in digests):
        remedy = 'write ["sha256:<64 hexadecimal digits>"], from: printf %s KEY | sha256sum'
        problems.append(Problem("is no list of SHA-256 digests", place=place, field=agency, remedy=remedy))
    return problems


@dataclass
class Limits:
    """Who may ask how often: agencies by name, strangers by address."""

    clock: Clock
    per_minute: float = PER_MINUTE
    _agencies: dict[str, TokenBucket] = field(default_factory=dict)
    _strangers: OrderedDict[str, TokenBucket] = field(default_factory=OrderedDict)

    def wait_of_agency_s(self, agency: str) -> float:
        """0 = go ahead, and it counts; else seconds to wait."""
        bucket = self._agencies.setdefault(agency, TokenBucket(self.per_minute, 60.0, self.clock))
        return _take(bucket)

    def stranger_wait_s(self, address: str) -> float:
        """Seconds until an address that guessed too often is heard again."""
        bucket = self._strangers.get(address)
        return bucket.wait_s() if bucket else 0.0

    def guessed(self, address: str) -> None:
        """Count a wrong key."""
        bucket = self._strangers.setdefault(address, TokenBucket(GUESSES_PER_MINUTE, 60.0, self.clock))
        self._strangers.move_to_end(address)
        if len(self._strangers) > MOST_ADDRESSES:
            self._strangers.popitem(last=False)
        bucket.take()


def _take(bucket: TokenBucket) -> float:
    wait_s = bucket.wait_s()
    if wait_s == 0.0:
        bucket.take()
    return wait_s


class Answer(msgspec.Struct, frozen=True):
    """What the sender hears about a request that was read."""

    accepted: int
    refused: int
    unused: int
    items: list[Verdict]


class Refusal(msgspec.Struct, frozen=True):
    """What the sender hears when nothing of the request was taken."""

    reason: str
    message: str
    remedy: str


@dataclass(frozen=True)
class PushDesk:
    """Answers requests for one source."""

    source: PushSource
    registry: StationRegistry
    keys: ApiKeys
    clock: Clock
    limits: Limits

    async def answer(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """The key first, then how often, then the body: what is not ours costs nothing. A good key is never kept
        waiting for the guesses of others, who may share its address behind a proxy."""
        agency = self.keys.agency_of(_key_of(request))
        if agency is None:
            return self._stranger(request.client.host if request.client else "")
        wait_s = self.limits.wait_of_agency_s(agency)
        if wait_s:
            remedy = f"send more readings per request; at most {self.limits.per_minute:g} requests a minute"
            return _refused(429, "too-often", "too many requests", remedy, wait_s)
        return await self._take(agency, await request.body())

    def _stranger(self, address: str) -> Response[bytes]:
        wait_s = self.limits.stranger_wait_s(address)
        if wait_s:
            return _refused(429, "too-often", "too many wrong keys", "use the key you were given", wait_s)
        self.limits.guessed(address)
        remedy = "send the header Authorization: Bearer KEY with the key that the operator gave you"
        return _refused(401, "unknown-key", _NOT_PUBLIC, remedy)

    async def _take(self, agency: str, body: bytes) -> Response[bytes]:
        sender = Sender(agency=agency, now_s=self.clock.now_s(), source=self.source.name)
        try:
            parsed = parse(body, self.registry, sender)
        except PushError as error:
            return _refused(_STATUS[error.reason], error.reason, error.message, error.remedy)
        try:
            await self.source.hand_over(parsed.loaded, f"{self.source.name}/{agency}")
        except BusyError as error:
            remedy = "send the same again after Retry-After; nothing counts twice"
            return _refused(503, "busy", str(error), remedy, BUSY_RETRY_S)
        count = dict.fromkeys(("accepted", "refused", "unused"), 0)
        for verdict in parsed.verdicts:
            count[verdict.outcome] += 1
        PUSHES.labels("taken").inc()
        _log.info("readings pushed", agency=agency, **count)
        return _json(200, Answer(count["accepted"], count["refused"], count["unused"], parsed.verdicts))


def push_route(desk: PushDesk) -> HTTPRouteHandler:
    """The route, to be served beside others."""

    @post("/api/readings", status_code=200, request_max_body_size=MOST_BYTES)
    async def receive(request: Request[Any, Any, Any]) -> Response[bytes]:
        return await desk.answer(request)

    return receive


def _key_of(request: Request[Any, Any, Any]) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.casefold() == "bearer" else request.headers.get("x-api-key", "").strip()


def _refused(status: int, reason: str, message: str, remedy: str, wait_s: float = 0.0) -> Response[bytes]:
    PUSHES.labels(reason).inc()
    headers = {"Retry-After": str(math.ceil(wait_s))} if wait_s else {}
    return _json(status, Refusal(reason, message, remedy), headers)


def _json(status: int, body: msgspec.Struct, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(msgspec.json.encode(body), status_code=status, media_type=MediaType.JSON, headers=headers or {})
