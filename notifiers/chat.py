"""Operators' chat and on-call services through apprise: one secret address each, never shown."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType, PersistentStoreMode

from notifiers.operators import Severity
from streams.errors import ConfigurationError, Problem

_TYPES: dict[Severity, NotifyType] = {
    "information": NotifyType.INFO,
    "warning": NotifyType.WARNING,
    "critical": NotifyType.FAILURE,
}


class ChatService:
    """One service. ``deliver`` blocks until the service has answered (apprise waits four seconds for it)."""

    def __init__(self, address: str, number: int) -> None:
        """Take an address as apprise writes them (``slack://…``, ``mailto://…``, ``json://…``).

        Raises:
            ConfigurationError: apprise knows no such address; it is not shown, because it holds the secret.
        """
        _silence()
        asset = AppriseAsset(app_id="Airshed", storage_mode=PersistentStoreMode.MEMORY, async_mode=False)
        self._service = Apprise(asset=asset)
        if not self._service.add(address):
            raise ConfigurationError(
                [
                    Problem(
                        "not an address that apprise understands",
                        field=f"operators.addresses[{number}]",
                        remedy="see the service's page in apprise's documentation; the address is not shown here",
                    )
                ]
            )
        self.name = f"{address.partition(':')[0]} ({number + 1})"

    def __repr__(self) -> str:
        return f"ChatService({self.name})"

    def deliver(self, title: str, body: str, severity: Severity) -> bool:
        return bool(
            self._service.notify(title=title, body=body, notify_type=_TYPES[severity], body_format=NotifyFormat.TEXT)
        )


def chat_services(secrets: Sequence[str]) -> list[ChatService]:
    """A service per line of the given secrets; empty lines and lines that begin with ``#`` are left out.

    Raises:
        ConfigurationError: naming the number of the address, never the address.
    """
    lines = [line.strip() for secret in secrets for line in secret.splitlines()]
    addresses = [line for line in lines if line and not line.startswith("#")]
    return [ChatService(address, number) for number, address in enumerate(addresses)]


def _silence() -> None:
    """apprise's warnings repeat the address with its token; what matters is counted and logged by whoever tells."""
    logging.getLogger("apprise").disabled = True
