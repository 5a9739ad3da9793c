"""Invented stations, plants and people for simulations. None of them exists; no address or number reaches anybody.

Mail addresses end in ``example.invalid``, a domain that can never exist (RFC 2606). Viet Nam sets no numbers aside
for fiction; ``+84 90 000 xxxx`` has the form of a mobile number and is used here with the sandbox endpoint only.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from streams.stations import Station

AIRSHED = "red-river-delta"
ZONE = "Asia/Ho_Chi_Minh"

NAMES = {
    "01": "Hà Nội",
    "19": "Thái Nguyên",
    "24": "Bắc Ninh",
    "25": "Phú Thọ",
    "31": "Hải Phòng",
    "33": "Hưng Yên",
    "37": "Ninh Bình",
}

# Town centres (WGS 84): stations stand within two kilometres of them, inside the province.
_TOWNS: dict[str, tuple[tuple[float, float], ...]] = {
    "01": ((21.03, 105.84), (21.00, 105.81), (20.96, 105.77), (21.14, 105.50), (21.14, 105.84), (20.87, 105.86)),
    "19": ((21.59, 105.83), (21.48, 105.84), (22.15, 105.83), (21.42, 105.87)),
    "24": ((21.18, 106.06), (21.12, 105.97), (21.28, 106.20), (21.27, 106.10), (21.05, 106.09)),
    "25": ((21.32, 105.40), (21.31, 105.60), (20.83, 105.34), (21.24, 105.68)),
    "31": ((20.85, 106.67), (20.94, 106.32), (20.92, 106.67), (21.11, 106.39)),
    "33": ((20.66, 106.06), (20.92, 106.06), (20.45, 106.34), (20.56, 106.36)),
    "37": ((20.25, 105.96), (20.54, 105.92), (20.43, 106.17), (20.16, 105.91)),
}
_TWO_KILOMETRES_DEG = 0.018

# Residents by province in millions, rounded; subscribers are spread accordingly.
_MILLIONS = {"01": 8.8, "19": 1.8, "24": 3.6, "25": 4.0, "31": 4.7, "33": 3.6, "37": 4.4}

_PLANTS: tuple[tuple[str, str, str, float, float], ...] = (
    ("Xi măng Núi Voi", "cement", "19", 21.56, 105.90),
    ("Xi măng Đồng Xanh", "cement", "37", 20.52, 105.88),
    ("Xi măng Bến Đá", "cement", "31", 21.01, 106.52),
    ("Nhiệt điện Sông Sáng", "power", "31", 21.10, 106.42),
    ("Nhiệt điện Cửa Bể", "power", "33", 20.49, 106.55),
    ("Thép Gió Mới", "steel", "24", 21.24, 106.12),
    ("Thép Lửa Hồng", "steel", "19", 21.55, 105.87),
    ("Làng nghề Giấy Trắng", "craft-village", "24", 21.16, 106.05),
    ("Làng nghề Đúc Đồng Vàng", "craft-village", "33", 20.97, 106.03),
    ("Lò đốt Bãi Sau", "incinerator", "01", 21.05, 105.60),
)


def stations(numbers: dict[str, int], draw: np.random.Generator) -> list[Station]:
    """``numbers`` stations in each province, by province code and number."""
    found: list[Station] = []
    for province in sorted(numbers):
        towns = _TOWNS[province]
        for number in range(numbers[province]):
            lat, lon = towns[number % len(towns)]
            north, east = draw.uniform(-_TWO_KILOMETRES_DEG, _TWO_KILOMETRES_DEG, 2)
            found.append(_station(province, number + 1, lat + north, lon + east))
    return found


def _station(province: str, number: int, lat: float, lon: float) -> Station:
    return Station(
        code=f"SIM-{province}-{number:02d}",
        name=f"{NAMES[province]} {number:02d} (mô phỏng)",
        lat=round(lat, 4),
        lon=round(lon, 4),
        airshed=AIRSHED,
        province=province,
        agency="Mô phỏng",
        zone=ZONE,
        station_class="reference",
    )


def facilities() -> list[dict[str, str]]:
    """Ten plants as rows of a facilities file."""
    return [
        {
            "facility_id": f"SIM-F{number:02d}",
            "name": f"{name} (mô phỏng)",
            "kind": kind,
            "province": province,
            "lat": f"{lat:.2f}",
            "lon": f"{lon:.2f}",
            "language": "vi",
            "email": f"truc-ca.f{number:02d}@example.invalid",
            "phone": f"+8490000{number:04d}",
        }
        for number, (name, kind, province, lat, lon) in enumerate(_PLANTS, start=1)
    ]


def subscribers(count: int, draw: np.random.Generator) -> list[dict[str, str]]:
    """People as rows of a subscribers file: four in five read Vietnamese, two in three want the lowest level too."""
    provinces = sorted(_MILLIONS)
    weights = np.array([_MILLIONS[province] for province in provinces])
    lives_in = draw.choice(len(provinces), count, p=weights / weights.sum())
    speaks = draw.choice(["vi", "en"], count, p=[0.8, 0.2])
    wants = draw.choice([1, 2, 3], count, p=[0.67, 0.25, 0.08])
    reached_by = draw.choice(["sms", "email", "sms email"], count, p=[0.4, 0.3, 0.3])
    numbers = draw.choice(np.arange(1000, 10_000), count, replace=False)  # below 1000: the plants
    return [
        {
            "subscriber_id": f"SIM-S{i + 1:04d}",
            "language": str(speaks[i]),
            "province": provinces[lives_in[i]],
            "level": str(wants[i]),
            "channels": str(reached_by[i]),
            "email": f"s{i + 1:04d}@example.invalid" if "email" in reached_by[i] else "",
            "phone": f"+8490000{numbers[i]}" if "sms" in reached_by[i] else "",
        }
        for i in range(count)
    ]


def station_rows(of: Sequence[Station]) -> list[dict[str, str]]:
    """Stations as rows of a registry file."""
    return [
        {
            "station_id": station.code,
            "name": station.name,
            "lat": f"{station.lat:.4f}",
            "lon": f"{station.lon:.4f}",
            "province": station.province,
            "agency": station.agency,
            "zone": station.zone,
            "class": station.station_class,
        }
        for station in of
    ]


def write_rows(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Rows as a CSV file in UTF-8, columns in the order of the first row's keys."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
