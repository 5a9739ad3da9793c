"""A private PostgreSQL server for the tests: started from the system's binaries, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


def binaries() -> Path | None:
    """Where initdb and postgres are, the newest version first."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]), reverse=True)
    on_path = shutil.which("initdb")
    return found[0].parent if found else Path(on_path).parent if on_path else None


class Server(NamedTuple):
    """A running server: where it answers, and the folder of everything it writes."""

    url: str
    folder: Path


STATEMENTS = ("log_statement=all", "log_parameter_max_length=-1", "logging_collector=on", "log_directory=log")
"""Options with which every statement stands in the server's log with all that was given to it."""


@contextlib.contextmanager
def server(bin_folder: Path, *settings: str) -> Iterator[Server]:
    """A running server. As root it runs under another user: PostgreSQL refuses to be root."""
    with tempfile.TemporaryDirectory(prefix="airshed-postgres-") as folder:
        prefix = _unprivileged(folder)
        data = Path(folder) / "data"
        initdb = [*prefix, str(bin_folder / "initdb"), "-D", str(data), "-U", "airshed", "--auth=trust", "-N"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = ["-p", str(port), "-k", folder]
        for setting in ("listen_addresses=127.0.0.1", "fsync=off", *settings):
            options += ["-c", setting]
        process = subprocess.Popen(
            [*prefix, str(bin_folder / "postgres"), "-D", str(data), *options],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            ready = [str(bin_folder / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
            for _ in range(60):
                if subprocess.run(ready, check=False, capture_output=True).returncode == 0:
                    break
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.2)
                    raise RuntimeError("postgres ended while starting")
            yield Server(f"postgresql://airshed@127.0.0.1:{port}/postgres", data)
        finally:
            process.send_signal(signal.SIGINT)  # fast shutdown: does not wait for clients
            process.wait(20)


def _unprivileged(folder: str) -> list[str]:
    if os.geteuid() != 0:
        return []
    user = 65534  # nobody
    os.chown(folder, user, user)
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
