"""Pages as Jinja templates: autoescaped, without scripts and without anything from outside."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response

_environment = Environment(
    loader=PackageLoader("console", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}
_PATTERNS = {"vi": "HH:mm 'ngày' dd/MM/yyyy", "en": "HH:mm, d MMMM yyyy"}


def page(template: str, status: int = 200, **values: Any) -> Response[str]:
    """A page from ``console/templates`` as a response."""
    content = _environment.get_template(template).render(**values)
    return Response(content, status_code=status, media_type="text/html", headers=_HEADERS)


def moment(when: datetime, zone: str, language: str) -> str:
    """A time as people of the language write it, in their zone."""
    return str(format_datetime(when, _PATTERNS[language], tzinfo=ZoneInfo(zone), locale=language))
