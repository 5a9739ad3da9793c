"""``airshed rules schema``: the JSON Schema of rule packs, for editors."""

from __future__ import annotations

import sys

from rules.schema import text


def schema() -> None:
    """Print the JSON Schema of rule packs: editors that know it complete keys and mark mistakes as one writes.

    Example: `airshed rules schema > pack.schema.json`, and as the first line of a pack
    `# yaml-language-server: $schema=pack.schema.json`
    """
    sys.stdout.write(text())
