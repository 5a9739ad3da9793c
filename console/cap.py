"""``/cap``: alerts for machines. Feed and documents of actual alerts, and apart from them those of exercises."""

from __future__ import annotations

import asyncio
import hashlib

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from notifiers.cap.documents import MEDIA_TYPE
from notifiers.cap.publication import Publication

_CACHED_S = 30
_ATOM = "application/atom+xml"


def cap_routes(publication: Publication) -> list[HTTPRouteHandler]:
    """The routes, to be served beside others."""

    @get("/cap/feed.atom")
    async def feed(request: Request) -> Response[bytes]:  # type: ignore[type-arg]
        """Actual alerts, the newest first."""
        return await _answer(request, "public", "")

    @get("/cap/exercise/feed.atom")
    async def exercise_feed(request: Request) -> Response[bytes]:  # type: ignore[type-arg]
        """Alerts of exercises."""
        return await _answer(request, "exercise", "")

    @get("/cap/{identifier:str}")
    async def alert(request: Request, identifier: FromPath[str]) -> Response[bytes]:  # type: ignore[type-arg]
        """One actual alert."""
        return await _answer(request, "public", identifier)

    @get("/cap/exercise/{identifier:str}")
    async def exercise_alert(request: Request, identifier: FromPath[str]) -> Response[bytes]:  # type: ignore[type-arg]
        """One alert of an exercise."""
        return await _answer(request, "exercise", identifier)

    async def _answer(request: Request, folder: str, file: str) -> Response[bytes]:  # type: ignore[type-arg]
        found = (await asyncio.to_thread(publication.current))[folder]
        content = found.documents.get(file.removesuffix(".xml")) if file else found.feed
        if content is None:
            return Response(b"no such alert\n", status_code=404, media_type="text/plain")
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": f"public, max-age={_CACHED_S}", "X-Content-Type-Options": "nosniff"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(b"", status_code=304, headers=headers)
        return Response(content, media_type=f"{MEDIA_TYPE if file else _ATOM}; charset=utf-8", headers=headers)

    return [feed, exercise_feed, alert, exercise_alert]
