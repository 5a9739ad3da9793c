"""What a channel can carry, and for how long: every limit once, with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from notifiers.deliveries import ChannelName


@dataclass(frozen=True, kw_only=True)
class ChannelLimits:
    """Limits of one channel.

    Attributes:
        longest: of one message, in ``unit``; what is longer is refused before it is sent.
        shortest_validity_s / longest_validity_s: what the provider takes as the time a message may wait in its
            queue; both 0 where it has no such setting.
        source: where the numbers come from.
    """

    longest: int
    unit: str
    shortest_validity_s: int = 0
    longest_validity_s: int = 0
    source: str

    def validity_s(self, useful_s: float) -> int:
        """The validity to ask for, for a message that is worth delivering for ``useful_s``."""
        return int(min(max(useful_s, self.shortest_validity_s), self.longest_validity_s))


LIMITS: dict[ChannelName, ChannelLimits] = {
    "sms": ChannelLimits(
        longest=1_600,
        unit="characters",
        shortest_validity_s=10,
        longest_validity_s=36_000,
        source="Twilio's API description: Body up to 1,600 characters, ValidityPeriod 1 to 36000, more than 5 advised",
    ),
    "email": ChannelLimits(
        longest=1_000_000,
        unit="octets",
        source="own: servers take 10 MB and more, ours are about 10 kB; a megabyte is a defect",
    ),
    "voice": ChannelLimits(
        longest=4_000, unit="characters of TwiML", source="Twilio's API description: Twiml max 4000 characters"
    ),
    "webhook": ChannelLimits(
        longest=20_000,
        unit="octets",
        source="Standard Webhooks: payloads should stay under 20 kB",
    ),
}
