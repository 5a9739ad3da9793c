"""Communes and circles: every commune lies in its province, and a circle touches what the map says."""

from __future__ import annotations

import json
from importlib import resources

import numpy as np
import pytest

from streams.geography import vietnam
from streams.geography.communes import commune_named, communes, communes_of
from streams.geography.nearness import distance_km
from streams.geography.outlines import vietnamese
from tools.communes import read_communes, text_of

HOAN_KIEM = (21.0285, 105.8542)


def test_the_centres_of_communes_lie_in_their_provinces() -> None:
    """Every seventh, and the two archipelagos: the outlines are of the mainland and the islands before it."""
    far_out = ["Đặc khu Hoàng Sa", "Đặc khu Trường Sa"]
    looked_at = [*list(communes().values())[::7], *(commune_named(name)[0] for name in far_out)]
    elsewhere = [
        commune.name
        for commune in looked_at
        if [unit.code for unit in vietnamese().within(commune.lat, commune.lon, 0.0)] != [commune.province]
    ]
    assert elsewhere == far_out


def test_the_file_of_communes_is_what_the_tool_makes() -> None:
    assert (resources.files("streams") / "geography" / "communes.json").read_text("utf-8") == text_of(read_communes())
    assert len(json.loads(text_of(read_communes()))) == len(communes()) == 3321
    assert sum(len(communes_of(code)) for code in vietnam()) == 3321


@pytest.mark.parametrize(
    ("radius_km", "names"),
    [(0, ["Hà Nội"]), (5, ["Hà Nội"]), (15, ["Hà Nội", "Hưng Yên", "Bắc Ninh"])],
)
def test_a_circle_touches_its_neighbours_the_nearest_first(radius_km: float, names: list[str]) -> None:
    assert [unit.name for unit in vietnamese().within(*HOAN_KIEM, radius_km)] == names


def test_distances() -> None:
    rings = {unit.name: [np.array(ring) for polygon in unit.outline for ring in polygon] for unit in vietnam().values()}
    assert distance_km(rings["Hà Nội"], *HOAN_KIEM) == 0.0
    assert distance_km(rings["Đà Nẵng"], *HOAN_KIEM) == pytest.approx(560, abs=40), "570 km by air to the city"
    assert vietnamese().within(20.5, 109.5, 5.0) == [], "in the gulf"


def test_communes_are_found_without_kind_and_diacritics() -> None:
    assert [commune.code for commune in commune_named("hong ha", "01")] == ["00097"]
    assert [commune.code for commune in commune_named("Phường Hồng Hà")] == ["00097"]
    assert [commune.code for commune in commune_named("00097")] == ["00097"]
    assert commune_named("") == []
