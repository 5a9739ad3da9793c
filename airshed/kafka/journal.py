"""A stage's state on Kafka: reads see every write at once, and the writes are kept in order until they are durable."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, MutableMapping

from streams.transport.tables import Write

_STAGE = "s"
_RUNTIME = "r"
"""First letter of a key in the changelog: the stage's own, or the runtime's. They can never meet."""


class Journal:
    """Writes of one partition since the last flush, over what is already durable.

    ``stage`` is the mapping handed to the stage; ``get`` and ``put`` are the runtime's own notes (progress, marks).
    """

    def __init__(self, durable: dict[str, bytes]) -> None:
        self._durable = durable
        self._fresh: dict[str, bytes | None] = {}
        self._log: list[Write] = []
        self.stage: MutableMapping[str, bytes] = _StageView(self)

    def read(self, key: str) -> bytes | None:
        """Value under a full key, ``None`` if there is none."""
        if key in self._fresh:
            return self._fresh[key]
        return self._durable.get(key)

    def write(self, key: str, value: bytes | None) -> None:
        """Set or (``None``) delete under a full key."""
        self._fresh[key] = value
        self._log.append((key, value))

    def __iter__(self) -> Iterator[str]:
        """Full keys that have a value."""
        yield from (key for key in self._durable if key not in self._fresh)
        yield from (key for key, value in self._fresh.items() if value is not None)

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Full keys with their values; a restart reads hundreds of thousands, so none of them is looked up again."""
        fresh = self._fresh
        yield from (item for item in self._durable.items() if item[0] not in fresh)
        yield from ((key, value) for key, value in fresh.items() if value is not None)

    def get(self, key: str) -> bytes | None:
        """A note of the runtime."""
        return self.read(_RUNTIME + key)

    def put(self, key: str, value: bytes) -> None:
        """Write a note of the runtime, if it changed."""
        if self.get(key) != value:
            self.write(_RUNTIME + key, value)

    def writes(self) -> list[Write]:
        """Everything written since the last ``clear``, in order."""
        return self._log

    def clear(self) -> None:
        """The writes are durable now."""
        self._log = []
        self._fresh = {}


class _StageView(MutableMapping[str, bytes]):
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def items(self) -> ItemsView[str, bytes]:
        return _StageItems(self)

    def pairs(self) -> Iterator[tuple[str, bytes]]:
        """What ``items`` yields."""
        return ((key[1:], value) for key, value in self._journal.items() if key.startswith(_STAGE))

    def __getitem__(self, key: str) -> bytes:
        value = self._journal.read(_STAGE + key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: bytes) -> None:
        self._journal.write(_STAGE + key, value)

    def __delitem__(self, key: str) -> None:
        self[key]  # a KeyError for what is not there, as every mapping
        self._journal.write(_STAGE + key, None)

    def __iter__(self) -> Iterator[str]:
        return (key[1:] for key in self._journal if key.startswith(_STAGE))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _StageItems(ItemsView[str, bytes]):
    """Pairs in one pass; the usual view looks every key up again."""

    _mapping: _StageView

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return self._mapping.pairs()
