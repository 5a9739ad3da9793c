"""What people agreed to can be read again: the words of a version never change."""

from __future__ import annotations

import hashlib
import json

from sqlalchemy import Engine

from notifiers.consents import SENSITIVE, WORDING, WORDING_VERSION, consents_of, give, take_back

VERSIONS = {"2026-01": "9ff58e84abcb1bc5"}
"""Digest of the words by version. Changed words need a new version, and a line here; old lines stay."""


def test_changed_words_have_a_new_version() -> None:
    words = json.dumps(WORDING, sort_keys=True, ensure_ascii=False).encode()
    assert VERSIONS[WORDING_VERSION] == hashlib.sha256(words).hexdigest()[:16]
    assert WORDING["vi"].keys() == WORDING["en"].keys()


def test_giving_again_after_taking_back_keeps_both(engine: Engine) -> None:
    with engine.begin() as connection:
        give(connection, "lan", ["sms", SENSITIVE], by="page", now_s=10)
        give(connection, "lan", ["sms", SENSITIVE], by="page", now_s=10)
        assert take_back(connection, "lan", by="sms", now_s=20, what=["sms"]) == 1
        assert take_back(connection, "lan", by="sms", now_s=30, what=["sms"]) == 0, "the first time counts"
        give(connection, "lan", ["sms"], by="page", now_s=40)
        found = consents_of(connection, "lan")
    assert [(one["what"], one["given_s"], one["withdrawn_s"]) for one in found] == [
        ("sensitive", 10, None),
        ("sms", 10, 20),
        ("sms", 40, None),
    ]
