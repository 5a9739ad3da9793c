"""An SMS provider that accepts everything at once and remembers it, over real HTTP: as little as a client needs."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from email.utils import format_datetime
from types import TracebackType
from typing import Any

from aiohttp import web

from notifiers.sandbox import ACCOUNT_SID

_PATH = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"


class Accepting:
    """Serves while the block runs. ``messages``: what it holds, by number."""

    def __init__(self) -> None:
        self.messages: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.count = 0
        app = web.Application()
        app.router.add_post(_PATH, self._accept)
        app.router.add_get(_PATH, self._list)
        self._runner = web.AppRunner(app, access_log=None)
        self.url = ""

    async def __aenter__(self) -> Accepting:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = "http://{}:{}".format(*self._runner.addresses[0][:2])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    @property
    def twice(self) -> int:
        """Numbers that hold more than one message."""
        return sum(len(held) > 1 for held in self.messages.values())

    async def _accept(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.count += 1
        message = {
            "sid": f"SM{self.count:032x}",
            "account_sid": ACCOUNT_SID,
            "to": str(form["To"]),
            "from": str(form.get("From", "")),
            "body": str(form["Body"]),
            "status": "queued",
            "date_created": format_datetime(datetime.now(UTC)),
            "error_code": None,
        }
        self.messages[message["to"] or ""].append(message)
        return web.json_response(message, status=201)

    async def _list(self, request: web.Request) -> web.Response:
        held = self.messages.get(request.query.get("To", ""), [])
        answer = {"messages": held, "page": 0, "page_size": 50, "next_page_uri": None, "uri": _PATH}
        return web.json_response(answer)
