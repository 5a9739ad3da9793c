"""The stages from a reading to a notice as agents: which topics they stand between, and how their items travel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from airshed.counting import count_decisions, count_readings, count_said
from airshed.kafka.derived import deriver
from airshed.kafka.publication import IndexPublication
from airshed.kafka.settings import KafkaSettings
from airshed.kafka.stages import Decode, Decoded, PlaceOf, StageSpec, decoder_of
from airshed.pipeline import untimely
from airshed.reigns import report_reigns
from rules.engine import RuleEngine
from rules.model import Pack
from rules.shelf import Shelf
from streams import metrics, topics
from streams.batches import ReadingBatch
from streams.encoding import to_messages
from streams.episodes import EpisodeTracker
from streams.intake import Intake
from streams.provinces import ProvinceWatch, Statement
from streams.rolling import IndexStage
from streams.schemas import EpisodeEvent, Rejected, StationIndex, StationWind
from streams.screening import Limits
from streams.stage import Stage, State
from streams.stations import StationRegistry
from streams.transport.partitions import partition_of
from streams.wire import decode_messages

After = Callable[[Stage[Any, Any], Sequence[Any]], None]


def stage_specs(
    settings: KafkaSettings,
    pack: Pack,
    registry: StationRegistry,
    *,
    mode: Literal["actual", "exercise"],
    provisional: bool = True,
    limits: Limits | None = None,
    shelf: Shelf | None = None,
) -> list[StageSpec]:
    """The agents of a rule pack and of those that follow it on the shelf, in the order of the pipeline."""
    airsheds = [pack.airshed]
    limits = limits or Limits()

    def step(name: str, source: str, sink: str, kind: Any, make: Callable[[State], Any], after: After) -> StageSpec:
        return StageSpec(
            name=name,
            source=source,
            sink=sink,
            source_partitions=settings.airshed_partitions,
            sink_partitions=settings.airshed_partitions,
            decode=decoder_of(kind),
            key_of=lambda item: str(item.airshed),
            marks="same-partition",
            make=lambda _partition, state: make(state),
            after=after,
        )

    def watch(state: State) -> ProvinceWatch:
        return ProvinceWatch(airsheds, registry, state, limits.neighbours, versions=shelf)

    def track(state: State) -> EpisodeTracker:
        tracker = EpisodeTracker(airsheds, state, pack=pack.reference, versions=shelf)
        report_reigns(tracker, shelf)
        return tracker

    def count_tracked(stage: Any, said: Sequence[Any]) -> None:
        count_said(said)
        report_reigns(stage, shelf)

    def judge(state: State) -> RuleEngine:
        return RuleEngine(pack, state, mode, packs=shelf.pack if shelf else None)

    return [
        _index(settings, pack, registry, limits, provisional=provisional),
        step("provinces", topics.STATIONS, topics.PROVINCES, StationIndex | StationWind, watch, _count_said),
        step("episodes", topics.PROVINCES, topics.EPISODES, Statement, track, count_tracked),
        step("rules", topics.EPISODES, topics.NOTICES, EpisodeEvent, judge, _count_notices),
    ]


def _index(
    settings: KafkaSettings, pack: Pack, registry: StationRegistry, limits: Limits, *, provisional: bool
) -> StageSpec:
    home = home_partitions(registry, settings.partitions)

    def make(partition: int, state: State) -> Stage[ReadingBatch, StationIndex | StationWind]:
        index = IndexStage(
            registry,
            [pack.airshed],
            state,
            source=str(partition),
            of=settings.partitions,
            keep=lambda code: partition_of(code, settings.partitions) == partition,
            provisional=provisional,
            limits=limits,
        )
        return Intake(index)

    def refused(stage: Any, batch: ReadingBatch) -> Sequence[Rejected]:
        return untimely(batch, stage.take_rejected(), registry)

    detection = pack.airshed.detection
    return StageSpec(
        name="index",
        source=topics.READINGS,
        sink=topics.STATIONS,
        source_partitions=settings.partitions,
        sink_partitions=settings.airshed_partitions,
        decode=_readings_decoder(registry, home),
        key_of=lambda item: item.airshed,
        marks="every-partition",
        make=make,
        derive=deriver(detection.step_s, detection.lateness_s),
        refused=refused,
        after=_count_index,
        publication=lambda: IndexPublication(settings.airshed_partitions),
    )


def home_partitions(registry: StationRegistry, partitions: int) -> NDArray[np.int32]:
    """``(n_stations,) int32``: the partition of ``readings`` in which each station's readings belong."""
    return np.array([partition_of(station.code, partitions) for station in registry.stations], np.int32)


def _readings_decoder(registry: StationRegistry, home: NDArray[np.int32]) -> Decode:
    def decode(partition: int, payloads: Sequence[bytes], place_of: PlaceOf) -> Decoded[ReadingBatch]:
        found = decode_messages(payloads, place_of, registry, topics.READINGS)
        metrics.READINGS.labels("unused").inc(found.unused)
        count = sum(len(piece) for piece in found.segments if isinstance(piece, ReadingBatch))
        rejected = found.rejected
        seen = count + found.unused + len(rejected)
        if not count:
            return Decoded(None, seen, rejected)
        batch = found.batch
        astray = home[batch.station] != partition
        if astray.any():
            origins = np.concatenate(found.origins)[astray]
            rejected += _astray(batch.take(astray), [place_of(number) for number in origins.tolist()], registry)
            batch = batch.take(~astray)
        return Decoded(batch if len(batch) else None, seen, rejected)

    return decode


def _astray(batch: ReadingBatch, places: Sequence[str], registry: StationRegistry) -> list[Rejected]:
    """Readings in the wrong partition: two partitions would each hold half of the station's hour."""
    rejected = []
    for row, place in enumerate(places):
        ((key, raw),) = to_messages(batch.take(np.array([row])), registry, most=1)
        message = (
            f"{place}: a reading of station {key.decode()} in a partition that is not its own (key every message "
            "with the station code and leave the partition to Kafka's default partitioner)"
        )
        rejected.append(Rejected(reason="wrong-partition", message=message, place=place, raw=raw, source="readings"))
    return rejected


def _count_index(stage: Any, said: Sequence[Any]) -> None:
    count_readings(stage.take_counts())
    count_said(said)


def _count_said(_stage: Any, said: Sequence[Any]) -> None:
    count_said(said)


def _count_notices(stage: Any, _said: Sequence[Any]) -> None:
    count_decisions(stage.take_decisions())
