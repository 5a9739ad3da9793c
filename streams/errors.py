"""The error tree. Every error names its place and the remedy, and says whether trying again can help.

AirshedError
├── InputError            something that came in from outside cannot be used
│   ├── ReadingError      one reading or one line of a station file
│   └── RegistryError     a row of a stations, facilities or subscribers file
├── FeedError             a source could not be asked
│   ├── UnreachableFeedError      no answer, or one that passes: trying again may help
│   └── RefusedFeedError          the other side will not have us: somebody must change something
├── ConfigurationError    airshed.toml or an environment variable
├── PackError             a rule pack; refused whole
└── DeliveryError         a provider would not take a message
    ├── PermanentDeliveryError    trying again cannot help
    ├── RetryableDeliveryError    nothing was accepted; trying again is safe
    └── UnknownDeliveryError      the provider may have accepted it; reconcile before trying again
"""

from __future__ import annotations


class AirshedError(Exception):
    """Base of all errors raised on purpose. ``retriable`` says whether the same call may succeed later."""

    retriable = False


class InputError(AirshedError):
    """Input that cannot be used.

    ``place`` is what a person needs to find it (``file.csv:17``, ``readings/3@1042``), ``field`` the field at
    fault, ``remedy`` what to do about it.
    """

    def __init__(self, message: str, *, place: str = "", field: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.field = field
        self.remedy = remedy

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        what = f"{self.field}: " if self.field else ""
        todo = f" ({self.remedy})" if self.remedy else ""
        return f"{where}{what}{self.message}{todo}"


class ReadingError(InputError):
    """One reading, or one line of a station file, cannot be used."""


class RegistryError(InputError):
    """A row of a registry file cannot be used."""


class FeedError(AirshedError):
    """A source could not be asked for its readings.

    ``reason`` is a short machine-readable code, ``remedy`` what to do about it, ``wait_s`` how long the other side
    asked us to stay away (0 = it did not say).
    """

    def __init__(self, message: str, *, reason: str, remedy: str = "", wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.remedy = remedy
        self.wait_s = wait_s


class UnreachableFeedError(FeedError):
    """No answer, too late, or "later, please"."""

    retriable = True


class RefusedFeedError(FeedError):
    """The login, the key, the certificate or the address is at fault; it is tried again, seldom."""


class Problem(InputError):  # noqa: N818 - one finding; the error is the collection
    """One of possibly several things wrong in a configuration or a rule pack."""


class _CollectedError(AirshedError):
    """Every problem found in one document, shown at once."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class ConfigurationError(_CollectedError):
    """The configuration cannot be used; nothing was started."""


class PackError(_CollectedError):
    """The rule pack is refused whole; the running pack stays."""


class DeliveryError(AirshedError):
    """A provider would not take a message. ``code`` is the provider's own code, kept raw."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class PermanentDeliveryError(DeliveryError):
    """Trying again cannot help: the address, the message or the account is at fault."""


class RetryableDeliveryError(DeliveryError):
    """The provider certainly did not accept the message; trying again is safe."""

    retriable = True


class UnknownDeliveryError(DeliveryError):
    """The provider may or may not have accepted the message; ask it before any second try."""
