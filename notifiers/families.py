"""The families of templates: which kinds of notice each is for, whom it addresses, and on which channels it speaks."""

from __future__ import annotations

from dataclasses import dataclass

from rules.notices import NoticeKind, Recipients


@dataclass(frozen=True)
class Family:
    """What a family may be used for.

    Attributes:
        kinds / recipients: of the notices it has the words for.
    """

    kinds: tuple[NoticeKind, ...]
    recipients: tuple[Recipients, ...]

    def fits(self, kind: NoticeKind, recipients: Recipients) -> bool:
        """Whether it has the right words for such a notice."""
        return kind in self.kinds and recipients in self.recipients


FAMILIES = {
    "advisory": Family(("advisory",), ("residents",)),
    "all-clear": Family(("all-clear",), ("residents",)),
    "request": Family(("request", "order-draft"), ("facilities",)),
    "release": Family(("all-clear",), ("facilities",)),
    "instruction": Family(("instruction",), ("authorities",)),
    "instruction-end": Family(("all-clear",), ("authorities",)),
    "order-draft": Family(("order-draft",), ("authorities",)),
    "legal-bulletin": Family(("bulletin",), ("authorities",)),
    "bulletin": Family(("bulletin",), ("authorities",)),
    "retraction": Family(("bulletin",), ("residents", "facilities")),
    "correction": Family(("bulletin",), ("residents", "facilities", "authorities")),
}


def by_sms(recipients: Recipients) -> bool:
    """Whether SMS go to them. Authorities get letters: measures do not fit 160 characters, and somebody signs them."""
    return recipients != "authorities"


def families_for(kind: NoticeKind, recipients: Recipients) -> list[str]:
    """Names of the families with the right words."""
    return [name for name, family in FAMILIES.items() if family.fits(kind, recipients)]
