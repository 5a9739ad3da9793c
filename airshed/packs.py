"""Which packs an installation goes by: one that is configured, or a shelf of them."""

from __future__ import annotations

from pathlib import Path

from airshed.configuration import Configuration
from rules.loading import load_pack
from rules.model import Pack
from rules.shelf import Shelf
from streams.geography.outlines import Outlines, read_outlines, vietnamese


def shelf_of(settings: Configuration) -> Shelf | None:
    """The shelf of an installation, ``None`` where one pack is configured and nothing else."""
    folder = settings.rules.folder
    return Shelf(Path(folder), load_pack(settings.pack)) if folder else None


def base_of(settings: Configuration) -> Pack:
    """The pack that registries and the first stages go by. Raises ``PackError``."""
    shelf = shelf_of(settings)
    return shelf.base if shelf else load_pack(settings.pack)


def outlines_of(settings: Configuration, pack: Pack) -> Outlines:
    """The outlines that an installation brings for the provinces of its pack, or else those of Viet Nam.

    Raises:
        ConfigurationError: with everything that is wrong with the file.
    """
    return read_outlines(Path(settings.outlines), pack.airshed) if settings.outlines else vietnamese()
