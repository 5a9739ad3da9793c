"""References to secrets: the value itself never stands in the configuration."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from streams.errors import ConfigurationError, Problem


class Secret(msgspec.Struct, frozen=True):
    """A reference to a secret: ``env:NAME`` or ``file:PATH``."""

    reference: str

    def reveal(self) -> str:
        """The secret. Raises ``ConfigurationError`` if the variable or the file is missing."""
        kind, _, where = self.reference.partition(":")
        if kind == "env" and where in os.environ:
            return os.environ[where]
        if kind == "file" and Path(where).is_file():
            return Path(where).read_text(encoding="utf-8").strip()
        remedy = f"set the variable {where}" if kind == "env" else f"create the file {where}"
        raise ConfigurationError([Problem("the secret is not there", field=self.reference, remedy=remedy)])

    def __repr__(self) -> str:
        return f"Secret({self.reference})"
