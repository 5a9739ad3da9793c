"""A wrong pack, or a broken log, dropped into a running system changes a metric, a log line and the author's screen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airshed.reloading import LOOK_EVERY_S
from rules.loading import pack_file
from tests.runtimes.installation import run, until
from tests.runtimes.test_bad_input import counted, drop, full_hour, get, install, running, tidy

SHELF = '[rules]\nfolder = "rules"\n'


def metric(base: str, name: str) -> float | None:
    """Value of one line of ``/metrics``, labels included in the name."""
    for line in get(f"{base}/metrics")[1].splitlines():
        if line.startswith(f"{name} "):
            return float(line.rsplit(" ", 1)[1])
    return None


def mine(version: int, before: str = "enter: 151", after: str = "enter: 160") -> str:
    text = pack_file("vietnam-2026").raw.decode()
    assert before in text
    lines = [f'version: "{version}"' if line.startswith("version:") else line for line in text.splitlines()]
    return "\n".join(lines).replace(before, after)


def screen(config: Path) -> list[str]:
    shown = json.loads(run("rules", "status", "--config", str(config), "--json").stdout)
    return [refused["text"] for refused in shown["refused"]]


@pytest.mark.slow
def test_what_is_wrong_on_the_shelf_changes_nothing_that_runs(tmp_path: Path) -> None:
    config, log, rules = install(tmp_path), tmp_path / "log", tmp_path / "rules"
    config.write_text(config.read_text(encoding="utf-8") + SHELF, encoding="utf-8")
    rules.mkdir()
    with running(config, log) as base:
        until(lambda: metric(base, "airshed_pack_reload_successful") == 1, log)
        (rules / "draft.yaml").write_text(mine(77, after="enter: high"), encoding="utf-8")
        until(lambda: metric(base, "airshed_pack_reload_successful") == 0, log, 20 * LOOK_EVERY_S)
        assert metric(base, 'airshed_pack_reload_refused_total{kind="pack"}') == 1
        assert "draft.yaml:" in log.read_text(encoding="utf-8")
        assert any("draft.yaml:" in text and "levels[0].enter" in text for text in screen(config))
        (rules / "activations.jsonl").write_bytes(b'{"pack": "vietnam-2026@77"\n\xff')
        until(lambda: metric(base, 'airshed_pack_reload_refused_total{kind="log"}') == 1, log, 20 * LOOK_EVERY_S)
        assert "activations.jsonl:1:" in log.read_text(encoding="utf-8")
        assert get(f"{base}/readyz")[0] == 200
        drop(tmp_path, "good.csv", tidy(f"{full_hour().isoformat()},HN_KHI_01,pm25,81.5,ug/m3"))
        until(lambda: counted(base) >= 1, log)
        (rules / "activations.jsonl").unlink()
        (rules / "draft.yaml").write_text(mine(77), encoding="utf-8")
        until(lambda: metric(base, "airshed_pack_reload_successful") == 1, log, 20 * LOOK_EVERY_S)
        done = run("rules", "activate", str(rules / "draft.yaml"), "--config", str(config), "--by", "duty officer")
        assert done.returncode == 0, done.stderr
        until(lambda: "pack activated" in log.read_text(encoding="utf-8"), log, 20 * LOOK_EVERY_S)
        assert screen(config) == []
