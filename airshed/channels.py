"""The channels of an installation: to the sandbox in an exercise, to the providers for actual messages."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import msgspec

from airshed.configuration import Configuration
from airshed.secret import Secret
from notifiers.channels.addresses import Allowed
from notifiers.channels.email import EmailChannel, EmailSettings
from notifiers.channels.fallback import FallbackChannel
from notifiers.channels.sms import SmsChannel, SmsSettings
from notifiers.channels.voice import VoiceChannel, VoiceSettings
from notifiers.channels.webhook import WebhookChannel, WebhookSettings
from notifiers.deliveries import ChannelName
from notifiers.links import Links
from notifiers.messages import ActualMessage, Channel, ExerciseMessage
from notifiers.return_paths import ReturnPaths
from notifiers.sandbox.partner import WEBHOOK_KEY
from notifiers.sandbox.server import ACCOUNT_SID, AUTH_TOKEN, Addresses
from streams.errors import ConfigurationError, Problem


def exercise_channels(
    settings: Configuration, sandbox: Addresses, links: Links, paths: ReturnPaths | None
) -> list[Channel[ExerciseMessage]]:
    """Channels of exercise messages; all of them lead to the sandbox, whatever the rest of the configuration says."""
    quick = settings.sandbox.lookup_after_s
    account: dict[str, Any] = {
        "base_url": sandbox.sms_base_url,
        "account_sid": ACCOUNT_SID,
        "auth_token": AUTH_TOKEN,
        "timeout_s": settings.sms.timeout_s,
        "lookup_after_s": quick,
    }
    sms = SmsSettings(sender=settings.sms.sender, status_callbacks=settings.sms.status_callbacks, **account)
    email = EmailSettings(
        host=sandbox.smtp_host,
        port=sandbox.smtp_port,
        sender=settings.email.sender,
        lookup_url=sandbox.mail_lookup_url,
        timeout_s=settings.email.timeout_s,
        lookup_after_s=quick,
    )
    channels: list[Channel[ExerciseMessage]] = [
        SmsChannel(ExerciseMessage, sms, links),
        EmailChannel(ExerciseMessage, email, return_paths=paths),
    ]
    if settings.voice.caller:
        voice = VoiceSettings(caller=settings.voice.caller, **account)
        channels.append(VoiceChannel(ExerciseMessage, voice, links))
    if settings.webhooks.keys:
        hooks = WebhookSettings(
            keys={},
            allowed=Allowed.of(["127.0.0.0/8"]),
            instead=f"{sandbox.sms_base_url}/sandbox/webhook",
            instead_key=WEBHOOK_KEY,
            timeout_s=settings.webhooks.timeout_s,
        )
        channels.append(WebhookChannel(ExerciseMessage, hooks))
    return channels


def actual_channels(settings: Configuration, links: Links, paths: ReturnPaths | None) -> list[Channel[ActualMessage]]:
    """Channels of actual messages.

    Raises:
        ConfigurationError: something they need is missing, or a secret is not there.
    """
    channels: list[Channel[ActualMessage]] = [
        _sms(settings, links),
        EmailChannel(ActualMessage, _email(settings), return_paths=paths),
    ]
    if settings.voice.caller:
        account = _sms_settings(settings)
        voice = VoiceSettings(
            base_url=account.base_url,
            account_sid=account.account_sid,
            auth_token=account.auth_token,
            caller=settings.voice.caller,
            timeout_s=account.timeout_s,
        )
        channels.append(VoiceChannel(ActualMessage, voice, links))
    if settings.webhooks.keys:
        hooks = WebhookSettings(
            keys=webhook_keys(settings),
            allowed=Allowed.of(settings.webhooks.allowed_networks),
            timeout_s=settings.webhooks.timeout_s,
        )
        channels.append(WebhookChannel(ActualMessage, hooks))
    return channels


def channel_names(settings: Configuration) -> list[ChannelName]:
    """The channels that this installation has."""
    names: list[ChannelName] = ["sms", "email"]
    names += ["voice"] if settings.voice.caller else []
    names += ["webhook"] if settings.webhooks.keys else []
    return names


def return_paths(settings: Configuration, secret: str) -> ReturnPaths | None:
    """Return paths of mails, if bounces are read. Raises ``ConfigurationError`` for an address that cannot be."""
    bounces = settings.email.bounces
    return ReturnPaths([secret], bounces.address) if bounces else None


def webhook_keys(settings: Configuration) -> Mapping[str, list[str]]:
    """Keys by host. Raises ``ConfigurationError`` for what is no table of them."""
    return _table(settings.webhooks.keys, "webhooks.keys") if settings.webhooks.keys else {}


def callback_secrets(settings: Configuration, *, sandbox: bool) -> dict[str, Any]:
    """With what the providers sign their calls: arguments of the console's settings."""
    if sandbox:
        return {"sms_auth_token": AUTH_TOKEN}
    sms = settings.sms
    return {
        "sms_auth_token": sms.auth_token.reveal() if sms.auth_token else "",
        "second_auth_token": sms.fallback.auth_token.reveal() if sms.fallback else "",
        "sms_shared_keys": _table(sms.shared_keys, "sms.shared_keys") if sms.shared_keys else {},
    }


def _sms(settings: Configuration, links: Links) -> Channel[ActualMessage]:
    first = SmsChannel(ActualMessage, _sms_settings(settings), links)
    second = settings.sms.fallback
    if second is None:
        return first
    changed = SmsSettings(
        base_url=second.base_url,
        account_sid=second.account_sid,
        auth_token=second.auth_token.reveal(),
        sender=second.sender or settings.sms.sender,
        messaging_service_sid=second.messaging_service_sid,
        status_callbacks=settings.sms.status_callbacks,
        timeout_s=settings.sms.timeout_s,
        concurrency=settings.sms.concurrency,
    )
    return FallbackChannel(first, SmsChannel(ActualMessage, changed, links))


def _sms_settings(settings: Configuration) -> SmsSettings:
    sms = settings.sms
    return SmsSettings(
        base_url=_given(sms.base_url, "sms.base_url"),
        account_sid=sms.account_sid,
        auth_token=sms.auth_token.reveal() if sms.auth_token else "",
        sender=sms.sender,
        messaging_service_sid=sms.messaging_service_sid,
        status_callbacks=sms.status_callbacks,
        timeout_s=sms.timeout_s,
        concurrency=sms.concurrency,
    )


def _email(settings: Configuration) -> EmailSettings:
    email = settings.email
    return EmailSettings(
        host=_given(email.host, "email.host"),
        port=email.port,
        sender=email.sender,
        username=email.username or "",
        password=email.password.reveal() if email.password else "",
        security=email.security,
        ca_file=email.ca_file,
        lookup_url=email.lookup_url or "",
        timeout_s=email.timeout_s,
        concurrency=email.concurrency,
    )


def _given(value: str | None, field: str) -> str:
    if value is None:
        raise ConfigurationError([Problem("needed to send real messages", field=field, remedy="set it")])
    return value


def _table(secret: Secret, field: str) -> Mapping[str, Any]:
    """A secret that is a TOML table. What is wrong with it is said without a word of it."""
    wanted = dict[str, list[str]] if field.startswith("webhooks") else dict[str, str]
    try:
        return msgspec.convert(tomllib.loads(secret.reveal()), wanted)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError):
        remedy = 'write lines like "plant.example.org" = ["whsec_…"]' if field.startswith("webhooks") else "id = secret"
        problem = Problem(f"{secret.reference} is no such table", field=field, remedy=remedy)
        raise ConfigurationError([problem]) from None
