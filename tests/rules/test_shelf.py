"""The shelf: packs and the activation log in a folder, and whatever may be wrong with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rules.activating import Order, activate
from rules.activations import BEGINNING, LOG_NAME, Entry
from rules.loading import PackFile
from rules.shelf import Shelf
from streams.errors import PackError
from streams.versions import Activation, Reign

GOOD = (Path(__file__).parent / "packs" / "good.yaml").read_bytes()
BASE = PackFile("good.yaml", GOOD)
NOW = datetime(2026, 1, 12, 14, 25, tzinfo=UTC)
SOON = datetime(2026, 1, 12, 16, tzinfo=UTC)


def version(number: str, *changes: tuple[bytes, bytes], name: str = "mine.yaml") -> PackFile:
    """The good pack with another version, and other texts in place of some."""
    raw = GOOD.replace(b'version: "1"', f'version: "{number}"'.encode())
    for before, after in changes:
        assert before in raw
        raw = raw.replace(before, after)
    return PackFile(name, raw)


def order(**changes: Any) -> Order:
    return Order(**{"from_": SOON, "by": "duty officer", "reason": "trial", "written": NOW, **changes})


def lines(folder: Path) -> list[Entry]:
    return [msgspec.json.decode(line, type=Entry) for line in (folder / LOG_NAME).read_bytes().splitlines()]


def refusal(folder: Path, source: PackFile, given: Order, configured: PackFile | None = BASE) -> str:
    """Why an activation is refused. Nothing may have been written."""
    before = {path.name: path.read_bytes() for path in folder.glob("*.*")}
    with pytest.raises(PackError) as refused:
        activate(folder, source, given, configured)
    assert {path.name: path.read_bytes() for path in folder.glob("*.*")} == before
    return str(refused.value)


def problems(shelf: Shelf) -> list[str]:
    return [str(problem).replace(str(shelf.folder) + "/", "") for problem in shelf.contents.problems]


def test_the_first_activation_puts_the_configured_pack_before_it(tmp_path: Path) -> None:
    activate(tmp_path, version("2"), order(), BASE)
    assert [(entry.pack, entry.from_, entry.by) for entry in lines(tmp_path)] == [
        ("good@1", BEGINNING, "airshed"),
        ("good@2", SOON, "duty officer"),
    ]
    assert (tmp_path / "good@1.yaml").read_bytes() == GOOD
    shelf = Shelf(tmp_path)
    assert (shelf.base.reference, shelf.latest.reference, shelf.contents.problems) == ("good@1", "good@2", ())
    assert [activation.pack for activation in shelf.activations("row")] == ["good@1", "good@2"]


def test_without_an_activation_the_configured_pack_is_in_force(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "not there yet", BASE.parsed())
    assert [activation.pack for activation in shelf.activations("row")] == ["good@1"]
    assert shelf.pack("good@1").reference == "good@1"
    with pytest.raises(PackError, match="no pack has been activated"):
        _ = Shelf(tmp_path).base


def test_a_version_on_the_shelf_never_changes(tmp_path: Path) -> None:
    activate(tmp_path, version("2"), order(), BASE)
    said = refusal(tmp_path, version("2", (b"enter: 151", b"enter: 152")), order(from_=SOON + timedelta(hours=3)))
    assert "mine.yaml:2:" in said
    assert "good@2 is on the shelf already, with other content (raise the version)" in said
    activate(tmp_path, version("2"), order(from_=SOON + timedelta(hours=3)), BASE)  # the same again is no change


def test_a_wrong_pack_is_refused_whole_with_line_and_column(tmp_path: Path) -> None:
    assert "mine.yaml:2:10: version: expected" in refusal(
        tmp_path, version("2", (b'version: "2"', b"version: 2")), order()
    )


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b"code: row", b"code: column", "airshed.code: 'column' instead of 'row'"),
        (b"standard: vn_aqi", b"standard: us_aqi", "airshed.standard: 'us_aqi' instead of 'vn_aqi'"),
        (b"zone: Asia/Ho_Chi_Minh", b"zone: Asia/Bangkok", "airshed.zone"),
    ],
)
def test_what_the_first_stages_are_made_for_must_stay(tmp_path: Path, before: bytes, after: bytes, said: str) -> None:
    refused = refusal(tmp_path, version("2", (before, after)), order())
    assert said in refused
    assert "needs a restart with an empty state" in refused
    assert refused.startswith("mine.yaml:")


def test_a_legal_track_cannot_be_added_while_days_are_not_counted(tmp_path: Path) -> None:
    legal = b"\n  legal_track: {names: {vi: n, en: n}, index: 301}\n  levels:"
    refused = refusal(tmp_path, version("2", (b"\n  levels:", legal)), order())
    assert "airshed.legal_track: is new: good@1 has none, so no days have been counted" in refused
    assert "leave it out of this pack" in refused
    assert "start with an empty state" in refused
    assert refused.startswith("mine.yaml:")


def test_coverage_must_stay_and_how_many_provinces_it_takes_may_change(tmp_path: Path) -> None:
    detection = b"\n  detection: {minimum_provinces: 3, %s}\n  levels:"
    refused = refusal(tmp_path, version("2", (b"\n  levels:", detection % b"minimum_coverage: 0.75")), order())
    assert "airshed.detection.minimum_coverage: 0.75 instead of 0.5" in refused
    activate(tmp_path, version("2", (b"\n  levels:", detection % b"together_hours: 4")), order(), BASE)


def test_an_hour_that_may_have_been_decided_is_refused(tmp_path: Path) -> None:
    activate(tmp_path, version("2"), order(), BASE)
    shelf = Shelf(tmp_path)
    forged = msgspec.structs.replace(lines(tmp_path)[1], from_=NOW - timedelta(minutes=25))
    with shelf.log.open("ab") as log:
        log.write(msgspec.json.encode(forged) + b"\n")
    assert shelf.refresh()
    (said,) = problems(shelf)
    assert said.startswith(f"{LOG_NAME}:3:")
    assert "from: written after 2026-01-12T14:00Z, its own hour" in said
    assert len(shelf.activations("row")) == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{half a line", f"{LOG_NAME}:3:2: not JSON"),
        (b"\xff\xfe", f"{LOG_NAME}:3:1: not JSON"),
        (b'{"pack": "good@2"}', f"{LOG_NAME}:3:1: content: object missing required field content"),
        (b'{"pack": "good", "content": ""}', f"{LOG_NAME}:3:10: pack: expected str matching regex"),
        (b'{"pack": "good@2", "form": 1}', f"{LOG_NAME}:3:28: form: object contains unknown field form"),
    ],
)
def test_a_broken_line_is_refused_with_what_follows_it(tmp_path: Path, line: bytes, said: str) -> None:
    activate(tmp_path, version("2"), order(), BASE)
    shelf = Shelf(tmp_path)
    before = shelf.contents.lines
    whole = shelf.log.read_bytes()
    later = msgspec.json.encode(msgspec.structs.replace(lines(tmp_path)[1], from_=SOON + timedelta(hours=5)))
    shelf.log.write_bytes(whole + line + b"\n" + later + b"\n")
    assert shelf.refresh()
    assert problems(shelf)[0].startswith(said)
    assert shelf.contents.lines == before
    assert Shelf(tmp_path).contents.lines == before
    assert "a line behind it would not count" in refusal(tmp_path, version("3"), order())
    shelf.log.write_bytes(whole + later + b"\n")
    assert shelf.refresh()
    assert (problems(shelf), len(shelf.contents.lines)) == ([], 3)


def test_nothing_on_a_running_shelf_can_be_taken_back(tmp_path: Path) -> None:
    activate(tmp_path, version("2"), order(), BASE)
    shelf = Shelf(tmp_path)
    before, log = shelf.contents.lines, shelf.log.read_bytes()
    for changed in (b"", log.splitlines(keepends=True)[0], log.replace(b"trial", b"other")):
        shelf.log.write_bytes(changed)
        assert shelf.refresh()
        assert "the log is only appended to" in problems(shelf)[0]
        assert shelf.contents.lines == before
    shelf.log.write_bytes(log)
    (tmp_path / "good@2.yaml").write_bytes(version("2", (b"enter: 151", b"enter: 152")).raw)
    assert shelf.refresh()
    assert problems(shelf)[0].startswith(f"{LOG_NAME}:2:1: content: good@2.yaml is not what was activated")
    assert shelf.pack("good@2").airshed.levels[0].enter == 151
    (tmp_path / "good@2.yaml").unlink()
    assert shelf.refresh()
    assert shelf.pack("good@2").airshed.levels[0].enter == 151
    with pytest.raises(PackError, match="put the file and the lines"):  # a new process cannot know what it was
        Shelf(tmp_path).pack("good@2")


def test_a_draft_is_read_for_its_author_and_changes_nothing(tmp_path: Path) -> None:
    activate(tmp_path, version("2"), order(), BASE)
    shelf = Shelf(tmp_path)
    before = shelf.contents.lines, shelf.contents.packs
    (tmp_path / "mine.yaml").write_bytes(version("3", (b"enter: 151", b"enter: high")).raw)
    assert shelf.refresh()
    assert problems(shelf)[0].startswith("mine.yaml:")
    assert "expected" in problems(shelf)[0]
    assert (shelf.contents.lines, shelf.contents.packs) == before
    (tmp_path / "mine.yaml").write_bytes(version("3").raw)
    assert shelf.refresh()
    assert (problems(shelf), list(shelf.contents.drafts)) == ([], ["mine.yaml"])
    assert not shelf.refresh()


def test_an_episode_is_not_moved_to_a_pack_that_never_tells_its_end(tmp_path: Path) -> None:
    lonely = version("2", (b"notice: all-clear", b"notice: bulletin"))
    refused = refusal(tmp_path, lonely, order(episode="row-20260112T03Z-01"))
    assert "never tells facilities, residents that it is over; good@1 warns them" in refused
    activate(tmp_path, lonely, order(), BASE)  # the next episode is under it from its beginning


def test_before_the_first_activation_another_configured_pack_takes_over_at_once(tmp_path: Path) -> None:
    """As without a shelf: a new release, say, has brought a new version of its pack."""
    shelf = Shelf(tmp_path, version("2").parsed())
    before = Reign("good@1", 0, [Activation("good@1", 0)])
    assert shelf.replaced(before)
    with pytest.raises(PackError, match="good@1 is in force for an episode"):  # an event of it is on its way
        shelf.pack("good@1")
    (tmp_path / "good@1.yaml").write_bytes(GOOD)
    assert shelf.pack("good@1").reference == "good@1"
    assert not shelf.replaced(Reign("good@2", 0, [Activation("good@2", 0)]))


def test_a_log_that_has_vanished_does_not_bring_the_configured_pack_back(tmp_path: Path) -> None:
    after = Reign("good@2", 0, [Activation("good@1", 0), Activation("good@2", 7200)])
    with pytest.raises(PackError, match=r"good@2 was activated here; the log is gone \(put the folder back"):
        Shelf(tmp_path, BASE.parsed()).replaced(after)
    activate(tmp_path, version("2"), order(), BASE)
    assert not Shelf(tmp_path, BASE.parsed()).replaced(after)


def test_the_configured_pack_may_have_changed_since_its_shelf_was_begun(tmp_path: Path) -> None:
    """The log is what counts: a new release of Airshed, say, brings its packs anew."""
    activate(tmp_path, version("2"), order(), BASE)
    other = version("9", (b"standard: vn_aqi", b"standard: us_aqi")).parsed()
    shelf = Shelf(tmp_path, other)
    assert (problems(shelf), shelf.base.reference, len(shelf.contents.lines)) == ([], "good@1", 2)


def test_a_running_installation_keeps_what_it_was_started_with(tmp_path: Path) -> None:
    """Somebody puts a foreign shelf into its empty folder."""
    shelf = Shelf(tmp_path / "rules", version("9", (b"standard: vn_aqi", b"standard: us_aqi")).parsed())
    activate(tmp_path / "rules", version("2"), order(), BASE)
    assert shelf.refresh()
    assert any("airshed.standard" in problem for problem in problems(shelf))
    assert [activation.pack for activation in shelf.activations("row")] == ["good@9"]


def test_the_configured_file_itself_cannot_be_activated(tmp_path: Path) -> None:
    assert "good@1 is the configured pack, in force already (leave the configured file" in refusal(
        tmp_path, BASE, order()
    )
