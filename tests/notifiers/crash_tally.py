"""What happened over many runs of the crash test, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.notifiers.deaths import PLACES

RANDOM_MOMENT = "SIGKILL at a random moment"


@dataclass
class Tally:
    """Sums over runs.

    Attributes:
        deaths: by place; ``spared``: lives that were to die there and did not come there.
        taken_over: runs whose rest was sent by another dispatcher than the one that had died.
        looked_up: lost answers asked for at the provider, by what it said.
        about: runs by what they are about.
        diverted: messages that went by another channel because theirs was down; ``tried_again``, ``stood_in``: what
            followed those that were not delivered; ``calls``: made to the plant.
        missed: callbacks that nobody took, or that came to a process that died of them.
        silent: messages without the provider's last word for that reason, each of them named by the audit.
    """

    runs: int = 0
    messages: int = 0
    undeliverable: int = 0
    taken_over: int = 0
    beside: int = 0
    diverted: int = 0
    tried_again: int = 0
    stood_in: int = 0
    calls: int = 0
    missed: int = 0
    silent: int = 0
    about: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    spared: Counter[str] = field(default_factory=Counter)
    looked_up: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def died(self) -> int:
        """All deaths."""
        return sum(self.deaths.values())

    def text(self) -> str:
        """The table."""
        return "\n".join([*self._sums(), *self._places(), "faults of the provider:", *self._faults()])

    def rarest(self) -> tuple[str, int]:
        """The place of the fewest deaths, and how many."""
        return min(((place.name, self.deaths[place.name]) for place in PLACES), key=lambda found: found[1])

    def _sums(self) -> Iterator[str]:
        asked = ", ".join(f"{number} {answer}" for answer, number in sorted(self.looked_up.items()))
        yield f"{self.runs} runs, {self.died} deaths; a second dispatcher beside it in {self.beside} lives,"
        yield f"  another one that took over in {self.taken_over} runs"
        yield "runs about " + ", ".join(f"{what}: {number}" for what, number in sorted(self.about.items()))
        yield f"{self.messages} messages, each as often as it should be; {self.undeliverable} refused by the provider"
        yield f"  {self.diverted} by another channel because theirs was down, {self.calls} calls,"
        yield f"  {self.tried_again} a second try, {self.stood_in} instead of one that was not delivered"
        yield f"lost answers asked for at the provider: {asked or 'none'}; none is left"
        yield f"callbacks nobody took: {self.missed}"
        yield f"messages without the provider's last word for that reason: {self.silent}, each named by the audit"

    def _places(self) -> Iterator[str]:
        stage = ""
        for place in PLACES:
            if place.stage != stage:
                stage = place.stage
                yield f"deaths in {stage}:"
            spared = f" ({self.spared[place.name]} times not come there)" if self.spared[place.name] else ""
            yield f"  {self.deaths[place.name]:5} {place.name}{spared}"
        yield f"  {self.deaths[RANDOM_MOMENT]:5} {RANDOM_MOMENT}"

    def _faults(self) -> Iterator[str]:
        for name, number in sorted(self.faults.items()):
            yield f"  {number:5} {name}"
