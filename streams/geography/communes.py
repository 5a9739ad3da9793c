"""The communes of Viet Nam since 1 July 2025: code, name, province and centre, from a file in the package."""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec

from streams.geography.units import plain_text


class Commune(msgspec.Struct, frozen=True, array_like=True):
    """A commune, ward or special zone.

    Attributes:
        code: official code; ``name`` with diacritics and with its kind (``Phường Hồng Hà``).
        province: code of its province.
        lat / lon: its centre, WGS 84 degrees.
    """

    code: str
    name: str
    province: str
    lat: float
    lon: float


@cache
def communes() -> dict[str, Commune]:
    """The communes by code."""
    raw = (resources.files("streams") / "geography" / "communes.json").read_bytes()
    return {commune.code: commune for commune in msgspec.json.decode(raw, type=list[Commune])}


@cache
def communes_of(province: str) -> list[Commune]:
    """The communes of a province, in the order of their names without diacritics."""
    own = (commune for commune in communes().values() if commune.province == province)
    return sorted(own, key=lambda commune: (plain_text(commune.name).casefold(), commune.code))


def commune_named(text: str, province: str | None = None) -> list[Commune]:
    """The communes with this code or name, with or without kind and diacritics; several where a name is common."""
    wanted = _folded(text)
    if text.strip() in communes():
        return [communes()[text.strip()]]
    return [
        commune
        for commune in communes().values()
        if wanted in (_folded(commune.name), _folded(_without_kind(commune.name)))
        and province in (None, commune.province)
    ]


def _without_kind(name: str) -> str:
    for kind in ("Phường ", "Xã ", "Đặc khu "):
        name = name.removeprefix(kind)
    return name


@cache
def _folded(text: str) -> str:
    return "".join(plain_text(text).casefold().split())
