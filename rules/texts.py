"""What must hold of every text of a rule pack: short enough, on one line, and nothing in it that nobody sees.

The names and measures of a pack stand in the header of a mail, in an SMS and on pages. A line break in the sender's
name would make every mail unsendable; a direction mark would turn round what people read.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from rules.documents import Document
from streams.errors import Problem
from streams.plain import is_hidden

LONGEST_TEXT = 2_000
"""Characters. The longest measure of the packs that come with Airshed has a hundred; a condition may take lines."""
_LONGEST_KEY = 100
_CONDITION = "when"
_BREAKS = "\n\t"


def text_problems(document: Document) -> Iterator[Problem]:
    """Texts that are no texts for people, each at its place. A key like that is placed at what it stands in."""
    good = {path for path, key in document.keys.items() if not _flaw(str(key.value), _LONGEST_KEY)}
    for path, key in document.keys.items():
        if flaw := _flaw(str(key.value), _LONGEST_KEY):
            yield document.problem(path[:-1], f"a key {flaw[0]}", flaw[1])
    for path, node in document.nodes.items():
        named = all(path[: end + 1] in good for end, part in enumerate(path) if isinstance(part, str))
        if named and isinstance(node, yaml.ScalarNode):
            allowed = _BREAKS if path and path[-1] == _CONDITION else ""
            if flaw := _flaw(node.value, LONGEST_TEXT, allowed):
                yield document.problem(path, f"a text {flaw[0]}", flaw[1])


def _flaw(text: str, longest: int, allowed: str = "") -> tuple[str, str] | None:
    """What is wrong with a text, and the remedy."""
    if len(text) > longest:
        return f"of {len(text)} characters", f"at most {longest}"
    if hidden := sorted({character for character in text if is_hidden(character) and character not in allowed}):
        named = ", ".join(f"U+{ord(character):04X}" for character in hidden[:5])
        return f"with characters that cannot be seen: {named}", "type it again instead of pasting it, on one line"
    return None
