"""Puts the notifiers together for one installation: ledger, channels, links, pages, and in an exercise the sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from litestar import Litestar

from airshed.channels import actual_channels, callback_secrets, exercise_channels, return_paths
from airshed.configuration import Configuration
from airshed.dispatch_settings import dispatch_settings
from airshed.operator_channels import operators_told
from airshed.packs import base_of, outlines_of
from console.app import ConsoleSettings, create_app
from console.cap import cap_routes
from console.people import PeoplePages, people_routes
from console.signup_form import FormRules
from notifiers.bounce_intake import BounceIntake
from notifiers.cap.alerts import Publisher
from notifiers.cap.publication import Publication
from notifiers.composer import Composer
from notifiers.contacts import Vault
from notifiers.database import upgrade
from notifiers.dispatcher import Dispatcher, OnChange
from notifiers.dispatcher_names import held_name
from notifiers.facilities import import_facilities
from notifiers.links import Links
from notifiers.messages import ActualMessage, ExerciseMessage
from notifiers.registries import ImportReport, ImportRules
from notifiers.renderer import Renderer
from notifiers.sandbox.server import Addresses, Sandbox
from notifiers.signups import Desk
from notifiers.subscribers import import_subscribers
from notifiers.undelivered import SecondTries
from notifiers.withdrawal import withdraw_contact
from rules.model import Pack
from streams.clock import Clock, SystemClock
from streams.geography.outlines import Outlines

_SECRET_BYTES = 32
_CAP_EVERY_S = 5.0  # between looks for new alerts; one query each
_log = structlog.get_logger()


@dataclass(frozen=True)
class Keys:
    """What signs links and seals contacts."""

    links: Links
    vault: Vault
    secret: str = field(repr=False)
    countries: tuple[str, ...] = ()
    """Regions whose numbers are taken from registry files; empty for any."""


def keys_of(settings: Configuration, data_dir: Path, public_url: str) -> Keys:
    """The installation's keys. An exercise makes its own secret in ``data_dir`` on first use."""
    secret = settings.secret_key.reveal() if settings.secret_key else _own_secret(data_dir / "secret.key")
    given = settings.contacts
    hash_key = given.hash_key.reveal() if given.hash_key else ""
    vault = Vault.from_secret(secret, [key.reveal() for key in given.keys], hash_key)
    return Keys(Links([secret], public_url), vault, secret, tuple(given.countries))


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
    recorded: bool = False,
) -> AsyncIterator[Messaging]:
    """The notifiers of an installation, while the block runs. In an exercise without a sandbox, one is started.

    Args:
        worker: name of the dispatcher; no other process may use it on this ledger meanwhile.
        recorded: what is said belongs to recorded or simulated time; nobody is there to answer.

    Raises:
        ConfigurationError: a dispatcher of that name is at work, or a key or a channel cannot be used.
    """
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
        stack.enter_context(held_name(engine, worker))
        dispatcher = _dispatcher(engine, settings, keys, clock, addresses, worker, on_change, recorded=recorded)
        stack.push_async_callback(dispatcher.close)
        stack.enter_context(operators_told(settings))
        paths, bounces = return_paths(settings, keys.secret), settings.email.bounces
        if paths is not None and bounces is not None:
            await stack.enter_async_context(BounceIntake(engine, paths, bounces.host, bounces.port))
        pages = console_settings(engine, settings, keys, clock)
        publication = cap_publication(engine, settings, public_url, clock)
        routes = [*extra_routes, *(cap_routes(publication) if publication else ())]
        routes += sign_up_routes(settings, engine, keys, clock)
        if publication is not None and publication.folder is not None:
            writing = asyncio.create_task(_keep_written(publication))
            stack.push_async_callback(_written_once_more, writing, publication)
        yield Messaging(engine, keys, dispatcher, create_app(pages, routes), sandbox)


def console_settings(engine: sa.Engine, settings: Configuration, keys: Keys, clock: Clock) -> ConsoleSettings:
    """What the pages and webhooks of an installation need."""

    def stop(connection: sa.Connection, number: str, channel: str, now_s: float) -> int:
        return withdraw_contact(connection, keys.vault, number, "sms", by=channel, now_s=now_s)

    secrets_ = callback_secrets(settings, sandbox=settings.mode == "exercise")
    tries = SecondTries(fallbacks=settings.dispatch.fallbacks)
    return ConsoleSettings(engine=engine, links=keys.links, withdraw=stop, clock=clock, second_tries=tries, **secrets_)


def sign_up_routes(settings: Configuration, engine: sa.Engine, keys: Keys, clock: Clock) -> list[Any]:
    """The pages for residents."""
    pack = base_of(settings)
    countries = settings.contacts.countries or ["VN"]
    rules = FormRules(airsheds=[pack.airshed], countries=countries, outlines=outlines_of(settings, pack))
    desk = Desk(keys.vault, settings.mode)
    return people_routes(PeoplePages(engine=engine, links=keys.links, clock=clock, desk=desk, rules=rules))


def cap_publication(engine: sa.Engine, settings: Configuration, public_url: str, clock: Clock) -> Publication | None:
    """The public alerts, if there are any."""
    cap = settings.cap
    if not cap.sender:
        return None
    return Publication(
        engine,
        Publisher(
            cap.sender,
            public_url,
            in_force_hours=cap.in_force_hours,
            outlines=outlines_of(settings, base_of(settings)),
        ),
        Renderer(),
        f"{public_url.rstrip('/')}/cap",
        clock,
        Path(cap.folder) if cap.folder else None,
    )


async def _keep_written(publication: Publication) -> None:
    """Keep the files of alerts as they should be, until cancelled."""
    while True:
        try:
            await asyncio.to_thread(publication.write)
        except (OSError, sa.exc.SQLAlchemyError) as error:
            _log.exception("alerts cannot be written", folder=str(publication.folder), error=type(error).__name__)
        await asyncio.sleep(_CAP_EVERY_S)


async def _written_once_more(task: asyncio.Task[None], publication: Publication) -> None:
    """End the task; what came since its last turn is written as well."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.to_thread(publication.write)


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
    *,
    recorded: bool,
) -> Dispatcher[Any]:
    composer = Composer(engine, keys.vault, keys.links)
    paths = return_paths(settings, keys.secret)
    shared: dict[str, Any] = {
        "clock": clock,
        "worker": worker,
        "settings": dispatch_settings(settings, recorded=recorded),
        "on_change": on_change,
    }
    if sandbox is not None:
        exercise = exercise_channels(settings, sandbox, keys.links, paths)
        return Dispatcher(engine, exercise, composer, accepts=ExerciseMessage, **shared)
    return Dispatcher(engine, actual_channels(settings, keys.links, paths), composer, accepts=ActualMessage, **shared)


def import_registries(
    engine: sa.Engine,
    keys: Keys,
    pack: Pack,
    subscribers: Path | None,
    facilities: Path | None,
    outlines: Outlines | None = None,
) -> dict[str, ImportReport]:
    """Read the recipients' registries into the database. Refused rows are in the reports, the others are in.

    ``outlines``: of the pack's provinces, see ``outlines_of``; Viet Nam's unless others are given.

    Raises:
        RegistryError: when a file as a whole cannot be read.
    """
    upgrade(engine)
    rules = ImportRules(
        [pack.airshed], default_region=(*keys.countries, "VN")[0], countries=keys.countries, outlines=outlines
    )
    now_s = SystemClock().now_s()
    reports = {}
    with engine.begin() as connection:
        if subscribers is not None:
            reports["subscribers"] = import_subscribers(connection, subscribers, keys.vault, rules, now_s=now_s)
        if facilities is not None:
            reports["facilities"] = import_facilities(connection, facilities, keys.vault, rules)
    return reports


def log_imports(reports: Mapping[str, ImportReport]) -> None:
    """What became of the registries, for a service's log: refused rows with place and remedy, contacts masked."""
    for registry, report in reports.items():
        _log.info("registry read", registry=registry, accepted=report.accepted, refused=len(report.refused))
        for finding in (*report.refused, *report.warnings):
            _log.warning("registry row", registry=registry, problem=str(finding))
