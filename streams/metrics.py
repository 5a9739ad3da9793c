"""Every metric of Airshed, once: name, labels, what it means and what an operator does about it.

The module lies at the bottom of the tree so that every layer can count; ``documentation()`` is the operator's page.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 20.0, 60.0)


@dataclass(frozen=True)
class Description:
    """What a metric means and what to do when it looks wrong."""

    name: str
    labels: tuple[str, ...]
    meaning: str
    action: str


DESCRIPTIONS: list[Description] = []


def _described(name: str, labels: tuple[str, ...], meaning: str, action: str) -> tuple[str, str, tuple[str, ...]]:
    DESCRIPTIONS.append(Description(name, labels, meaning, action))
    return name, meaning, labels


def _counter(name: str, meaning: str, action: str, *labels: str) -> Counter:
    return Counter(*_described(name, labels, meaning, action))


def _gauge(name: str, meaning: str, action: str, *labels: str) -> Gauge:
    return Gauge(*_described(name, labels, meaning, action))


def _histogram(name: str, meaning: str, action: str, *labels: str) -> Histogram:
    return Histogram(*_described(name, labels, meaning, action), buckets=_SECONDS)


READINGS = _counter(
    "airshed_readings_total",
    "Readings by what became of them: counted, duplicate, late, rejected, unused.",
    "A rising share of rejected or late: look at `airshed rejected list` and at the feed named there.",
    "outcome",
)
REJECTED = _counter(
    "airshed_rejected_total",
    "Readings or lines that could not be used, by reason.",
    "Read the newest with `airshed rejected list`; the message names file, line, field and remedy.",
    "reason",
)
SOURCE_LAST_SUCCESS = _gauge(
    "airshed_source_last_success_seconds",
    "When a source last gave readings, UTC epoch seconds.",
    "Older than an hour: call the agency that runs the feed; its provinces will become unknown.",
    "source",
)
SOURCE_SILENT = _gauge(
    "airshed_source_silent",
    "1 while a source has given no readings for longer than its `silent_after_s`, else 0.",
    "1: look for `source silent` in the log, which names the last success and the last failure; call the agency.",
    "source",
)
SOURCE_FAILURES = _counter(
    "airshed_source_failures_total",
    "Looks at a source that failed, by reason (unreachable, timeout, login, host-key, rate-limit, http-500 …).",
    "login, host-key, key: mend the configuration; the others pass, or the agency's server is down.",
    "source",
    "reason",
)
PUSHES = _counter(
    "airshed_pushes_total",
    "Requests to POST /api/readings by answer (taken, bad-json, unknown-key, too-large, too-often, busy …).",
    "unknown-key rising: somebody guesses, or an agency uses a key that was withdrawn; too-often: talk to the agency.",
    "outcome",
)
EVENT_TIME = _gauge(
    "airshed_event_time_seconds",
    "Event time that a stage has decided up to, UTC epoch seconds.",
    "Standing still while readings arrive: a source or a worker is silent; see the grace counter.",
    "stage",
)
EVENT_TIME_LAG = _gauge(
    "airshed_event_time_lag_seconds",
    "How far a stage's event time is behind the clock.",
    "More than two steps (2 h) in live operation: decisions are late; look at the workers and the gateway.",
    "stage",
)
GRACE_EXPIRED = _counter(
    "airshed_grace_expired_total",
    "Steps decided without a silent source partition because its grace had run out.",
    "Find the worker or gateway of that partition; its provinces are unknown meanwhile.",
    "stage",
)
INDEX_VALUES = _counter(
    "airshed_index_values_total",
    "Station index values published: provisional, final, revised, none (not enough data).",
    "Many none: stations send too few readings in the hour.",
    "kind",
)
PROVINCE_LEVEL = _gauge(
    "airshed_province_level",
    "Highest level a province meets in the latest decided hour; -1 = unknown.",
    "-1: fewer than half of its stations are valid; nothing can be opened or closed there.",
    "airshed",
    "province",
)
EPISODES = _counter(
    "airshed_episode_events_total",
    "Episode transitions by kind.",
    "None needed; many opened and closed within a day mean a level without enough hysteresis.",
    "kind",
)
EPISODES_OPEN = _gauge(
    "airshed_episodes_open",
    "Cross-provincial episodes open now.",
    "Compare with the console; an episode open for weeks deserves a look at its provinces.",
    "airshed",
)
NOTICES = _counter(
    "airshed_notices_total",
    "Decisions of the rules by kind of notice and named reason (made, condition-false, cooling …).",
    "`airshed rules explain` says why a rule did or did not speak.",
    "kind",
    "reason",
)
PACK_IN_FORCE = _gauge(
    "airshed_pack_in_force",
    "1 for the rule pack that decides about an airshed, 0 for those it has replaced or that wait for their hour.",
    "Not the one just activated: an episode is open under its own pack, or the activation came too late; "
    "`airshed rules status` says which.",
    "airshed",
    "pack",
)
PACK_RELOAD_SUCCESSFUL = _gauge(
    "airshed_pack_reload_successful",
    "1 when everything in the folder of rule packs could be used at the latest look, 0 when something was refused; "
    "whatever was in force stays.",
    "0: `airshed rules status` names file, line and column of what is refused, and what to do.",
)
PACK_RELOAD_REFUSED = _counter(
    "airshed_pack_reload_refused_total",
    "Findings in the folder of rule packs, by kind: log (a line of the activation log), pack (a file), late (an "
    "activation for an hour that was decided already).",
    "late: the folder reaches a worker later than an hour before it counts, or the worker's disk is slow; activate "
    "anew for an hour to come. The others: tell the author of the pack.",
    "kind",
)
DELIVERIES = _counter(
    "airshed_deliveries_total",
    "Deliveries reaching a state, by channel and state.",
    "failed or unknown rising: look at the provider; unknown rows are reconciled before any second try.",
    "channel",
    "state",
)
DELIVERIES_PENDING = _gauge(
    "airshed_deliveries_pending",
    "Deliveries that are neither final nor sent, by state.",
    "Growing: the dispatcher or the provider is down.",
    "state",
)
PROVIDER_SECONDS = _histogram(
    "airshed_provider_seconds",
    "Time one call to a provider took, seconds.",
    "A median above a second slows everything behind it; call the provider.",
    "channel",
)
CALLBACKS = _counter(
    "airshed_callbacks_total",
    "Status callbacks of a provider by what came of them (applied, already-there, backward, forged-signature …).",
    "forged rising: somebody tries, or the public URL differs from the one the provider signs.",
    "outcome",
)
BOUNCES = _counter(
    "airshed_bounces_total",
    "Mails to return paths by what they say (hard, failed, delayed, delivered, no-report, forged).",
    "hard rising: a registry was imported with old addresses; failed rising: a large provider refuses our mail, see "
    "the status codes in the ledger.",
    "outcome",
)
OPERATOR_EVENTS = _counter(
    "airshed_operator_events_total",
    "Events for operators by occasion and what became of them (told, repeated, held-back, undelivered, dropped, "
    "nobody = no chat or on-call service is configured).",
    "undelivered: test the services with `airshed operators test`; nobody: configure [operators].",
    "occasion",
    "outcome",
)
AUDIT_FINDINGS = _gauge(
    "airshed_audit_findings",
    "Deliveries (or notices) that have not come to their end in their time, by what is late (waiting, beyond-lease, "
    "unknown, unknowable, held, unfinished, empty, silent, unserved: the channel is not configured), and by what "
    "people hold back on purpose (stopped, guarded).",
    "Above 0: `airshed ledger audit` names them and says what to do; docs/ledger.md explains the states.",
    "problem",
)
HEARTBEATS = _counter(
    "airshed_heartbeats_total",
    "Signs of life to whoever watches from outside: sent, withheld (something is wrong here), failed (not reached).",
    "withheld: the log says why; failed: check heartbeat.url and the way out of the network.",
    "outcome",
)
STAGE_SECONDS = _histogram(
    "airshed_stage_seconds",
    "Time one call of a stage took, seconds.",
    "Compare with bench/RESULTS.md on the same kind of machine.",
    "stage",
)


def documentation() -> str:
    """A Markdown table of every metric."""
    rows = ["# Metrics", "", "| metric | labels | meaning | what to do |", "|---|---|---|---|"]
    rows += [f"| `{d.name}` | {', '.join(d.labels)} | {d.meaning} | {d.action} |" for d in DESCRIPTIONS]
    return "\n".join(rows) + "\n"


def value(name: str, **labels: str) -> float:
    """Current value of a metric, 0 if it was never touched (for the live view and for tests)."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


if __name__ == "__main__":
    sys.stdout.write(documentation())
