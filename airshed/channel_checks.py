"""What ``airshed doctor`` looks at in the ways messages go. Nothing is sent, and no secret is shown."""

from __future__ import annotations

import base64
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Collection
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa

from airshed.channels import callback_secrets, return_paths, webhook_keys
from airshed.configuration import Configuration
from airshed.existing_database import existing_database
from airshed.messaging import keys_of
from notifiers.channels.webhook import checked_keys
from notifiers.chat import chat_services
from notifiers.contacts import Vault
from notifiers.database import reading
from notifiers.tables import facilities
from streams.errors import ConfigurationError, Problem

Look = tuple[str, Callable[[], str]]
_TIMEOUT_S = 5.0
_ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
_NUMBER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}")  # E.164, or a short code


def channel_looks(settings: Configuration) -> list[Look]:
    """Callbacks, webhooks and operators always; the rest where the configuration has it."""
    looks: list[Look] = [("callbacks", lambda: _callbacks(settings))]
    if settings.mode == "actual":
        looks.append(("sms", lambda: _sms(settings)))
    if settings.sms.fallback:
        looks.append(("sms fallback", lambda: _second(settings)))
    if settings.email.bounces:
        looks.append(("bounces", lambda: _bounces(settings)))
    looks.append(("webhooks", lambda: _webhooks(settings)))
    if settings.cap.sender:
        looks.append(("cap", lambda: _cap(settings)))
    looks.append(("operators", lambda: _operators(settings)))
    return looks


def _callbacks(settings: Configuration) -> str:
    url = urlsplit(settings.web.public_url)
    host = url.hostname or ""
    if not host or "_" in host:
        raise _wrong("web.public_url", "the provider calls no host name with an underscore, or without a name")
    if settings.mode == "actual" and url.scheme != "https":
        raise _wrong("web.public_url", "people and providers come from outside: it has to be https")
    callback_secrets(settings, sandbox=settings.mode == "exercise")
    wanted = settings.sms.status_callbacks
    return f"{settings.web.public_url}/webhooks/…" if wanted else "status_callbacks = false: nobody tells what arrived"


def _sms(settings: Configuration) -> str:
    sms = settings.sms
    _sender("sms.sender", sms.sender, sms.messaging_service_sid)
    token = sms.auth_token.reveal() if sms.auth_token else ""
    return _account(sms.base_url or "", sms.account_sid, token, "sms.auth_token")


def _second(settings: Configuration) -> str:
    second = settings.sms.fallback
    assert second is not None
    _sender("sms.fallback.sender", second.sender or settings.sms.sender, second.messaging_service_sid)
    if settings.mode == "exercise":
        return "an exercise reaches the sandbox only"
    return _account(second.base_url, second.account_sid, second.auth_token.reveal(), "sms.fallback.auth_token")


def _sender(field: str, sender: str, service: str) -> None:
    if not service and not _ALPHANUMERIC.fullmatch(sender) and not _NUMBER.fullmatch(sender):
        raise _wrong(field, "neither a number nor a name of at most 11 letters, digits and spaces")


def _account(base_url: str, account: str, token: str, field: str) -> str:
    """Ask the provider for the account itself: the one request that sends nothing and shows that the token is good."""
    url = urlsplit(base_url)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise _wrong(field.replace("auth_token", "base_url"), "no web address")
    credentials = base64.b64encode(f"{account}:{token}".encode()).decode()
    where = f"{base_url.rstrip('/')}/2010-04-01/Accounts/{account}.json"
    request = urllib.request.Request(where, headers={"Authorization": f"Basic {credentials}"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
            return f"{url.hostname} knows the account"
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            raise _wrong(field, f"{url.hostname} refuses the account or its token") from None
        return f"{url.hostname} answers (HTTP {error.code})"


def _bounces(settings: Configuration) -> str:
    bounces = settings.email.bounces
    assert bounces is not None
    return_paths(settings, "only the form of the address is looked at")
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((bounces.host, bounces.port))
        except OSError:
            return f"{bounces.address}; {bounces.host}:{bounces.port} is in use (by the running service?)"
    return f"{bounces.address}, taken by LMTP at {bounces.host}:{bounces.port}"


def _webhooks(settings: Configuration) -> str:
    """Keys are in order, and every plant with a webhook has one for its host: without, nothing is sent there."""
    keys = webhook_keys(settings)
    for host, texts in keys.items():
        checked_keys(host, texts)
    plants = _webhooks_of_plants(settings)
    if plants and not settings.webhooks.keys:
        raise _wrong("webhooks.keys", f"{_some(plants)} a webhook, and no keys are set: nothing is sent there")
    known = {host.lower() for host in keys}
    lacking = [plant for plant, host in plants.items() if host and host not in known]
    if lacking and settings.mode == "actual":
        raise _wrong("webhooks.keys", f"{_some(lacking)} a webhook at a host without a key: what goes there fails")
    return f"keys for {', '.join(sorted(keys)) or 'nobody'}; {len(plants)} plants have a webhook"


def _webhooks_of_plants(settings: Configuration) -> dict[str, str]:
    """Host of the webhook by id of the plant; an empty host where this machine has no key to read it with."""
    engine = existing_database(settings, facilities)
    if engine is None:
        return {}
    with reading(engine) as connection:
        query = sa.select(facilities.c.facility_id, facilities.c.webhook).where(facilities.c.webhook.is_not(None))
        found = connection.execute(query.order_by(facilities.c.facility_id)).all()
    if not found:
        return {}
    vault = keys_of(settings, Path(settings.data_dir), settings.web.public_url).vault
    return {row.facility_id: _host(vault, row.webhook) for row in found}


def _host(vault: Vault, sealed: bytes) -> str:
    try:
        return urlsplit(vault.open(sealed)).hostname or ""
    except ConfigurationError:
        return ""


def _some(plants: Collection[str]) -> str:
    shown = ", ".join(sorted(plants)[:5])
    more = f" and {len(plants) - 5} more" if len(plants) > 5 else ""
    return f"plant {shown} has" if len(plants) == 1 else f"plants {shown}{more} have"


def _cap(settings: Configuration) -> str:
    folder = settings.cap.folder
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        trial = Path(folder) / ".doctor"
        trial.touch()
        trial.unlink()
    return f"{settings.web.public_url}/cap/feed.atom" + (f", files in {folder}" if folder else "")


def _operators(settings: Configuration) -> str:
    if settings.operators.addresses is None:
        return "nobody: events are in the log and in airshed_operator_events_total only"
    services = chat_services([settings.operators.addresses.reveal()])
    return f"{', '.join(service.name for service in services)}: try them with `airshed operators test`"


def _wrong(field: str, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(message, field=field, remedy="see docs/channels.md")])
