"""A new key for the contacts: everything is sealed anew while messages go out, and the old key can go."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, insert, select

from notifiers import rotation
from notifiers.contacts import Vault
from notifiers.database import reading
from notifiers.rotation import rotate
from notifiers.sandbox import Sandbox
from notifiers.tables import confirmations, facilities, subscribers
from streams.errors import ConfigurationError
from tests.notifiers.samples import NOON, VAULT, fill, notice, number
from tests.notifiers.workplace import dispatching, email_channel, planned, sms_channel

SECRET = "a secret for tests only"
NEW, HASH = Fernet.generate_key().decode(), "a hash key that stays the same"


def test_everything_is_sealed_anew_and_found_again(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "_CHUNK", 3)
    fill(engine, tmp_path, 7, 2)
    with engine.begin() as connection:
        connection.execute(
            insert(confirmations).values(
                id="c", request="r", purpose="manage", subscriber_id="", channel="sms",
                contact=VAULT.seal("+84911111111"),
                contact_hash="h", language="vi", created_s=0, expires_s=0,
            )
        )  # fmt: skip
    both = Vault.from_secret(SECRET, [NEW])
    assert rotate(engine, both).sealed == 7 * 2 + 2 * 2 + 1
    again = rotate(engine, both)
    assert (again.sealed, again.current, again.unreadable) == (0, 19, [])
    only_new = Vault([NEW], "x" * 16)
    with reading(engine) as connection:
        for table in (subscribers, facilities):
            for row in connection.execute(select(table.c.sms, table.c.email, table.c.sms_hash)):
                opened = only_new.open(row.sms)
                assert opened.startswith("+8491")
                assert row.sms_hash == both.fingerprint(opened), "the key of the hash stays"
                assert "@example.org" in only_new.open(row.email)
                with pytest.raises(ConfigurationError, match="cannot be opened"):
                    VAULT.open(row.sms)


def test_what_no_key_opens_is_named_and_the_rest_goes_on(sqlite_engine: Engine, tmp_path: Path) -> None:
    fill(sqlite_engine, tmp_path, 2, 0)
    stranger = Vault([Fernet.generate_key().decode()], HASH)
    with sqlite_engine.begin() as connection:
        lost = subscribers.update().where(subscribers.c.subscriber_id == "S0000").values(sms=stranger.seal("x"))
        connection.execute(lost)
    result = rotate(sqlite_engine, Vault.from_secret(SECRET, [NEW]))
    assert result.unreadable == ["subscribers S0000 sms"]
    assert result.sealed == 3


async def test_messages_go_out_meanwhile(engine: Engine, sandbox: Sandbox, tmp_path: Path) -> None:
    """The dispatchers have both keys by then; every message is sent once, before, during or after its rotation."""
    fill(engine, tmp_path, 30, 0)
    planned(engine, notice())
    both = Vault.from_secret(SECRET, [NEW])
    channels = [sms_channel(sandbox.addresses), email_channel(sandbox.addresses)]
    async with dispatching(engine, channels, now_s=NOON.timestamp(), vault=both) as dispatcher:
        result, _ = await asyncio.gather(asyncio.to_thread(rotate, engine, both), dispatcher.drain())
    assert result.sealed == 60
    assert sorted(message.to for message in sandbox.phone.messages.values()) == [number(index) for index in range(30)]
    assert len({mail.to for mail in sandbox.mailbox.mails}) == len(sandbox.mailbox.mails) == 30
