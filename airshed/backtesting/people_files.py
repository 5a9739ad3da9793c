"""Subscriber and facility files, counted by what the messages of a row depend on."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from airshed.backtesting.people import Group
from notifiers.registries import ImportRules, province
from rules.model import MOST_LEVELS
from streams.airsheds import Airshed
from streams.errors import InputError, RegistryError
from streams.registry_rows import rows

Key = TypeVar("Key")


class Files:
    """Counts the rows of files that can be used. ``refused``: the others, in words."""

    def __init__(self, airshed: Airshed) -> None:
        self.refused: list[str] = []
        self._rules = ImportRules([airshed])

    def residents(self, path: Path) -> Counter[Group]:
        """Residents by province and lowest level they want to hear of.

        Raises:
            InputError: the file as a whole cannot be read.
            RegistryError: it is not UTF-8, or lacks columns.
        """
        return self._counted(path, ["subscriber_id", "province"], self._group)

    def plants(self, path: Path) -> Counter[str]:
        """Plants by province. Raises what :meth:`residents` does."""
        return self._counted(path, ["facility_id", "province"], self._province)

    def _province(self, row: Mapping[str, str], place: str) -> str:
        return province(row, place, self._rules)

    def _group(self, row: Mapping[str, str], place: str) -> Group:
        text = (row.get("level") or "1").strip()
        if not text.isdecimal() or not 1 <= int(text) <= MOST_LEVELS:
            raise RegistryError(
                f"{text[:20]!r} is not a level",
                place=place,
                field="level",
                remedy="write the level's number, 1 the lowest",
            )
        return self._province(row, place), int(text)

    def _counted(self, path: Path, required: list[str], parse: Callable[[Mapping[str, str], str], Key]) -> Counter[Key]:
        counts: Counter[Key] = Counter()
        try:
            for row, place in rows(path, required):
                try:
                    if isinstance(row, RegistryError):
                        raise row
                    counts[parse(row, place)] += 1
                except RegistryError as error:
                    self.refused.append(str(error))
        except (OSError, csv.Error) as error:
            raise InputError(f"cannot be read: {error}", place=str(path), remedy="give a CSV file in UTF-8") from None
        return counts
