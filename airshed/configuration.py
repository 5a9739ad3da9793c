"""airshed.toml: what an installation is. Schema-checked; every problem is reported at once; secrets by reference."""

from __future__ import annotations

import difflib
import ipaddress
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta
from phonenumbers import SUPPORTED_REGIONS

from airshed.message_settings import (
    CapSettings,
    EmailSettings,
    OperatorSettings,
    SmsSettings,
    VoiceSettings,
    WebhookSettings,
)
from airshed.secret import Secret
from airshed.source_settings import DEFAULT_KIND, KINDS, SourceSettings, problems_of, resolved
from notifiers.deliveries import DEFAULT_FALLBACKS, ChannelName
from notifiers.escalation import EscalationPlan
from streams.errors import ConfigurationError, Problem
from streams.screening import Limits

__all__ = ["Configuration", "Mode", "Secret", "SourceSettings", "load"]

Mode = Literal["exercise", "actual"]


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The gateway's name (unique per process), how many gateways feed the topic, and how often it marks progress."""

    name: str = "gateway"
    of: int = 1
    mark_every_s: float = 30.0


class SandboxSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sandbox that is already running (``airshed sandbox DIR``). Without addresses each service starts its own.

    ``lookup_after_s``: how long after a lost answer the sandbox is asked; it answers at once, so this is short.
    """

    smtp: str | None = None
    http: str | None = None
    lookup_after_s: float = 1.0


class WebSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the service listens, and the address under which people and providers reach it."""

    host: str = "127.0.0.1"
    port: int = 8600
    public_url: str = "http://127.0.0.1:8600"


class ContactsSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How numbers and addresses are kept, and whose numbers are taken.

    ``keys``: Fernet keys that seal them, the newest first; after them ``secret_key`` still opens what it sealed.
    ``hash_key``: by which they are found again; it cannot change once people are registered. Default: of
    ``secret_key``. ``countries``: regions such as ``VN``; the sign-up page takes only their numbers (default: VN),
    and so do registry files if any are named.
    """

    keys: list[Secret] = []
    hash_key: Secret | None = None
    countries: list[str] = []


class KafkaSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Kafka runtime."""

    bootstrap: list[str] = msgspec.field(default_factory=lambda: ["127.0.0.1:9092"])
    partitions: int = 6
    airshed_partitions: int = 2
    replication: int = 1
    group: str = "airshed"
    grace_s: float = 600.0


class RulesSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Packs over time. ``folder``: the shelf, where ``airshed rules activate`` puts them; without it, ``pack`` always.

    With a shelf, ``pack`` is in force until the first activation.
    """

    folder: str | None = None


class PaceSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast a channel may go, over all dispatchers; 0 = no limit.

    Attributes:
        per_second: messages begun per second.
        segments_per_second: SMS segments per second of one sender (a long code: 1).
        per_minute: the ceiling; beyond it operators are told and what is not urgent waits for the next minute.
    """

    per_second: Annotated[float, Meta(ge=0)] = 0.0
    segments_per_second: Annotated[float, Meta(ge=0)] = 0.0
    per_minute: Annotated[int, Meta(ge=0)] = 6_000


class DispatchSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sending: how fast, what needs a person's look, and what happens when a channel is down.

    Attributes:
        guard_recipients: most messages of one notice that go out without a person's yes; 0 = no guard.
        guard_urgent_recipients: the same for urgent notices (priority 0); 0 = they always go, operators are told.
        fallback_after_s: how long a channel must be down before its urgent messages go another way.
        fallbacks: by channel, the other way.
    """

    guard_recipients: Annotated[int, Meta(ge=0)] = 20_000
    guard_urgent_recipients: Annotated[int, Meta(ge=0)] = 0
    fallback_after_s: Annotated[float, Meta(gt=0)] = 120.0
    fallbacks: dict[ChannelName, ChannelName] = msgspec.field(default_factory=lambda: dict(DEFAULT_FALLBACKS))
    sms: PaceSection = PaceSection()
    email: PaceSection = PaceSection()
    voice: PaceSection = PaceSection(per_minute=60)


class AuditSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often the ledger is audited, and how long things may take, seconds; see ``notifiers.auditor.Patience``."""

    every_s: Annotated[float, Meta(gt=0)] = 300.0
    waiting_s: Annotated[float, Meta(gt=0)] = 1_800.0
    unknown_s: Annotated[float, Meta(gt=0)] = 900.0
    fan_out_s: Annotated[float, Meta(gt=0)] = 300.0
    silent_s: Annotated[float, Meta(gt=0)] = 36_000.0


class HeartbeatSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sign of life by HTTP while sending is well. ``url`` often holds a token, so it is given as a secret."""

    url: Secret | None = None
    every_s: Annotated[float, Meta(gt=0)] = 60.0


class AudienceSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many messages one person may get of an episode on a channel; see ``notifiers.told.Caps``."""

    per_episode: Annotated[int, Meta(gt=0)] = 20
    reminder_after_h: Annotated[int, Meta(ge=0)] = 24


class Configuration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An installation.

    Attributes:
        mode: ``exercise`` (every message says so, only the sandbox is reached) or ``actual``.
        data_dir: database, keys and, in exercise mode, the sandbox's mailbox.
        pack: name or path of the rule pack.
        stations / subscribers / facilities: registry CSV files.
        outlines: GeoJSON of the pack's provinces, for public alerts and residents' circles; default: Viet Nam's.
        database: SQLAlchemy URL; default: SQLite in ``data_dir``.
    """

    mode: Mode = "exercise"
    data_dir: str = "var"
    pack: str = "vietnam-2026"
    stations: str = "stations.csv"
    subscribers: str | None = None
    facilities: str | None = None
    outlines: str | None = None
    database: str | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    secret_key: Secret | None = None
    sources: list[SourceSettings] = []
    gateway: GatewaySettings = GatewaySettings()
    sms: SmsSettings = SmsSettings()
    email: EmailSettings = EmailSettings()
    voice: VoiceSettings = VoiceSettings()
    webhooks: WebhookSettings = WebhookSettings()
    cap: CapSettings = CapSettings()
    operators: OperatorSettings = OperatorSettings()
    sandbox: SandboxSettings = SandboxSettings()
    web: WebSettings = WebSettings()
    contacts: ContactsSection = ContactsSection()
    kafka: KafkaSection = KafkaSection()
    screening: Limits = Limits()
    rules: RulesSection = RulesSection()
    dispatch: DispatchSection = DispatchSection()
    audience: AudienceSection = AudienceSection()
    audit: AuditSection = AuditSection()
    heartbeat: HeartbeatSection = HeartbeatSection()
    escalations: list[EscalationPlan] = msgspec.field(default_factory=lambda: [EscalationPlan()])

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{Path(self.data_dir) / 'airshed.sqlite'}"


def load(path: Path) -> Configuration:
    """Read and check a configuration file.

    Relative paths in it are relative to the file.

    Raises:
        ConfigurationError: with every problem found, each naming file, line, key and remedy.
    """
    text = _text(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([Problem(str(error), place=str(path), remedy="mend the TOML syntax")]) from error
    problems: list[Problem] = []
    settings = _converted(Configuration, data, "", problems)
    if settings is not None:
        settings = _resolved(settings, path.parent)
        problems += _contradictions(settings)
    if problems or settings is None:
        raise ConfigurationError([_placed(problem, path, text) for problem in problems])
    return settings


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            [Problem(error.strerror or str(error), place=str(path), remedy="give the file with --config FILE")]
        ) from error


def _converted(struct: type[Any], data: dict[str, Any], prefix: str, problems: list[Problem]) -> Any | None:
    """Convert a table field by field, so that one wrong value does not hide the next one."""
    before = len(problems)
    hints = get_type_hints(struct)
    known = {field.name: field for field in msgspec.structs.fields(struct)}
    for name in data.keys() - known.keys():
        near = difflib.get_close_matches(name, known, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        problems.append(Problem("unknown key", field=prefix + name, remedy=remedy))
    values = {name: _value(hints[name], data[name], prefix + name, problems) for name in known if name in data}
    for name, field in known.items():
        if field.required and name not in data:
            problems.append(Problem("missing", field=prefix + name, remedy="add it"))
    try:
        return struct(**values) if len(problems) == before else None
    except ValueError as error:  # a struct that checks itself, such as the limits of screening
        problems.append(Problem(str(error), field=prefix.rstrip("."), remedy="correct the values"))
        return None


def _value(hint: Any, value: Any, path: str, problems: list[Problem]) -> Any:
    if hint == list[SourceSettings] and isinstance(value, list):
        return [_source(entry, f"{path}[{n}]", problems) for n, entry in enumerate(value)]
    arms = [arm for arm in get_args(hint) if arm is not type(None)] if type(None) in get_args(hint) else [hint]
    if Secret in arms:
        return _secret(value, path, problems)
    if get_origin(arms[0]) is list and _is_struct(get_args(arms[0])[0]) and isinstance(value, list):
        item = get_args(arms[0])[0]
        return [_value(item, entry, f"{path}[{n}]", problems) for n, entry in enumerate(value)]
    if _is_struct(arms[0]) and isinstance(value, dict):
        return _converted(arms[0], value, f"{path}.", problems)
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        problems.append(Problem(str(error), field=path, remedy="see docs/configuration.md"))
        return None


def _source(entry: Any, path: str, problems: list[Problem]) -> Any:
    """A feed by its kind."""
    kind = entry.get("kind", DEFAULT_KIND) if isinstance(entry, dict) else None
    if kind in KINDS:
        return _converted(KINDS[kind], entry, f"{path}.", problems)
    near = difflib.get_close_matches(str(kind), KINDS, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(KINDS)}"
    problems.append(Problem(f"unknown kind {kind!r}", field=f"{path}.kind", remedy=remedy))
    return None


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _secret(value: Any, path: str, problems: list[Problem]) -> Secret | None:
    if isinstance(value, str) and re.match(r"(env|file):.", value):
        return Secret(value)
    problems.append(
        Problem(
            "a secret may not stand in the configuration",
            field=path,
            remedy='write "env:NAME" or "file:PATH" and put the secret there',
        )
    )
    return None


_PATH_FIELDS = ("data_dir", "stations", "subscribers", "facilities", "outlines")


def _resolved(settings: Configuration, base: Path) -> Configuration:
    changes: dict[str, Any] = {
        name: str(base / value) for name in _PATH_FIELDS if (value := getattr(settings, name)) is not None
    }
    changes["sources"] = [resolved(source, base) for source in settings.sources]
    if settings.pack.endswith((".yaml", ".yml")):
        changes["pack"] = str(base / settings.pack)
    if settings.cap.folder is not None:
        changes["cap"] = msgspec.structs.replace(settings.cap, folder=str(base / settings.cap.folder))
    if settings.email.ca_file:
        changes["email"] = msgspec.structs.replace(settings.email, ca_file=str(base / settings.email.ca_file))
    if settings.rules.folder is not None:
        changes["rules"] = RulesSection(folder=str(base / settings.rules.folder))
    return msgspec.structs.replace(settings, **changes)


def _contradictions(settings: Configuration) -> list[Problem]:
    problems = []
    if not Path(settings.stations).is_file():
        problems.append(Problem(f"no file {settings.stations}", field="stations", remedy="name the station registry"))
    for name, what in (("subscribers", "registry file"), ("facilities", "registry file"), ("outlines", "GeoJSON")):
        value = getattr(settings, name)
        if value is not None and not Path(value).is_file():
            problems.append(Problem(f"no file {value}", field=name, remedy=f"name the {what} or leave it out"))
    problems += problems_of(settings.sources)
    for network in settings.webhooks.allowed_networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            remedy = "write it like 10.20.0.0/16"
            problems.append(Problem(str(error), field="webhooks.allowed_networks", remedy=remedy))

    for country in settings.contacts.countries:
        if country not in SUPPORTED_REGIONS:
            remedy = "write two capital letters, such as VN"
            problems.append(Problem(f"no country {country!r}", field="contacts.countries", remedy=remedy))
    if settings.mode == "actual":
        problems += _missing_for_actual(settings)
    return problems


def _missing_for_actual(settings: Configuration) -> list[Problem]:
    wanted = {
        "sms.base_url": settings.sms.base_url,
        "sms.auth_token": settings.sms.auth_token,
        "email.host": settings.email.host,
        "secret_key": settings.secret_key,
    }
    return [
        Problem('mode = "actual" sends real messages and needs it', field=name, remedy='set it, or mode = "exercise"')
        for name, value in wanted.items()
        if value is None
    ]


def _placed(problem: Problem, path: Path, text: str) -> Problem:
    line = _line_of(problem.field, text)
    place = f"{path}:{line}" if line else str(path)
    return Problem(problem.message, place=place, field=problem.field, remedy=problem.remedy)


def _line_of(field: str, text: str) -> int:
    """Line of a key in a TOML text (``sources[1].accounts[0].password``), 0 if it is not written there."""
    *tables, key = field.split(".")
    wanted = [table if table.endswith("]") else f"{table}[0]" for table in tables]
    here: list[str] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if match := re.match(r"\s*(\[\[?)\s*([\w.-]+)\s*\]\]?", line):
            here = _header(match[2].split("."), is_list=match[1] == "[[", counts=counts)
        if here == wanted and re.match(rf"\s*{re.escape(key)}\s*=", line):
            return number
    return 0


def _header(names: list[str], *, is_list: bool, counts: dict[str, int]) -> list[str]:
    """The tables a header names, each with its position in its list (``counts`` remembers how many there were)."""
    path: list[str] = []
    for depth, name in enumerate(names, start=1):
        whole = ".".join([*path, name])
        if depth == len(names) and is_list:
            counts[whole] = counts.get(whole, -1) + 1
        path.append(f"{name}[{counts.get(whole, 0)}]")
    return path
