"""airshed.toml: every problem at once, each with its line and remedy; secrets by reference only."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from airshed.configuration import Configuration, Secret, load
from streams.errors import ConfigurationError

EXAMPLE = Path(__file__).parents[2] / "docs" / "airshed.example.toml"


def written(folder: Path, text: str) -> Path:
    (folder / "stations.csv").write_text("station_id,lat,lon,province\n", encoding="utf-8")
    path = folder / "airshed.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    return [str(problem) for problem in caught.value.problems]


def test_an_empty_file_is_an_exercise_with_the_sandbox(tmp_path: Path) -> None:
    settings = load(written(tmp_path, ""))
    assert settings.mode == "exercise"
    assert settings.sms.base_url is None
    assert settings.database_url == f"sqlite:///{tmp_path}/var/airshed.sqlite"


def test_the_example_names_every_key() -> None:
    def keys(struct: type[msgspec.Struct]) -> set[str]:
        return {field.name for field in msgspec.structs.fields(struct)}

    data = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert set(data) == keys(Configuration)
    for field in msgspec.structs.fields(Configuration):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct) and field.type is not Secret:
            assert set(data[field.name]) == keys(field.type), field.name


def test_every_problem_is_reported_with_its_line(tmp_path: Path) -> None:
    text = (
        'mode = "drill"\npak = "vietnam-2026"\n[email]\nport = "smtp"\npassword = "hunter2"\n[[sources]]\nname = "a"\n'
    )
    found = problems_of(written(tmp_path, text))
    at = f"{tmp_path}/airshed.toml"
    assert any(p.startswith(f"{at}:1: mode: ") for p in found)
    assert any(p.startswith(f"{at}:2: pak: unknown key") and "'pack'" in p for p in found)
    assert any(p.startswith(f"{at}:4: email.port: ") for p in found)
    assert any(p.startswith(f"{at}:5: email.password: a secret may not stand") for p in found)
    assert any("sources[0].path: missing" in p for p in found)
    assert not any("hunter2" in p for p in found)


def test_the_second_of_two_tables_is_named_by_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    text = '[[sources]]\nname = "a"\npath = "a"\n[[sources]]\nname = "b"\npath = "nowhere"\n'
    assert [p.split(": ")[0] for p in problems_of(written(tmp_path, text))] == [f"{tmp_path}/airshed.toml:6"]


def test_actual_messages_need_explicit_endpoints(tmp_path: Path) -> None:
    found = problems_of(written(tmp_path, 'mode = "actual"\n'))
    assert {p.split(": ")[1] for p in found} == {"sms.base_url", "sms.auth_token", "email.host", "secret_key"}


def test_broken_toml_and_a_missing_file_are_said_plainly(tmp_path: Path) -> None:
    assert "line 1" in problems_of(written(tmp_path, "mode = \n"))[0]
    assert "No such file" in problems_of(tmp_path / "none.toml")[0]


def test_a_secret_is_read_from_where_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRSHED_TEST_SECRET", "from-the-environment")
    assert Secret("env:AIRSHED_TEST_SECRET").reveal() == "from-the-environment"
    (tmp_path / "token").write_text("from-the-file\n", encoding="utf-8")
    assert Secret(f"file:{tmp_path}/token").reveal() == "from-the-file"
    with pytest.raises(ConfigurationError, match="set the variable AIRSHED_NOT_SET"):
        Secret("env:AIRSHED_NOT_SET").reveal()


SOURCES = """
[[sources]]
name = "drop"
path = "."
[[sources]]
name = "drop"
kind = "sftp"
host = "h.example.invalid"
host_key = "AAAA"
[[sources.accounts]]
username = "a"
password = "plainly"
[[sources]]
name = "c"
kind = "ftp"
host = "h.example.invalid"
[[sources.accounts]]
username = "a"
password = "env:A"
[[sources.accounts]]
username = "b"
pasword = "env:B"
[[sources]]
name = "d"
kind = "openak"
"""


def test_every_kind_of_source_is_checked_and_named_by_its_line(tmp_path: Path) -> None:
    found = problems_of(written(tmp_path, SOURCES))
    at = f"{tmp_path}/airshed.toml"
    assert any(p.startswith(f"{at}:12: sources[1].accounts[0].password: a secret may not") for p in found)
    assert any(p.startswith(f"{at}:22: sources[2].accounts[1].pasword: unknown key") for p in found)
    assert any(p.startswith(f"{at}:25: sources[3].kind: unknown kind 'openak'") and "'openaq'" in p for p in found)
    assert not any("plainly" in p for p in found)


def test_sources_that_are_well_formed_and_still_wrong(tmp_path: Path) -> None:
    text = SOURCES.replace('"plainly"', '"env:A"').replace("pasword", "folder").replace("openak", "push")
    found = problems_of(written(tmp_path, text.replace('"push"', '"airnow"\npoll_s = 1')))
    fields = {p.split(": ")[1] for p in found}
    assert fields == {"sources[1].name", "sources[1].host_key", "sources[2].accounts", "sources[3].poll_s"}


def test_the_example_can_be_read(tmp_path: Path) -> None:
    for name in ("stations.csv", "subscribers.csv", "facilities.csv", "provinces.geojson"):
        (tmp_path / name).touch()
    (tmp_path / "incoming").mkdir()
    path = tmp_path / "airshed.toml"
    path.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    assert [source.kind for source in load(path).sources] == ["directory", "push", "sftp", "openaq"]
