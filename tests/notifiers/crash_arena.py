"""Where runs of the crash test take place."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine, text, update

from notifiers import consents
from notifiers.database import connect
from notifiers.sandbox import Sandbox
from notifiers.tables import subscribers
from tests.notifiers.crash_lives import Mortals
from tests.notifiers.crash_outcome import PLANTS, person
from tests.notifiers.crash_tally import Tally
from tests.notifiers.samples import NOON, fill

PEOPLE = 3
_WRITTEN = (
    "ledger",
    "notices",
    "attempts",
    "progress",
    "suppressions",
    "heard",
    "escalations",
    "escalation_calls",
    "acknowledgements",
)


@dataclass
class Arena:
    """Where runs take place: a database, a provider, and two processes that can die."""

    sandbox: Sandbox
    first: Mortals
    second: Mortals
    url: str
    public_url: str
    folder: Path
    template: Path | None
    people: int = PEOPLE
    tally: Tally = field(default_factory=Tally)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, engine: Engine, folder: Path, people: int = PEOPLE) -> AsyncIterator[Arena]:
        """One around a database with the current schema, filled here. Everybody has agreed to SMS and mail."""
        fill(engine, folder, people, PLANTS)
        with engine.begin() as connection:
            for index in range(people):
                who, agreed_s = person(index), NOON.timestamp() - 86_400
                consents.give(connection, who, ["sms", "email"], by=consents.PAGE, now_s=agreed_s)
        template = None
        if engine.dialect.name == "sqlite":
            engine.dispose()  # the last connection brings everything from the log into the file
            template = folder / "template.sqlite"
            shutil.copy(folder / "airshed.db", template)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(128)
            public_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with (
                Sandbox(folder / "sandbox") as sandbox,
                Mortals.started(listener) as first,
                Mortals.started(listener) as second,
            ):
                url = engine.url.render_as_string(hide_password=False)
                yield cls(sandbox, first, second, url, public_url, folder, template, people)

    def fresh(self, chosen: str) -> str:
        """An empty ledger beside the registries, in which everybody has chosen these channels, and nothing at the
        provider. Returns the database's URL."""
        self.sandbox.phone.messages.clear()
        self.sandbox.mailbox.mails.clear()
        self.sandbox.switchboard.calls.clear()
        url = self.url
        if self.template is not None:
            path = self.folder / "run.sqlite"
            for old in self.folder.glob("run.sqlite*"):
                old.unlink()
            shutil.copy(self.template, path)
            url = f"sqlite:///{path}"
        engine = connect(url)
        with engine.begin() as connection:
            if self.template is None:
                connection.execute(text(f"TRUNCATE {', '.join(_WRITTEN)}"))
            connection.execute(update(subscribers).values(channels=chosen))
        engine.dispose()
        return url

    @property
    def missed(self) -> int:
        """Callbacks that nobody took so far."""
        return self.sandbox.phone.missed + self.sandbox.switchboard.missed
