"""What an alert says. Actual, exercise and test alerts are different types; nothing converts one into another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

MessageType = Literal["Alert", "Update", "Cancel"]
Urgency = Literal["Immediate", "Expected", "Future", "Past", "Unknown"]
Severity = Literal["Extreme", "Severe", "Moderate", "Minor", "Unknown"]
Certainty = Literal["Observed", "Likely", "Possible", "Unlikely", "Unknown"]
Response = Literal["Shelter", "Prepare", "Execute", "Avoid", "Monitor", "AllClear"]


@dataclass(frozen=True)
class Reference:
    """An earlier alert, as a later one names it; ``sent`` as the text that stood in it."""

    sender: str
    identifier: str
    sent: str

    def __str__(self) -> str:
        return f"{self.sender},{self.identifier},{self.sent}"


@dataclass(frozen=True, kw_only=True)
class Area:
    """A province.

    Attributes:
        polygons: texts of ``lat,lon`` pairs, closed, WGS 84.
        geocodes: (name of the scheme, code).
    """

    description: str
    polygons: tuple[str, ...] = ()
    geocodes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Info:
    """The alert for some provinces in one language."""

    language: str
    event: str
    responses: tuple[Response, ...]
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    onset: datetime
    expires: datetime
    sender_name: str
    headline: str
    description: str
    instruction: str
    web: str
    parameters: tuple[tuple[str, str], ...]
    areas: tuple[Area, ...]


@dataclass(frozen=True, kw_only=True)
class _Alert:
    """One message of a chain.

    Attributes:
        sent: with the offset of the place.
        incidents: the episode.
        note: for people who handle alerts; what kind of exercise it is, why something is taken back.
    """

    identifier: str
    sender: str
    sent: datetime
    message_type: MessageType
    incidents: str
    infos: tuple[Info, ...]
    references: tuple[Reference, ...] = ()
    note: str = ""

    @property
    def reference(self) -> Reference:
        return Reference(self.sender, self.identifier, cap_time(self.sent))

    @property
    def expires(self) -> datetime:
        """When the last of it expires; ``sent`` where there is nothing to expire."""
        return max((info.expires for info in self.infos), default=self.sent)


@dataclass(frozen=True, kw_only=True)
class ActualAlert(_Alert):
    """An alert that people are meant to act on: the only kind the public feed takes."""


@dataclass(frozen=True, kw_only=True)
class ExerciseAlert(_Alert):
    """An alert of an exercise or a simulation."""


@dataclass(frozen=True, kw_only=True)
class TestAlert(_Alert):
    """A technical test of the way to those who read the feed; recipients ignore it."""

    __test__ = False  # not a test case, whatever its name makes pytest think


Alert = ActualAlert | ExerciseAlert | TestAlert
STATUS: dict[type[Alert], str] = {ActualAlert: "Actual", ExerciseAlert: "Exercise", TestAlert: "Test"}


def cap_time(moment: datetime) -> str:
    """A moment as CAP writes it: seconds, and an offset that is never ``Z`` (UTC is ``-00:00``)."""
    text = moment.replace(microsecond=0).isoformat()
    return f"{text.removesuffix('+00:00')}-00:00" if text.endswith("+00:00") else text
