"""Files as stations drop them, in the layout of the Vietnamese rules of transmission."""

from __future__ import annotations

from pathlib import Path


def line(minute: int, value: float = 55.7) -> str:
    return f"PM2,5\t{value}\tµg/Nm3\t2026011212{minute:02d}00\t00\r\n"


def drop(folder: Path, minute: int, station: str = "VN-A", value: float = 55.7) -> Path:
    path = folder / f"{station}_2026011212{minute:02d}00.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line(minute, value), encoding="utf-8")
    return path
