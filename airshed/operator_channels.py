"""The operators' chat and on-call services of an installation, while a service runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from airshed.configuration import Configuration
from notifiers.operators import Occasion, OperatorDesk, OperatorEvent, OperatorLimits, install, tell
from streams.clock import utc


@contextlib.contextmanager
def operators_told(settings: Configuration) -> Iterator[OperatorDesk | None]:
    """While the block runs, ``notifiers.operators.tell`` reaches the configured services; ``None`` without any.

    Raises:
        ConfigurationError: the secret is not there, or holds what apprise does not understand.
    """
    section = settings.operators
    if section.addresses is None:
        yield None
        return
    from notifiers.chat import chat_services  # apprise takes a third of a second to import

    exercise = "DIỄN TẬP / EXERCISE: " if settings.mode == "exercise" else ""
    desk = OperatorDesk(
        chat_services([section.addresses.reveal()]),
        prefix=f"{exercise}[{section.name}] ",
        limits=OperatorLimits(repeat_after_s=section.repeat_after_s),
    )
    restore = install(desk)
    try:
        yield desk
    finally:
        restore()
        desk.close()


def tell_silence(source: str, *, silent: bool, heard_s: float) -> None:
    """Tell operators that a source has become silent, or speaks again."""
    occasion = Occasion.SOURCE_SILENT if silent else Occasion.SOURCE_BACK
    says = f"the last usable reading before came at {utc(heard_s):%Y-%m-%d %H:%M} UTC"
    tell(OperatorEvent(occasion=occasion, about=source, says=says))
