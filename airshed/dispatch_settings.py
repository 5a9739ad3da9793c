"""The dispatcher's settings from airshed.toml."""

from __future__ import annotations

from airshed.configuration import Configuration, PaceSection
from notifiers.guard import Guard
from notifiers.settings import ChannelPace, DispatchSettings


def dispatch_settings(settings: Configuration, *, recorded: bool = False) -> DispatchSettings:
    """How this installation sends. What is ``recorded`` goes to the sandbox on its own time: nobody is there to answer
    a request or to let a notice go, and no provider needs to be spared."""
    section = settings.dispatch
    if recorded:
        return DispatchSettings(fallbacks=section.fallbacks, fallback_after_s=section.fallback_after_s)
    guard = Guard(section.guard_recipients, section.guard_urgent_recipients)
    return DispatchSettings(
        guard=guard if guard.recipients or guard.urgent_recipients else None,
        paces={"sms": _pace(section.sms), "email": _pace(section.email), "voice": _pace(section.voice)},
        fallbacks=section.fallbacks,
        fallback_after_s=section.fallback_after_s,
        escalations=tuple(settings.escalations),
    )


def _pace(section: PaceSection) -> ChannelPace:
    return ChannelPace(section.per_second, section.segments_per_second, section.per_minute)
