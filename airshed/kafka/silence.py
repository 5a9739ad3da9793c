"""Which sources of a partition have fallen silent, in wall time, while others went on."""

from __future__ import annotations

from streams.schemas import Mark


class SilenceWatch:
    """Remembers when each source last made progress.

    A source counts as silent when it is behind, its last mark lies more than ``grace_s`` of wall time back, and some
    other source has moved within that time: if nobody moves, it is the feed or the cluster that is silent, and
    waiting is right.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._started_s: float | None = None
        self._sources: dict[str, tuple[Mark, float]] = {}
        self._of = 1
        self._given_up: set[str] = set()

    def observe(self, mark: Mark, now_s: float) -> None:
        """A source has spoken, ``now_s`` on a monotonic clock."""
        self._started_s = now_s if self._started_s is None else self._started_s
        self._of = mark.of
        last = self._sources.get(mark.source)
        if last is None or mark.time > last[0].time:
            self._sources[mark.source] = (mark, now_s)
            self._given_up.discard(mark.source)

    def silent(self, now_s: float) -> list[str]:
        """Sources to be given up now; each is named once per silence."""
        if self._started_s is None or len(self._sources) == 0:
            return []
        newest, moved_s = max(self._sources.values(), key=lambda entry: (entry[0].time, entry[1]))
        if now_s - moved_s > self._grace_s:
            return []
        late = {
            source
            for source, (mark, spoke_s) in self._sources.items()
            if mark.time < newest.time and now_s - spoke_s > self._grace_s
        }
        if now_s - self._started_s > self._grace_s:
            late |= self._never_heard()
        fresh = sorted(late - self._given_up)
        self._given_up |= late
        return fresh

    def _never_heard(self) -> set[str]:
        """Partitions that never spoke; sources of later stages are the numbers of partitions."""
        expected = {str(number) for number in range(self._of)}
        return expected - self._sources.keys() if self._sources.keys() <= expected else set()
