"""Puts the notifiers together for one installation: ledger, channels, links, pages, and in an exercise the sandbox."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from litestar import Litestar

from airshed.configuration import Configuration
from airshed.dispatch_settings import dispatch_settings
from console.app import ConsoleSettings, create_app
from notifiers.channels.email import EmailChannel, EmailSettings
from notifiers.channels.sms import SmsChannel, SmsSettings
from notifiers.composer import Composer
from notifiers.contacts import Vault
from notifiers.database import upgrade
from notifiers.dispatcher import Dispatcher, OnChange
from notifiers.facilities import import_facilities
from notifiers.links import Links
from notifiers.messages import ActualMessage, Channel, ExerciseMessage
from notifiers.registries import ImportReport, ImportRules
from notifiers.sandbox.server import ACCOUNT_SID, AUTH_TOKEN, Addresses, Sandbox
from notifiers.subscribers import import_subscribers
from rules.model import Pack
from streams.clock import Clock
from streams.errors import ConfigurationError, Problem

_SECRET_BYTES = 32
_log = structlog.get_logger()


@dataclass(frozen=True)
class Keys:
    """What signs links and seals contacts."""

    links: Links
    vault: Vault


def keys_of(settings: Configuration, data_dir: Path, public_url: str) -> Keys:
    """The installation's keys. An exercise makes its own secret in ``data_dir`` on first use."""
    secret = settings.secret_key.reveal() if settings.secret_key else _own_secret(data_dir / "secret.key")
    return Keys(Links([secret], public_url), Vault.from_secret(secret))


def _own_secret(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(_SECRET_BYTES))
    return path.read_text(encoding="utf-8").strip()


@dataclass
class Messaging:
    """Everything between a planned delivery and its receipt, for one process."""

    engine: sa.Engine
    keys: Keys
    dispatcher: Dispatcher[Any]
    app: Litestar
    sandbox: Sandbox | None


@contextlib.asynccontextmanager
async def messaging(
    engine: sa.Engine,
    settings: Configuration,
    clock: Clock,
    *,
    public_url: str,
    worker: str,
    on_change: OnChange | None = None,
    extra_routes: Sequence[Any] = (),
) -> AsyncIterator[Messaging]:
    """The notifiers of an installation, while the block runs. In an exercise without a sandbox, one is started."""
    upgrade(engine)
    data_dir = Path(settings.data_dir)
    keys = keys_of(settings, data_dir, public_url)
    async with contextlib.AsyncExitStack() as stack:
        sandbox, addresses = None, None
        if settings.mode == "exercise":
            addresses = _given_sandbox(settings)
        if settings.mode == "exercise" and addresses is None:
            sandbox = await stack.enter_async_context(Sandbox(data_dir / "sandbox"))
            addresses = sandbox.addresses
        dispatcher = _dispatcher(engine, settings, keys, clock, addresses, worker, on_change)
        stack.push_async_callback(dispatcher.close)
        token = AUTH_TOKEN if addresses else _revealed(settings.sms.auth_token)
        pages = ConsoleSettings(engine=engine, links=keys.links, sms_auth_token=token, clock=clock)
        yield Messaging(engine, keys, dispatcher, create_app(pages, extra_routes), sandbox)


def _given_sandbox(settings: Configuration) -> Addresses | None:
    """The sandbox that is running already, if the configuration names one."""
    given = settings.sandbox
    if not (given.smtp and given.http):
        return None
    host, _, port = given.smtp.rpartition(":")
    return Addresses(given.http, host, int(port), f"{given.http}/sandbox/mail/lookup", f"{given.http}/")


def _dispatcher(
    engine: sa.Engine,
    settings: Configuration,
    keys: Keys,
    clock: Clock,
    sandbox: Addresses | None,
    worker: str,
    on_change: OnChange | None,
) -> Dispatcher[Any]:
    composer = Composer(engine, keys.vault, keys.links)
    if sandbox is not None:
        quick = settings.sandbox.lookup_after_s
        exercise: list[Channel[ExerciseMessage]] = [
            SmsChannel(ExerciseMessage, _sandbox_sms(settings, sandbox, quick), keys.links),
            EmailChannel(ExerciseMessage, _sandbox_email(settings, sandbox, quick)),
        ]
        return Dispatcher(
            engine,
            exercise,
            composer,
            accepts=ExerciseMessage,
            clock=clock,
            worker=worker,
            settings=dispatch_settings(settings),
            on_change=on_change,
        )
    actual: list[Channel[ActualMessage]] = [
        SmsChannel(ActualMessage, _real_sms(settings), keys.links),
        EmailChannel(ActualMessage, _real_email(settings)),
    ]
    return Dispatcher(
        engine,
        actual,
        composer,
        accepts=ActualMessage,
        clock=clock,
        worker=worker,
        settings=dispatch_settings(settings),
        on_change=on_change,
    )


def _sandbox_sms(settings: Configuration, sandbox: Addresses, lookup_after_s: float) -> SmsSettings:
    return SmsSettings(
        base_url=sandbox.sms_base_url,
        account_sid=ACCOUNT_SID,
        auth_token=AUTH_TOKEN,
        sender=settings.sms.sender,
        status_callbacks=settings.sms.status_callbacks,
        timeout_s=settings.sms.timeout_s,
        lookup_after_s=lookup_after_s,
    )


def _sandbox_email(settings: Configuration, sandbox: Addresses, lookup_after_s: float) -> EmailSettings:
    return EmailSettings(
        host=sandbox.smtp_host,
        port=sandbox.smtp_port,
        sender=settings.email.sender,
        lookup_url=sandbox.mail_lookup_url,
        timeout_s=settings.email.timeout_s,
        lookup_after_s=lookup_after_s,
    )


def _real_sms(settings: Configuration) -> SmsSettings:
    sms = settings.sms
    return SmsSettings(
        base_url=_given(sms.base_url, "sms.base_url"),
        account_sid=sms.account_sid,
        auth_token=_revealed(sms.auth_token),
        sender=sms.sender,
        status_callbacks=sms.status_callbacks,
        timeout_s=sms.timeout_s,
    )


def _real_email(settings: Configuration) -> EmailSettings:
    email = settings.email
    return EmailSettings(
        host=_given(email.host, "email.host"),
        port=email.port,
        sender=email.sender,
        username=email.username or "",
        password=email.password.reveal() if email.password else "",
        security="starttls" if email.starttls else "none",
        lookup_url=email.lookup_url or "",
        timeout_s=email.timeout_s,
    )


def _given(value: str | None, field: str) -> str:
    if value is None:
        raise ConfigurationError([Problem("needed to send real messages", field=field, remedy="set it")])
    return value


def _revealed(secret: Any) -> str:
    return str(secret.reveal()) if secret is not None else ""


def import_registries(
    engine: sa.Engine, keys: Keys, pack: Pack, subscribers: Path | None, facilities: Path | None
) -> dict[str, ImportReport]:
    """Read the recipients' registries into the database. Refused rows are in the reports, the others are in.

    Raises:
        RegistryError: when a file as a whole cannot be read.
    """
    upgrade(engine)
    rules = ImportRules([pack.airshed])
    reports = {}
    with engine.begin() as connection:
        if subscribers is not None:
            reports["subscribers"] = import_subscribers(connection, subscribers, keys.vault, rules)
        if facilities is not None:
            reports["facilities"] = import_facilities(connection, facilities, keys.vault, rules)
    return reports


def log_imports(reports: Mapping[str, ImportReport]) -> None:
    """What became of the registries, for a service's log: refused rows with place and remedy, contacts masked."""
    for registry, report in reports.items():
        _log.info("registry read", registry=registry, accepted=report.accepted, refused=len(report.refused))
        for finding in (*report.refused, *report.warnings):
            _log.warning("registry row", registry=registry, problem=str(finding))
