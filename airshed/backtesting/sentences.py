"""The findings in sentences: what somebody who has to decide about a rule reads first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from airshed.backtesting.comparison import Difference
from airshed.backtesting.findings import EpisodeRow, Findings, NoticeRow, PackFindings
from airshed.backtesting.measures import Measures

_MOST_NAMED = 3


def summary(found: Findings) -> Iterator[str]:
    """The recording, then each pack, the differences first when there are two."""
    zone = ZoneInfo(found.zone)
    yield (
        f"{found.readings:,} readings of {found.stations} stations, {moment(found.first, zone)} to "
        f"{moment(found.last, zone)} ({found.zone}); {found.rejected:,} could not be used."
    )
    if found.comparison is not None:
        yield from _differences(found)
    for pack in found.packs:
        yield from _of_pack(pack, found, zone)


def _differences(found: Findings) -> Iterator[str]:
    assert found.comparison is not None
    new, old = found.packs
    comparison = found.comparison
    if not comparison.differences:
        yield f"{new.pack} and {old.pack} say exactly the same: {counted(comparison.same, 'notice')}."
        return
    kinds = {
        "only-new": f"only under {new.pack}",
        "only-old": f"only under {old.pack}",
        "time": "at another time",
        "level": "at another level",
        "provinces": "to other provinces",
        "rule": "by another rule",
    }
    numbers = [(comparison.number(what), words) for what, words in kinds.items()]
    parts = ", ".join(f"{number} {words}" for number, words in numbers if number)
    yield f"Between {new.pack} and {old.pack}, {comparison.same} of the notices are the same; {parts}."
    for what, one, other in (
        ("episode hours", new.episode_hours, old.episode_hours),
        ("messages per resident and month", new.burden.per_month.mean, old.burden.per_month.mean),
        ("plant-days of curtailment", new.burden.plant_days, old.burden.plant_days),
    ):
        if one != other:
            yield f"{what[0].upper()}{what[1:]}: {one:g} instead of {other:g}."


def _of_pack(pack: PackFindings, found: Findings, zone: ZoneInfo) -> Iterator[str]:
    rows = [row for row in pack.episodes if row.track == "operational"]
    if not rows:
        yield f"{pack.pack} recognises no episode and says nothing."
    else:
        named = "; ".join(_episode(row, found, zone) for row in rows[:_MOST_NAMED])
        more = f"; and {len(rows) - _MOST_NAMED} more" if len(rows) > _MOST_NAMED else ""
        yield f"{pack.pack} recognises {counted(len(rows), 'episode')}: {named}{more}."
        yield _burden(pack)
    yield _verification(pack, found)


def changes(found: Findings) -> Iterator[str]:
    """The notices that differ between two packs, one line each, for terminals."""
    if found.comparison is None:
        return
    zone = ZoneInfo(found.zone)
    new, old = ({notice.id: notice for notice in pack.notices} for pack in found.packs)
    for item in found.comparison.differences:
        one, other = new.get(item.new or ""), old.get(item.old or "")
        shown = one or other
        assert shown is not None
        names = ", ".join(found.provinces.get(code, code) for code in shown.provinces)
        yield (
            f"{shown.time.astimezone(zone):%d %b %H:%M}  {shown.kind} to {shown.recipients} of {names}: "
            + "; ".join(_change(item, one, other, found))
        )


def _change(item: Difference, one: NoticeRow | None, other: NoticeRow | None, found: Findings) -> Iterator[str]:
    """What is different about one notice."""
    if one is None or other is None:
        yield f"only under {found.packs[0].pack if other is None else found.packs[1].pack}"
        return
    if "time" in item.what:
        yield f"{abs(item.hours)} h {'later' if item.hours > 0 else 'earlier'}"
    if "level" in item.what:
        yield f"level {one.level_name} instead of {other.level_name}"
    for word, codes in (("also", item.joined), ("without", item.left)):
        if codes:
            yield f"{word} {', '.join(found.provinces.get(code, code) for code in codes)}"
    if "rule" in item.what:
        yield f"by rule {one.rule} instead of {other.rule}"


def _episode(row: EpisodeRow, found: Findings, zone: ZoneInfo) -> str:
    end = f"to {moment(row.closed, zone)}" if row.closed else "and still open at the end"
    names = ", ".join(found.provinces.get(code, code) for code in row.provinces)
    return f"{row.peak_level_name} from {moment(row.opened, zone)} {end} ({names})"


def _burden(pack: PackFindings) -> str:
    burden = pack.burden
    who = "a notional resident of every province" if burden.notional_residents else f"{burden.residents:,} residents"
    plants = "one notional plant per province" if burden.notional_plants else f"{burden.plants:,} plants"
    month = burden.per_month
    night = f"{burden.wake_ups:g} messages at night in the whole time"
    warnings = f"{burden.withdrawn_warnings} of {counted(burden.warnings, 'warning')} no longer held a day later"
    return (
        f"Its {counted(len(pack.notices), 'notice')} give {who} {month.mean:g} messages a month on average (most: "
        f"{month.most}; {night}), and ask {plants} for {burden.plant_days:g} days of curtailment in all; {warnings}."
    )


def _verification(pack: PackFindings, found: Findings) -> str:
    events = pack.verification.events
    number = counted(len(found.reference_events), "reference event")
    if not found.reference_events and not events.false_alarms:
        return f"Against the reference: no event, and {pack.pack} raised none."
    return (
        f"Against the reference ({number}): {counted(events.hits, 'hit')}, "
        f"{counted(events.misses, 'miss', 'misses')}, {counted(events.false_alarms, 'false alarm')}; "
        f"{measures(events)}; by province hours {measures(pack.verification.cells)}."
    )


def measures(table: Measures) -> str:
    """``POD 0.80, FAR 0.20, CSI 0.67``; what is undefined is called so."""
    return ", ".join(f"{name.upper()} {value(getattr(table, name))}" for name in ("pod", "far", "csi"))


def value(number: float | None) -> str:
    """Two decimals; ``no event`` where a measure is undefined."""
    return "no event" if number is None else f"{number:.2f}"


def counted(number: int, one: str, many: str = "") -> str:
    """``1 hit``, ``2 hits``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def moment(time: datetime, zone: ZoneInfo) -> str:
    """``10 Jan 2019 23:00`` in local time."""
    return time.astimezone(zone).strftime("%-d %b %Y %H:%M")
