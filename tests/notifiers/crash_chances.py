"""What is left to chance in a run of the crash test: where its lives end, and what goes wrong at the provider."""

from __future__ import annotations

import random

from notifiers.sandbox.faults import Faults
from tests.notifiers.crash_arena import PEOPLE
from tests.notifiers.crash_outcome import PLANTS, plant_number
from tests.notifiers.crash_scenarios import Scenario
from tests.notifiers.deaths import PLACES, Place
from tests.notifiers.samples import number

SMS_LOST = ("500", "500-accepted", "drop", "drop-accepted")
MAIL_LOST = ("drop-data", "drop-kept")
CALLBACK_S = (0.0, 0.01, 0.15)
_SMS_FAULTS = ("slow", "stall", "500", "500-accepted", "503", "429", "drop", "drop-accepted")
_MAIL_FAULTS = ("slow-banner", "421", "450", "451-data", "drop-data", "drop-kept", "late-250")
_LATE_S = (0.1, 0.1, 0.7)  # within the client's patience, or beyond it: then the answer is lost as well
_SECOND_NATURE = 11  # has no divisor in common with the number of places: in turn, but not stage by stage
_RARE = 0.65


def in_turn(seed: int) -> Place | None:
    """Where the first life of a run dies, ``None`` for a random moment: all in turn over the seeds."""
    turn = [*PLACES, None]
    return turn[seed * _SECOND_NATURE % len(turn)]


def places_of_death(first: Place | None, scenario: Scenario, chance: random.Random) -> list[Place | None]:
    """Where the lives of a run die that is about this: at the first place, and maybe once or twice more."""
    if first is not None and first.needs == "an earlier death":
        return [chance.choice([place for place in PLACES if place.stage in ("claim", "request")]), first]
    possible = [place for place in PLACES if scenario.leads_to(place)]
    fan_out = [place for place in possible if place.stage == "fan-out"]
    own = [place for place in possible if scenario.is_own(place)]
    anywhere: list[Place | None] = [None, *(place for place in possible if place.stage != "fan-out")]
    places = [first]
    for _ in range(chance.choice((0, 0, 1, 2) if own or first in fan_out else (0, 0, 0, 1))):
        rare = fan_out if places[-1] in fan_out else own  # come to in few runs: more often in these
        places.append(chance.choice(rare if rare and chance.random() < _RARE else anywhere))
    return places


def scenario_for(place: Place | None, chance: random.Random) -> Scenario:
    """One in which a process comes to a place."""
    plants = [plant_number(index) for index in range(PLANTS)]
    return Scenario.for_a_death(place.needs if place else "", chance, [number(0)], plants)


def faults(scenario: Scenario, chance: random.Random) -> tuple[Faults, Faults]:
    """What goes wrong with SMS and with mail, beside what the run is about."""
    sms, mail = Faults(delay_s=chance.choice(_LATE_S)), Faults(delay_s=chance.choice(_LATE_S))
    sms.queue.extend(chance.choices(_SMS_FAULTS, k=chance.randrange(4)))
    mail.queue.extend(chance.choices(_MAIL_FAULTS, k=chance.randrange(4)))
    sms.callbacks = chance.choice((None, None, "twice", "disordered", "never"))
    if scenario.about == "everyday" and chance.random() < 0.2:
        sms.refused[number(chance.randrange(PEOPLE))] = 21614
    return sms, mail
