"""Random weather with random faults: order, repetition, batch sizes and restarts change no byte of what is said."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from importlib import resources
from itertools import pairwise

import msgspec
import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from airshed.pipeline import Pipeline
from airshed.rehearsal import listed
from rules.loading import load_pack, parse_pack
from rules.model import Pack
from streams.batches import ReadingBatch
from streams.gateway import Slice, replay_arrivals, slices
from streams.schemas import Mark
from streams.sources.scenario_library.ground import HOUR_S, STEADY_DAY, bad_air, midnight, only
from streams.sources.scenarios import WINTER_DAY, Disturbance, DisturbanceKind, Rates, Scenario
from streams.sources.simulation import Simulation, simulate
from streams.stations import StationRegistry

PACK = load_pack("vietnam-2026")
STEP = """on: [opened, grown, escalated, eased, status], notice: instruction, template: instruction,
    audience: {recipients: authorities, provinces: episode}, actions: {vi: [một], en: [one]}"""
WAITING = f"""
  - {{id: stage-1, when: level >= 1, for_hours: 3, {STEP}}}
  - {{id: stage-2, when: level >= 2, extends: stage-1, quorum: {{provinces: 2, level: 2}}, {STEP}}}
  - {{id: reminder, when: times_told < 4 && hour % 2 == 0, once_per: transition, cooling_hours: 5, {STEP}}}
  - id: stages-lifted
    on: [eased, status]
    when: level < 2 && hours_since_onset > 20
    notice: all-clear
    audience: {{recipients: authorities, provinces: episode}}
    template: instruction-end
    revokes: [stage-2]
"""
"""Rules that wait, stand on each other until revoked, need a quorum and count what they have said."""
PLAIN = (resources.files("rules") / "packs" / "vietnam-2026.yaml").read_text(encoding="utf-8")
PACKS = {"as it comes": PACK, "with rules that wait": parse_pack("waiting.yaml", (PLAIN + WAITING).encode())}
LATENESS_S = PACK.airshed.detection.lateness_s
PROVINCES = ("01", "24", "31", "33")  # Hà Nội – Bắc Ninh – Hải Phòng, with Hưng Yên beside all of them
HOURS = 96
VALUES: dict[DisturbanceKind, st.SearchStrategy[float]] = {
    "stuck": st.floats(20, 900),
    "silent": st.just(float("nan")),
    "full-scale": st.just(float("nan")),
    "calibrating": st.just(float("nan")),
    "smoke": st.floats(50, 600),
    "zero-check": st.just(0.5),
    "unit": st.sampled_from([0.001, 1000.0]),
    "clock": st.sampled_from([-7.0, -1.0, 1.0, 7.0]),
    "held-back": st.just(float("nan")),
}
SETTINGS = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def disturbances(draw: st.DrawFn) -> Disturbance:
    kind = draw(st.sampled_from(sorted(VALUES)))
    where = draw(st.sampled_from(["*", *PROVINCES, *(f"SIM-{code}-0{n}" for code in PROVINCES for n in (1, 2, 3))]))
    from_h = draw(st.integers(0, HOURS - 8))
    return Disturbance(kind, where, from_h, from_h + draw(st.integers(1, 30)), round(draw(VALUES[kind]), 1))


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Bad air of some length in every province or not, one stretch of it long and in two neighbours."""
    courses = {}
    for code in PROVINCES:
        from_h, hours = draw(st.integers(6, 50)), draw(st.integers(4, 40))
        courses[code] = bad_air(
            (from_h, from_h + hours, draw(st.floats(60, 320))), ramp_h=draw(st.sampled_from([1, 4]))
        )
    from_h = draw(st.integers(8, 30))
    together = bad_air((from_h, from_h + 36, draw(st.floats(130, 280))))
    return Scenario(
        name="random",
        title="",
        start=midnight(2026, 1, 5),
        days=HOURS // 24,
        cycle_s=HOUR_S,
        stations=dict.fromkeys(PROVINCES, 3),
        courses=only(bad_air()) | courses | {"24": together, "33": together},
        daily_cycle=draw(st.sampled_from([STEADY_DAY, WINTER_DAY])),
        disturbances=tuple(draw(st.lists(disturbances(), max_size=3))),
        rates=Rates(missing=draw(st.floats(0, 0.1)), duplicate=0.05, late=0.1),
    )


def play(
    arrivals: Sequence[Slice],
    registry: StationRegistry,
    pack: Pack = PACK,
    *,
    restarts: frozenset[int] = frozenset(),
    piece: int = 10**9,
) -> list[bytes]:
    """Play what arrives, and return what the stages said, as bytes.

    ``restarts``: marks after which every stage is made anew from its state; ``piece``: rows of the largest batch.
    """
    states: dict[str, dict[str, bytes]] = defaultdict(dict)

    def stages() -> Pipeline:
        return Pipeline(pack, registry, states.__getitem__, mode="exercise")

    pipeline, marks = stages(), 0
    lines: list[bytes] = []
    for item in replay_arrivals(arrivals, lateness_s=LATENESS_S):
        if isinstance(item, Mark):
            outcome = pipeline.advance(item)
            said = [*outcome.provinces, *outcome.episodes, *outcome.notices]
            lines += [msgspec.json.encode(one) for one in said]
            marks += 1
            pipeline = stages() if marks in restarts else pipeline
        else:
            for start in range(0, len(item), piece):
                pipeline.accept(item.take(slice(start, start + piece)))
    return lines


def arrivals_of(simulation: Simulation) -> list[Slice]:
    return list(simulation.slices())


def disordered(simulation: Simulation, chance: np.random.Generator) -> list[Slice]:
    """What is on time comes at any moment at which it still is; a third of everything comes twice, in any order."""
    batch, arrival_s = simulation.readings, simulation.arrival_s.copy()
    waited_s = arrival_s - batch.time_s
    on_time = (waited_s >= 0) & (waited_s <= LATENESS_S)
    later_s = batch.time_s + chance.integers(0, LATENESS_S // 300 + 1, len(batch)) * 300
    arrival_s[on_time] = later_s[on_time]
    again = chance.integers(0, len(batch), len(batch) // 3)
    rows, moments = np.concatenate([np.arange(len(batch)), again]), np.concatenate([arrival_s, arrival_s[again]])
    order = np.lexsort((chance.random(len(rows)), moments))
    shuffled: ReadingBatch = batch.take(rows[order])
    return list(slices(moments[order], shuffled))


@SETTINGS
@given(
    scenario=scenarios(),
    pack=st.sampled_from(sorted(PACKS)),
    seed=st.integers(0, 10**6),
    piece=st.sampled_from([1, 3, 7, 50]),
    restarts=st.frozensets(st.integers(1, 200), min_size=3),
)
def test_order_repetition_batch_sizes_and_restarts_change_nothing(
    scenario: Scenario, pack: str, seed: int, piece: int, restarts: frozenset[int]
) -> None:
    simulation = simulate(seed, scenario)
    registry = listed(simulation, PACK)
    arrivals = arrivals_of(simulation)
    expected = play(arrivals, registry, PACKS[pack])
    shuffled = disordered(simulation, np.random.Generator(np.random.PCG64(seed)))
    assert play(shuffled, registry, PACKS[pack]) == expected, "order and repetition"
    assert play(arrivals, registry, PACKS[pack], piece=piece) == expected, "batch sizes"
    assert play(arrivals, registry, PACKS[pack], restarts=restarts) == expected, "restarts"


def test_what_is_lost_does_change_something() -> None:
    """So that the equalities above are not those of two silences."""
    scenario = Scenario(
        name="sure",
        title="",
        start=midnight(2026, 1, 5),
        days=HOURS // 24,
        cycle_s=HOUR_S,
        stations=dict.fromkeys(PROVINCES, 3),
        courses=only(bad_air((20, 56, 190)), "24", "33"),
        daily_cycle=STEADY_DAY,
    )
    simulation = simulate(1, scenario)
    registry, arrivals = listed(simulation, PACK), arrivals_of(simulation)
    whole = play(arrivals, registry)
    waiting = b"".join(play(arrivals, registry, PACKS["with rules that wait"]))
    assert set(re.findall(rb'"rule":"([^"]*)"', waiting)) >= {b"stage-2", b"reminder", b"stages-lifted"}
    assert any(b'"kind":"opened"' in line for line in whole)
    assert any(b'"kind":"closed"' in line for line in whole)
    assert play(arrivals[: len(arrivals) // 2], registry) != whole
    late = [Slice(one.arrival_s + 2 * HOUR_S, one.batch) for one in arrivals]
    assert play(late, registry) != whole


@SETTINGS
@given(scenario=scenarios(), seed=st.integers(0, 10**6))
def test_every_episode_is_told_from_its_opening_to_its_end_and_in_order(scenario: Scenario, seed: int) -> None:
    """Random scenarios do have episodes; whatever happens to them, their transitions can be followed."""
    simulation = simulate(seed, scenario)
    lines = play(arrivals_of(simulation), listed(simulation, PACK))
    events = [msgspec.json.decode(line) for line in lines if b'"episode-event"' in line]
    assume(events)
    for name in {event["episode"] for event in events}:
        own = [event for event in events if event["episode"] == name]
        assert [event["transition"] for event in own] == list(range(1, len(own) + 1))
        assert own[0]["kind"] == "opened"
        assert [event["time"] for event in own] == sorted(event["time"] for event in own)
        for before, after in pairwise(own):
            if before["kind"] in ("closed", "merged"):
                assert after["kind"] in ("opened", "revised")
