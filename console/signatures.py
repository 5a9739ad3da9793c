"""Whether a call to a webhook comes from the provider: its own validator, over the address as the public knows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request
from twilio.request_validator import RequestValidator, get_signature_algorithm

_SIGNATURE = "x-twilio-signature"
_SETTINGS = "x-twilio-webhooks-signature-settings"
_BODY_HASH = "bodySHA256"


class Form(dict[str, str]):
    """The fields of a form, the first value of each; the validator sees all of them."""

    def __init__(self, body: str) -> None:
        self._pairs = parse_qsl(body, keep_blank_values=True)
        super().__init__(reversed(self._pairs))

    def getall(self, name: str) -> list[str]:
        """Every value of a field: the validator asks for them."""
        return [value for given, value in self._pairs if given == name]


@dataclass(frozen=True)
class Signatures:
    """What the provider may sign with.

    Attributes:
        public_url: under which the provider reaches us; what a proxy hands on differs from it.
        tokens: of every account in use (the second provider's too).
        shared_keys: by key id, where the provider signs with one of those and says so in a header.
    """

    public_url: str
    tokens: Sequence[str] = field(repr=False)
    shared_keys: Mapping[str, str] = field(default_factory=dict, repr=False)

    async def form(self, request: Request[Any, Any, Any]) -> Form | None:
        """The form of a genuine call; ``None`` for any other one. Nothing of the body is used before it is checked.

        Both schemes are taken: a signature over address and fields, and, where the address carries ``bodySHA256``,
        one over the address with the hash of the body in it.
        """
        signature = request.headers.get(_SIGNATURE, "")
        body = (await request.body()).decode("utf-8", "replace")
        if not signature.isascii() or not signature:
            return None
        form = Form(body)
        content: Any = body if _BODY_HASH in request.query_params else form
        settings = request.headers.get(_SETTINGS, "")
        algorithm, url = get_signature_algorithm(settings), self._url(request)
        for secret in self._secrets(settings):
            if RequestValidator(secret).validate(url, content, signature, algorithm):
                return form
        return None

    def _secrets(self, settings: str) -> list[str]:
        if settings:
            pairs = (part.partition("=") for part in settings.split(","))
            key = next((value.strip() for name, _, value in pairs if name.strip() == "key"), "")
            return [self.shared_keys[key]] if self.shared_keys.get(key) else []
        return [token for token in self.tokens if token]

    def _url(self, request: Request[Any, Any, Any]) -> str:
        query = request.scope["query_string"].decode("ascii", "replace")
        return f"{self.public_url}{request.scope['path']}" + (f"?{query}" if query else "")
