"""A name belongs to one dispatcher at a time, and to the next one as soon as the first is gone, however it went."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest
from sqlalchemy import Engine

from notifiers.dispatcher_names import held_name
from streams.errors import ConfigurationError

HOLD = """
import sys
from notifiers.database import connect
from notifiers.dispatcher_names import held_name
with held_name(connect(sys.argv[1]), "dispatch-1"):
    print("holds it", flush=True)
    sys.stdin.read()
"""


def holder(engine: Engine) -> subprocess.Popen[Any]:
    """Another process that holds the name by now."""
    url = engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen([sys.executable, "-c", HOLD, url], stdin=-1, stdout=-1, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "holds it\n"
    return process


def test_a_second_dispatcher_of_a_name_is_refused(engine: Engine) -> None:
    """Both had the name `dispatch` unless told otherwise: the second took the rows that the first was sending."""
    with held_name(engine, "dispatch-1"):
        with (
            pytest.raises(ConfigurationError, match=r"--name: a dispatcher named 'dispatch-1' is at work.*of its own"),
            held_name(engine, "dispatch-1"),
        ):
            pytest.fail("two of one name")
        with held_name(engine, "dispatch-2"):
            pass
    with held_name(engine, "dispatch-1"):
        pass


def test_a_killed_process_leaves_its_name_to_the_next_one_at_once(engine: Engine) -> None:
    process = holder(engine)
    try:
        with pytest.raises(ConfigurationError), held_name(engine, "dispatch-1"):
            pytest.fail("two of one name")
    finally:
        process.kill()
        process.communicate()
    for _ in range(50):
        try:
            with held_name(engine, "dispatch-1"):
                return
        except ConfigurationError:  # the server needs a moment to see that the session is gone
            time.sleep(0.05)
    pytest.fail("the name is not free")


def test_an_error_in_the_block_frees_the_name(engine: Engine) -> None:
    with pytest.raises(RuntimeError), held_name(engine, "../dispatch 1"):
        raise RuntimeError
    with held_name(engine, "../dispatch 1"):
        pass
