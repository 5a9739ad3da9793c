"""Notices and registries to try things on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from notifiers.contacts import Vault
from notifiers.facilities import import_facilities
from notifiers.links import Links
from notifiers.registries import ImportReport, ImportRules
from notifiers.subscribers import import_subscribers
from rules.notices import ActualNotice, Audience, ExerciseNotice, Notice, NoticeProvince, notice_id
from streams.airsheds import Airshed, Level, Province

NOON = datetime(2026, 1, 17, 11, tzinfo=UTC)  # 18:00 in Hà Nội
VAULT = Vault.from_secret("a secret for tests only")
LINKS = Links(["a signing secret for tests"], "http://127.0.0.1:9")

AIRSHED = Airshed(
    code="red-river-delta",
    names={"vi": "đồng bằng sông Hồng", "en": "Red River Delta"},
    standard="vn_aqi",
    zone="Asia/Ho_Chi_Minh",
    provinces=[
        Province(code="01", names={"vi": "Hà Nội", "en": "Hanoi"}, neighbours=["24"]),
        Province(code="24", names={"vi": "Bắc Ninh", "en": "Bac Ninh"}, neighbours=["01"], aliases=["Bắc Giang"]),
        Province(code="31", names={"vi": "Hải Phòng", "en": "Hai Phong"}, neighbours=["24"]),
    ],
    levels=[Level(name="alert", names={"vi": "Xấu"}, enter=150, exit=130, enter_hours=6, exit_hours=12)],
)
RULES = ImportRules([AIRSHED])


def notice(
    kind: str = "advisory",
    *,
    recipients: str = "residents",
    provinces: Sequence[str] = ("01", "24"),
    level: int = 2,
    transition: int = 1,
    hours: int = 0,
    told_in: str | None = None,
    template: str | None = None,
    exercise: bool = True,
    **changes: Any,
) -> Notice:
    """A notice of the sample airshed; an exercise unless told otherwise, as in everything a test may send."""
    audience = Audience(recipients=recipients, provinces=list(provinces), told_in=told_in)  # type: ignore[arg-type]
    time = NOON + timedelta(hours=hours)
    values: dict[str, Any] = {
        "id": notice_id("red-river-delta-20260117T06-01", transition, f"rule-{kind}", audience),
        "kind": kind,
        "airshed": "red-river-delta",
        "airshed_names": AIRSHED.names,
        "episode": "red-river-delta-20260117T06-01",
        "transition": transition,
        "rule": f"rule-{kind}",
        "audience": audience,
        "time": time,
        "onset": NOON - timedelta(hours=12),
        "level": level,
        "level_name": "severe",
        "level_names": {"vi": "Rất xấu", "en": "Very unhealthy"},
        "template": template or kind,
        "priority": 1 if kind == "request" else 5,
        "valid_until": time + timedelta(hours=12),
        "sms_parts": 2,
        "provinces": [
            NoticeProvince(
                code="01",
                names={"vi": "Hà Nội", "en": "Hanoi"},
                level=max(level, 2),
                level_name="severe",
                index=215,
                index_24h=190,
            ),
            NoticeProvince(
                code="24",
                names={"vi": "Bắc Ninh", "en": "Bac Ninh"},
                level=1,
                level_name="alert",
                index=182,
                index_24h=160,
            ),
        ],
        "actions": {
            "vi": ["Giảm 30 % tải lò nung", "Dừng vận chuyển vật liệu rời"],
            "en": ["Cut kiln load by 30 %", "Stop moving loose material"],
        },
        "sender": {"vi": "Trung tâm Quan trắc", "en": "Monitoring Centre"},
        "data_standard": "vn_aqi",
        "zone": "Asia/Ho_Chi_Minh",
        "reason": "level >= 2",
        "pack": "test@1",
    }
    return (ExerciseNotice if exercise else ActualNotice)(**(values | changes))


def number(index: int) -> str:
    """A Vietnamese mobile number that is valid in form."""
    return f"+8491{index:07d}"


def subscribers_csv(path: Path, count: int, provinces: Sequence[str] = ("01", "24")) -> Path:
    """Subscribers S0000…, in turn of either language, each with SMS and mail."""
    lines = ["subscriber_id,language,province,level,channels,email,phone"]
    for index in range(count):
        language, province = ("vi", "en")[index % 2], provinces[index % len(provinces)]
        lines.append(f"S{index:04},{language},{province},1,sms email,person{index}@example.org,{number(index)}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def facilities_csv(path: Path, count: int) -> Path:
    """Facilities F000…, each with SMS and mail."""
    lines = ["facility_id,name,kind,province,lat,lon,language,email,phone"]
    lines += [
        f"F{index:03},Nhà máy xi măng số {index},cement,01,21.0,105.8,{('vi', 'en')[index % 2]},"
        f"plant{index}@example.org,{number(900_000 + index)}"
        for index in range(count)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def fill(engine: Engine, folder: Path, subscribers: int = 4, facilities: int = 2) -> list[ImportReport]:
    """Import sample registries."""
    with engine.begin() as connection:
        return [
            import_subscribers(connection, subscribers_csv(folder / "subscribers.csv", subscribers), VAULT, RULES),
            import_facilities(connection, facilities_csv(folder / "facilities.csv", facilities), VAULT, RULES),
        ]
