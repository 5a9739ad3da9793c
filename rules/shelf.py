"""A shelf: a folder with the packs of one airshed and the log that says which of them judges from which hour on.

What has been activated is never changed: a version stands for one content, and the log is only appended to. Whatever
is wrong on the shelf leaves everything as it was before: the packs read so far, and the lines that held so far.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from rules.activations import LOG_NAME, Line, Refusal, append, locked, read_log, read_refusals
from rules.documents import LARGEST_BYTES, read_document
from rules.loading import parse_pack
from rules.model import Pack
from rules.successors import structural_problems, unheard
from streams.airsheds import Airshed
from streams.clock import utc
from streams.errors import PackError, Problem
from streams.versions import Activation, Reign


@dataclass(frozen=True)
class Shelved:
    """A pack as it lies on the shelf, with the digest of its file."""

    pack: Pack
    content: str


@dataclass(frozen=True)
class Contents:
    """What a look at the folder has found.

    Attributes:
        lines: of the log, up to the first that does not hold.
        packs: by reference, those that the lines name.
        drafts: packs in order that no line names, by file name.
        problems: what is refused, each with file, line and column.
        refusals: activations that were seen too late, as workers have written it down.
    """

    lines: tuple[Line, ...] = ()
    packs: dict[str, Shelved] = field(default_factory=dict)
    drafts: dict[str, Pack] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    refusals: tuple[Refusal, ...] = ()


Signature = tuple[tuple[str, int, int], ...]


class Shelf:
    """The packs of an airshed over time (:class:`streams.versions.Versions`), read anew with ``refresh``.

    ``refresh`` may run in another thread than the stages: what it finds is put in place at once.

    Args:
        base: the pack in force while the log is empty; ``None``: then nothing is.
    """

    def __init__(self, folder: Path, base: Pack | None = None) -> None:
        self.folder = folder
        self._configured = base
        self._signature: Signature | None = None
        self._one_at_a_time = Lock()
        self._noted: list[Refusal] = []
        self.contents = Contents()
        self.refresh()

    @property
    def log(self) -> Path:
        """The activation log."""
        return self.folder / LOG_NAME

    @property
    def empty(self) -> bool:
        """No pack is in force, now or later."""
        return self._configured is None and not self.contents.lines

    @property
    def broken(self) -> list[Problem]:
        """What is wrong with the log: lines behind it do not count."""
        return [problem for problem in self.contents.problems if problem.place.startswith(f"{self.log}:")]

    @property
    def base(self) -> Pack:
        """The pack that the stages before the tracker are made for. Raises ``PackError`` when the shelf is empty."""
        if self.empty:
            nothing = Problem("no pack has been activated", place=str(self.log), remedy="airshed rules activate PACK")
            raise PackError(list(self.contents.problems) or [nothing])
        lines = self.contents.lines
        return self._configured if self._configured and not lines else self.pack(lines[0].entry.pack)

    @property
    def latest(self) -> Pack:
        """The pack of the last line of the log, else the base."""
        lines = self.contents.lines
        return self.pack(lines[-1].entry.pack) if lines else self.base

    def refresh(self) -> bool:
        """Look at the folder. True if anything in it has changed since the last look."""
        with self._one_at_a_time:
            if self._noted:
                self._write_refusals()
            signature = self._look()
            if signature == self._signature:
                return False
            # The stages of a new process are made for whatever comes first in the log; those that run, for their base.
            base = self._configured if self._signature is not None else None
            self._signature = signature
            self.contents = _read(self.folder, self.contents, base)
            return True

    def pack(self, reference: str) -> Pack:
        """The pack of this name and version.

        Raises:
            PackError: it is not on the shelf, or is not what was activated. To judge by another one would be wrong.
        """
        found = self._find(reference)
        if found is None:
            self.refresh()  # another worker may have seen it before this one
            found = self._find(reference)
        if found is None:
            missing = Problem(
                f"{reference} is in force for an episode, but is not on the shelf as it was activated",
                place=str(self.folder / f"{reference}.yaml"),
                remedy=f"put the file and the lines of {LOG_NAME} back as they were; `airshed rules status` tells more",
            )
            raise PackError([missing, *self.contents.problems])
        return found

    def _find(self, reference: str) -> Pack | None:
        if reference in self.contents.packs:
            return self.contents.packs[reference].pack
        if self._configured is not None and reference == self._configured.reference:
            return self._configured
        # One that was only ever configured has no line; events it has made may still be on their way.
        draft = self.contents.drafts.get(f"{reference}.yaml")
        return draft if draft is not None and draft.reference == reference else None

    def airshed(self, code: str, reference: str) -> Airshed:
        """See :class:`streams.versions.Versions`."""
        return self.pack(reference).airshed

    def replaced(self, reign: Reign) -> bool:
        """See :class:`streams.versions.Versions`. A log that has vanished must not bring the configured pack back."""
        if self.contents.lines or reign.pack == self.base.reference:
            return False
        if len(reign.activations) > 1:
            remedy = "put the folder back (is its disk mounted?); or take `rules.folder` out for the configured pack"
            raise PackError(
                [Problem(f"{reign.pack} was activated here; the log is gone", place=str(self.log), remedy=remedy)]
            )
        return True

    def activations(self, code: str) -> Sequence[Activation]:
        """See :class:`streams.versions.Versions`."""
        written = [line.entry.activation for line in self.contents.lines]
        return written or [Activation(self.base.reference, 0)]

    def note_refusal(self, activation: Activation, decided_s: int) -> None:
        """An activation came too late. The next ``refresh`` writes that into the log; stages do not wait for disks."""
        found = (line.number for line in self.contents.lines if line.entry.activation == activation)
        hour, decided = utc(activation.from_s), utc(decided_s)
        self._noted += [Refusal(refused=activation.pack, line=number, from_=hour, decided=decided) for number in found]

    def _write_refusals(self) -> None:
        """Once, however many workers see it. A log that cannot be written now is tried again: nothing depends on it."""
        with contextlib.suppress(OSError), locked(self.folder):
            written = {(one.line, one.refused) for one in read_refusals(self.log)}
            append(self.log, [one for one in self._noted if (one.line, one.refused) not in written])
            self._noted = []

    def place(self, activation: Activation) -> str:
        """Where an activation was written: ``activations.jsonl:3:1``."""
        found = (f"{line.name}:{line.number}:1" for line in self.contents.lines if line.entry.activation == activation)
        return next(found, str(self.log))

    def _look(self) -> Signature:
        """Names, sizes and times of everything that counts in the folder."""
        try:
            files = [(path, path.stat()) for path in sorted(self.folder.iterdir()) if _counts(path)]
        except OSError:  # no folder, or a file that is being replaced: the next look will tell
            return ()
        return tuple((path.name, stat.st_mtime_ns, stat.st_size) for path, stat in files)


def digest(raw: bytes) -> str:
    """What a file holds, as the log writes it."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _counts(path: Path) -> bool:
    return (
        path.is_file() and not path.name.startswith(".") and (path.suffix in (".yaml", ".yml") or path.name == LOG_NAME)
    )


def _read(folder: Path, known: Contents, base: Pack | None) -> Contents:
    """The contents of a folder; what is known already stays where the folder has become worse.

    Args:
        base: what the first line has to fit to, if it does not make the base itself.
    """
    lines, problems = read_log(folder / LOG_NAME)
    changed = _rewritten(known.lines, lines, str(folder / LOG_NAME))
    if changed:
        lines, problems = list(known.lines), [*changed, *problems]
    packs: dict[str, Shelved] = {}
    held: list[Line] = []
    for line in lines:
        wrong = _put(line, folder, packs, known, held, base)
        if wrong and len(held) >= len(known.lines):
            problems = [*wrong, *problems]
            break
        problems += wrong
        held.append(line)
    named = {line.entry.file_name for line in held}
    drafts, refused = _drafts(folder, named)
    return Contents(tuple(held), packs, drafts, (*problems, *refused), tuple(read_refusals(folder / LOG_NAME)))


def _rewritten(known: Sequence[Line], lines: Sequence[Line], name: str) -> list[Problem]:
    """What has become of lines that were there before; they may not change."""
    for position, line in enumerate(known):
        now = lines[position] if position < len(lines) else None
        if now is None or now.entry != line.entry:
            what = "is gone or cannot be read" if now is None else "has been changed"
            remedy = "the log is only appended to: put the line back; what it said stays in force"
            return [
                Problem(f"the activation of {line.entry.pack} {what}", place=f"{name}:{line.number}:1", remedy=remedy)
            ]
    return []


def _put(
    line: Line, folder: Path, packs: dict[str, Shelved], known: Contents, held: Sequence[Line], first: Pack | None
) -> list[Problem]:
    """Put the pack of a line with the others. What is wrong with it; a pack known from before is kept all the same."""
    entry = line.entry
    before = known.packs.get(entry.pack)
    if before is not None and before.content == entry.content:
        packs[entry.pack] = before
    try:
        raw = _bytes(folder / entry.file_name)
        if digest(raw) != entry.content:
            remedy = "a version never changes: put the old content back and activate the new one under a higher version"
            return [line.problem(f"{entry.file_name} is not what was activated", remedy, field="content")]
        if entry.pack not in packs:
            packs[entry.pack] = Shelved(parse_pack(str(folder / entry.file_name), raw), entry.content)
    except PackError as error:
        return [line.problem(f"{entry.pack} cannot be used", "see the file", field="pack"), *error.problems]
    pack = packs[entry.pack].pack
    if pack.reference != entry.pack:
        return [line.problem(f"{entry.file_name} holds {pack.reference}", "give it its own name", field="pack")]
    return _follows(line, raw, pack, packs, held, first)


def _follows(
    line: Line, raw: bytes, pack: Pack, packs: dict[str, Shelved], held: Sequence[Line], first: Pack | None
) -> list[Problem]:
    """Whether a pack may take over from the base, and from the pack an open episode is under."""
    base = packs[held[0].entry.pack].pack if held else first or pack
    document = read_document(str(Path(line.name).parent / line.entry.file_name), raw)
    problems = structural_problems(document, base, pack)
    former = packs[held[-1].entry.pack].pack if held else base
    silent = unheard(former, pack) if line.entry.episode else []
    if silent:
        message = f"{pack.reference} never tells {', '.join(silent)} that it is over; {former.reference} warns them"
        remedy = "add an all-clear on closed for them, or let the episode end under its own pack"
        problems.append(line.problem(message, remedy, field="episode"))
    return problems


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_BYTES + 1)  # whatever else lies there; too large is refused when it is read
    except OSError as error:
        problem = Problem(f"cannot be read: {error.strerror}", place=f"{path}:1:1", remedy="put the pack there")
        raise PackError([problem]) from None


def _drafts(folder: Path, named: set[str]) -> tuple[dict[str, Pack], list[Problem]]:
    """Packs that lie there without being activated: read, so that their author sees what is wrong with them."""
    drafts: dict[str, Pack] = {}
    problems: list[Problem] = []
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in paths:
        if _counts(path) and path.name not in {*named, LOG_NAME}:
            try:
                drafts[path.name] = parse_pack(str(path), _bytes(path))
            except PackError as error:
                problems += error.problems
    return drafts, problems
