"""What doctor says of channels, and what an installation is built of."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from typer.testing import CliRunner

from airshed.channel_checks import channel_looks
from airshed.channels import actual_channels, callback_secrets, exercise_channels
from airshed.cli import app
from airshed.configuration import Configuration, load
from airshed.local.live import database_of
from airshed.messaging import import_registries, keys_of, messaging
from airshed.packs import base_of
from notifiers import operators
from notifiers.channels.fallback import FallbackChannel
from notifiers.database import connect
from notifiers.operators import Occasion, OperatorEvent
from notifiers.planner import plan
from notifiers.sandbox.server import Addresses
from streams.clock import ManualClock
from streams.errors import ConfigurationError
from tests.notifiers.samples import LINKS, NOON, notice

SERVICE = "MG" + "0" * 32
KEY = f"whsec_{base64.b64encode(b'k' * 32).decode()}"
SANDBOX = Addresses("http://127.0.0.1:9", "127.0.0.1", 9, "", "")


def settings(folder: Path, text: str) -> Configuration:
    (folder / "stations.csv").write_text("station_id,lat,lon,province\n", encoding="utf-8")
    (folder / "airshed.toml").write_text(text, encoding="utf-8")
    return load(folder / "airshed.toml")


def secret(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return f"file:{folder / name}"


def everything(folder: Path, base_url: str = "https://sms.example.org", **keys: str) -> str:
    token, hooks = secret(folder, "token", "a-token-1234"), secret(folder, "hooks", f'"plant.example" = ["{KEY}"]')
    return f"""
mode = "{keys.get("mode", "exercise")}"
secret_key = "{secret(folder, "key", "a signing secret for tests")}"
[web]
public_url = "{keys.get("public_url", "https://alerts.example.org")}"
[sms]
base_url = "{base_url}"
account_sid = "AC1"
auth_token = "{token}"
sender = "{keys.get("sender", "AIRSHED")}"
[sms.fallback]
base_url = "{base_url}"
account_sid = "AC2"
auth_token = "{token}"
[email]
host = "127.0.0.1"
[email.bounces]
address = "{keys.get("bounces", "bounces@bounce.example.org")}"
port = 25260
[voice]
caller = "+842471000000"
[webhooks]
keys = "{keys.get("hooks", hooks)}"
[cap]
sender = "alerts@example.org"
folder = "cap"
[operators]
addresses = "{keys.get("operators", secret(folder, "operators", "json://127.0.0.1:9/TOKEN"))}"
"""


def says(made: Configuration) -> dict[str, str]:
    found = {}
    for what, look in channel_looks(made):
        try:
            found[what] = look()
        except ConfigurationError as error:
            found[what] = f"FAIL {error}"
    return found


class Provider(BaseHTTPRequestHandler):
    """Knows one account."""

    def do_GET(self) -> None:
        known = base64.b64encode(b"AC1:a-token-1234").decode()
        good = self.headers.get("Authorization") == f"Basic {known}" and self.path.endswith("/Accounts/AC1.json")
        self.send_response(200 if good else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_empty_configuration_has_nothing_to_find(tmp_path: Path) -> None:
    found = says(settings(tmp_path, ""))
    assert set(found) == {"callbacks", "webhooks", "operators"}
    assert not any(text.startswith("FAIL") for text in found.values())
    assert not (tmp_path / "airshed").exists(), "looking makes no database"


def plants(made: Configuration, folder: Path, *webhooks: str) -> None:
    """Plants F000 and on, with these webhooks, in the installation's registry."""
    lines = ["facility_id,name,kind,province,lat,lon,language,email,phone,webhook"]
    lines += [
        f"F{number:03},Plant,cement,01,21.0,105.8,vi,p{number}@example.org,,{url}"
        for number, url in enumerate(webhooks)
    ]
    (folder / "facilities.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    keys = keys_of(made, Path(made.data_dir), made.web.public_url)
    report = import_registries(database_of(made), keys, base_of(made), None, folder / "facilities.csv")["facilities"]
    assert report.accepted == len(webhooks), report.refused


def test_plants_with_a_webhook_and_no_keys_are_found(tmp_path: Path) -> None:
    """Their messages would wait, planned, for a channel that is not there."""
    made = settings(tmp_path, "")
    plants(made, tmp_path, "", "https://plant.example/hook", "")
    found = says(made)["webhooks"]
    assert found.startswith("FAIL")
    assert "plant F001 has a webhook, and no keys are set" in found
    assert "webhooks.keys" in found
    assert says(settings(tmp_path, everything(tmp_path)))["webhooks"].endswith("1 plants have a webhook")


def test_plants_at_a_host_without_a_key_are_found(tmp_path: Path) -> None:
    made = settings(tmp_path, everything(tmp_path, mode="actual"))
    plants(made, tmp_path, "https://plant.example/hook", "https://other.example/hook", "https://PLANT.example/x")
    with pytest.raises(ConfigurationError, match="plant F001 has a webhook at a host without a key"):
        dict(channel_looks(made))["webhooks"]()


def test_everything_in_order(tmp_path: Path) -> None:
    found = says(settings(tmp_path, everything(tmp_path)))
    assert set(found) == {"callbacks", "sms fallback", "bounces", "webhooks", "cap", "operators"}
    assert not any(text.startswith("FAIL") for text in found.values()), found
    assert "plant.example" in found["webhooks"]
    assert "TOKEN" not in str(found)
    assert KEY not in str(found)


def test_the_provider_is_asked_whether_it_knows_the_account(tmp_path: Path, provider: str) -> None:
    found = says(settings(tmp_path, everything(tmp_path, provider, mode="actual")))
    assert found["sms"] == "127.0.0.1 knows the account"
    assert "sms.fallback.auth_token" in found["sms fallback"]
    assert "a-token-1234" not in str(found)


@pytest.mark.parametrize(
    ("key", "value", "where"),
    [
        ("public_url", "https://under_score.example.org", "callbacks"),
        ("bounces", "no-address", "bounces"),
        ("hooks", "env:NOT_SET_ANYWHERE", "webhooks"),
        ("operators", "env:NOT_SET_ANYWHERE", "operators"),
        ("sender", "much too long a name", "sms fallback"),
    ],
)
def test_what_is_wrong_is_found_where_it_is(tmp_path: Path, key: str, value: str, where: str) -> None:
    found = says(settings(tmp_path, everything(tmp_path, **{key: value})))
    assert [what for what, text in found.items() if text.startswith("FAIL")] == [where]


def test_a_table_of_keys_that_is_none_is_not_shown(tmp_path: Path) -> None:
    bad = secret(tmp_path, "bad", f"plant = {KEY}")
    found = says(settings(tmp_path, everything(tmp_path, hooks=bad)))
    assert found["webhooks"].startswith("FAIL")
    assert KEY not in found["webhooks"]


def test_actual_messages_need_https(tmp_path: Path, provider: str) -> None:
    text = everything(tmp_path, provider, mode="actual", public_url="http://alerts.example.org")
    assert says(settings(tmp_path, text))["callbacks"].startswith("FAIL")


async def test_channels_of_both_modes(tmp_path: Path) -> None:
    made = settings(tmp_path, everything(tmp_path))
    actual = actual_channels(made, LINKS, None)
    exercise = exercise_channels(made, SANDBOX, LINKS, None)
    assert [channel.name for channel in actual] == ["sms", "email", "voice", "webhook"]
    assert [channel.name for channel in exercise] == ["sms", "email", "voice", "webhook"]
    assert isinstance(actual[0], FallbackChannel)
    for channel in exercise:
        inside = json.dumps(vars(channel), default=lambda part: str(getattr(part, "__dict__", part)))
        assert "sms.example.org" not in inside
        await channel.close()
    for other in actual:
        await other.close()
    assert callback_secrets(made, sandbox=False)["second_auth_token"] == "a-token-1234"
    assert callback_secrets(made, sandbox=True) == {"sms_auth_token": "sandbox-auth-token"}


async def test_an_installation_serves_alerts_takes_bounces_and_tells_operators(tmp_path: Path) -> None:
    made = settings(tmp_path, everything(tmp_path))
    engine = connect(f"sqlite:///{tmp_path / 'airshed.db'}")
    clock = ManualClock(NOON.timestamp() + 60)
    async with messaging(engine, made, clock, public_url="http://127.0.0.1:9", worker="w") as notifying:
        with engine.begin() as connection:
            plan(connection, notice())
        await notifying.dispatcher.drain(5)
        with TestClient(notifying.app) as client:
            assert client.get("/cap/feed.atom").text.count("<entry>") == 0
            assert client.get("/cap/exercise/feed.atom").text.count("<entry>") == 1
        assert operators._desk is not None
        operators.tell(OperatorEvent(occasion=Occasion.TEST, about="x"))
    assert operators._desk is None
    engine.dispose()


def test_commands(tmp_path: Path) -> None:
    settings(tmp_path, everything(tmp_path))
    config = ["--config", str(tmp_path / "airshed.toml")]
    runner = CliRunner()
    tried = runner.invoke(app, ["operators", "test", *config])
    assert tried.exit_code == 1
    assert "FAIL  json (1)" in tried.output
    assert "TOKEN" not in tried.output
    assert "channel-down" in runner.invoke(app, ["operators", "occasions"]).output
    bad = tmp_path / "bad.xml"
    bad.write_text("<alert/>")
    checked = runner.invoke(app, ["cap", "check", str(bad)])
    assert checked.exit_code == 1
    assert "FAIL" in checked.output
