"""Rule packs from files: read whole or refused whole, with every problem at its line and column."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import msgspec

from rules.checks import problems_of
from rules.documents import Document, read_document
from rules.model import Pack
from rules.structure import mismatches, nearest
from rules.texts import text_problems
from streams.errors import PackError, Problem


@dataclass(frozen=True)
class PackFile:
    """What the file of a pack holds, and how the file is called in messages."""

    name: str
    raw: bytes

    def parsed(self) -> Pack:
        """The pack. Raises ``PackError``."""
        return parse_pack(self.name, self.raw)


def load_pack(name_or_path: str | Path) -> Pack:
    """The pack of this name among those that come with Airshed, or the one in this YAML file.

    Raises:
        PackError: every problem found, each with file, line, column, field and remedy.
    """
    return pack_file(name_or_path).parsed()


def pack_file(name_or_path: str | Path) -> PackFile:
    """The file of a packaged pack, or the one at this path, unread. Raises ``PackError`` when there is none."""
    text = str(name_or_path)
    path = Path(text)
    if path.suffix in (".yaml", ".yml") or path.is_file() or len(path.parts) > 1:
        return _file(path)
    packaged = resources.files("rules") / "packs" / f"{text}.yaml"
    if not packaged.is_file():
        known = packaged_packs()
        remedy = nearest(text, known) or "give one of these names, or the path of a YAML file"
        raise PackError([Problem(f"no pack {text!r}; there are: {', '.join(known)}", remedy=remedy)])
    return PackFile(f"{text}.yaml", packaged.read_bytes())


def packaged_packs() -> list[str]:
    """Names of the packs that come with Airshed."""
    files = (resources.files("rules") / "packs").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def parse_pack(name: str, raw: bytes) -> Pack:
    """A pack from the bytes of a YAML file; ``name`` is how the file is called in messages. Raises ``PackError``."""
    document = read_document(name, raw)
    problems = document.problems or list(text_problems(document)) or list(mismatches(document, Pack, document.value))
    if problems:
        raise PackError(_in_order(problems))
    pack = msgspec.convert(document.value, Pack)
    return _checked(document, _with_status(pack))


def _checked(document: Document, pack: Pack) -> Pack:
    problems = problems_of(document, pack)
    if problems:
        raise PackError(_in_order(problems))
    return pack


def _with_status(pack: Pack) -> Pack:
    """The pack, with an hourly status of episodes and a daily one of legal cases where a rule listens to it."""
    tracks = {rule.track for rule in pack.rules if "status" in rule.on}
    airshed, legal = pack.airshed, pack.airshed.legal_track
    detection = msgspec.structs.replace(airshed.detection, hourly_status="operational" in tracks)
    if legal is not None:
        legal = msgspec.structs.replace(legal, daily_status="legal" in tracks)
    return msgspec.structs.replace(
        pack, airshed=msgspec.structs.replace(airshed, detection=detection, legal_track=legal)
    )


def _file(path: Path) -> PackFile:
    try:
        raw = path.read_bytes()
    except OSError as error:
        problem = Problem(f"cannot be read: {error.strerror}", place=str(path), remedy="check the path and its rights")
        raise PackError([problem]) from None
    return PackFile(str(path), raw)


def _in_order(problems: list[Problem]) -> list[Problem]:
    def position(problem: Problem) -> tuple[int, int]:
        line, column = problem.place.rsplit(":", 2)[-2:]
        return int(line), int(column)

    return sorted(problems, key=position)
