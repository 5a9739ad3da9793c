"""Tables of airshed.toml about the ways messages go: providers, mail, calls, webhooks, CAP, operators."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from airshed.secret import Secret

Security = Literal["starttls", "tls", "none"]
Port = Annotated[int, Meta(ge=1, le=65_535)]


class SecondSmsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A second SMS provider, or a second account, that takes over while the first one is down."""

    base_url: str
    account_sid: str
    auth_token: Secret
    sender: str = ""
    messaging_service_sid: str = ""


class SmsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The SMS provider. Without ``base_url`` the sandbox endpoint is used; with mode ``actual`` it is required.

    Attributes:
        sender: number or registered name; not needed with ``messaging_service_sid``.
        shared_keys: TOML of key id = secret, where the provider signs its calls with shared keys.
        concurrency: requests under way at the same time.
    """

    base_url: str | None = None
    account_sid: str = "ACsandbox"
    auth_token: Secret | None = None
    sender: str = "AIRSHED"
    messaging_service_sid: Annotated[str, Meta(pattern="^(MG[0-9a-fA-F]{32})?$")] = ""
    status_callbacks: bool = True
    shared_keys: Secret | None = None
    timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    concurrency: Annotated[int, Meta(ge=1)] = 8
    fallback: SecondSmsSettings | None = None


class VoiceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Calls, by the SMS provider's account. Without ``caller`` nobody is called.

    ``caller``: number of the account to call from, in E.164 form.
    """

    caller: Annotated[str, Meta(pattern=r"^(\+[1-9]\d{6,14})?$")] = ""


class BounceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounces of mails.

    Attributes:
        address: that bounces go to; each mail's own one is made from it (``bounces+…@bounce.example.org``).
        host / port: where the mail server hands bounces over by LMTP.
    """

    address: str
    host: str = "127.0.0.1"
    port: Port = 2526


class EmailSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The mail server. Without ``host`` the sandbox mailbox is used; with mode ``actual`` it is required.

    Attributes:
        security: ``starttls`` (usual on port 587), ``tls`` (465), or ``none`` for a server on this machine.
        ca_file: certificates to trust instead of the system's.
    """

    host: str | None = None
    port: Port = 587
    username: str | None = None
    password: Secret | None = None
    security: Security = "starttls"
    ca_file: str = ""
    sender: str = "canh-bao@airshed.example.invalid"
    lookup_url: str | None = None
    timeout_s: Annotated[float, Meta(gt=0)] = 20.0
    concurrency: Annotated[int, Meta(ge=1)] = 4
    bounces: BounceSettings | None = None


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signed webhooks to plants' and partners' systems. Without ``keys`` none is sent.

    Attributes:
        keys: TOML of host = ["whsec_…"], the newest first, two while one is replaced.
        allowed_networks: networks beside the public internet that may be reached, such as ``10.20.0.0/16``.
    """

    keys: Secret | None = None
    allowed_networks: list[str] = []
    timeout_s: Annotated[float, Meta(gt=0, le=10)] = 10.0


class CapSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Public alerts in CAP 1.2, at ``/cap/feed.atom`` of the console. Without ``sender`` there are none.

    Attributes:
        sender: name of who publishes, under a domain of theirs (``alerts@example.org``).
        folder: where files of them are written as well.
        in_force_hours: how long an alert is in force at most, if no all-clear ends it.
    """

    sender: Annotated[str, Meta(pattern=r"^[^\s,<&]*$")] = ""
    in_force_hours: Annotated[float, Meta(gt=0)] = 72.0
    folder: str | None = None


class OperatorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What operators are told, on their chat and on-call services. Without ``addresses`` only the log has it.

    Attributes:
        addresses: addresses as apprise writes them, one a line; they hold the services' secrets.
        name: of the installation, before every title.
        repeat_after_s: the same event again only after this time.
    """

    addresses: Secret | None = None
    name: str = "Airshed"
    repeat_after_s: Annotated[float, Meta(ge=60)] = 3600.0
