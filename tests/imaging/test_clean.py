"""All disks of a node are cleaned, but for those to be kept: real loop devices, in a place that has no others (root);
and disks that don't do what they say."""

import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.imaging.conftest import MIB
from tests.imaging.disks import MAKE, blank, loop, mounted, mounts_of_our_own, run
from tests.labfixture import eventually
from vclab.imaging import cleaner, inspector
from vclab.imaging.cleaner import One, Progress, format_words
from vclab.imaging.cleaning import Cleaned, clean
from vclab.imaging.node import STOPPED_WITHIN, Node
from vclab.imaging.on_node import Discard, Disk, Trouble
from vclab.model.errors import Interrupted, StepFailed, Unreachable

OTHER = b"\xa5"
ALONE = Path(__file__).with_name("alone.sh")
SIZE = 40 * MIB


def node_with(folder: Path, devices: Sequence[str]) -> Node:
    """Its disks, with the serial numbers S0, S1, …"""
    disks = ",".join(f"{Path(device).name}:S{index}" for index, device in enumerate(devices))
    return Node(words=("unshare", "--mount", "sh", str(ALONE), disks), folder=str(folder / "node"))


def is_empty(file: Path) -> bool:
    return file.read_bytes().count(0) == file.stat().st_size


def running(folder: Path) -> str:
    words = ("pgrep", "-f", f"{folder}/node/programs.zip cleaner")
    return subprocess.run(words, capture_output=True, text=True).stdout


def test_disks_are_cleaned_and_one_is_kept(tmp_path: Path) -> None:
    files = [blank(tmp_path / f"disk-{number}", SIZE, OTHER) for number in range(3)]
    with ExitStack() as held:
        devices = [held.enter_context(loop(file)) for file in files]
        progress: list[tuple[int, int]] = []
        node = node_with(tmp_path, devices)
        done = clean(node, ["S1"], lambda done, of: progress.append((done, of)))
        how = {one.serial: one.how for one in done}
        assert how.pop("S1") == "kept" and set(how.values()) <= {"discarded", "overwritten"}
        assert [(one.path, one.size) for one in done] == [(device, SIZE) for device in sorted(devices)]
        assert all(done <= of for done, of in progress)
        again = clean(node, ["S1"])
    assert [is_empty(file) for file in files] == [True, False, True]
    assert files[1].read_bytes().count(OTHER) == SIZE
    assert {one.serial for one in again} == {"S0", "S1", "S2"}


@pytest.mark.parametrize("wrong", ["read-only", "mounted", "kept"])
def test_nothing_is_touched_when_one_disk_can_not_be_cleaned(tmp_path: Path, wrong: str) -> None:
    first = blank(tmp_path / "first", SIZE, OTHER)
    second = blank(tmp_path / "second", SIZE)
    with mounts_of_our_own(), ExitStack() as held:
        devices = [held.enter_context(loop(first)), held.enter_context(loop(second, read_only=wrong == "read-only"))]
        why = "is read-only|can't be written"
        if wrong == "mounted":
            run(*MAKE["ext4"], devices[1])
            held.enter_context(mounted(devices[1], "ext4", tmp_path / "mounted"))
            why = f"{devices[1]} is in use"
        keep = ["S7"] if wrong == "kept" else []
        why = "no disk has the serial number S7, which is to be kept: nothing was cleaned" if keep else why
        with pytest.raises(StepFailed, match=why) as failed:
            clean(node_with(tmp_path, devices), keep)
    assert "\n" not in str(failed.value)
    assert first.read_bytes().count(OTHER) == SIZE


def test_a_machine_that_has_not_booted_the_imaging_environment_is_left_alone(tmp_path: Path) -> None:
    if Path("/etc/vclab/environment").exists():
        pytest.skip("this machine has booted it")
    with pytest.raises(StepFailed, match="this machine is not in the imaging environment"):
        clean(Node(folder=str(tmp_path / "node")))


def test_a_cancel_stops_it(tmp_path: Path) -> None:
    with loop(blank(tmp_path / "disk", SIZE, OTHER)) as device:
        asked = 0.0

        def told(done: int, of: int) -> None:
            nonlocal asked
            if of:
                asked = time.monotonic()
                raise Interrupted("stopped as asked")

        with pytest.raises(Interrupted):
            clean(node_with(tmp_path, [device]), told=told)
        eventually(lambda: not running(tmp_path), seconds=asked + STOPPED_WITHIN - time.monotonic())


def test_a_disk_that_can_not_be_read_any_more_says_where(tmp_path: Path) -> None:
    file = blank(tmp_path / "disk", SIZE, OTHER)
    with loop(file) as device:
        os.truncate(file, SIZE // 2)
        with pytest.raises(StepFailed, match=rf"the disk {device} can't be .* at byte \d+"):
            clean(node_with(tmp_path, [device]))


# --- disks that don't do what they say ------------------------------------------------------------------------------


class Liar(Disk):
    """It takes all discards, and does nothing; and it forgets what is written from a byte on."""

    forgets = SIZE

    def discard(self, at: int, length: int) -> Discard:
        return Discard.PLAIN

    def zero(self, at: int, length: int) -> None:
        zeroed.append((at, length))
        if at < self.forgets:
            super().zero(at, length)


zeroed: list[tuple[int, int]] = []


def one(monkeypatch: pytest.MonkeyPatch, file: Path, begin: int = 0, forgets: int = SIZE) -> One:
    zeroed.clear()
    monkeypatch.setattr(cleaner, "Disk", Liar)
    monkeypatch.setattr(cleaner, "ZERO_STEP", 4 * MIB)
    monkeypatch.setattr(Liar, "forgets", forgets)
    known: dict[str, Any] = {"path": str(file), "serial": "S1", "wwn": "", "discarded_by": 0}
    return One(known, {f"S1@{file}": begin})


@pytest.mark.parametrize("filled", [OTHER, b""])
def test_a_disk_that_ignores_discards_is_overwritten_also_if_it_was_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filled: bytes
) -> None:
    file = blank(tmp_path / "disk", SIZE, filled)
    assert one(monkeypatch, file).clean(Progress(SIZE)) == "overwritten"
    assert is_empty(file)


def test_a_disk_that_keeps_its_content_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = blank(tmp_path / "disk", SIZE, OTHER)
    with pytest.raises(Trouble, match=r"was overwritten, but does not hold zeros at byte"):
        one(monkeypatch, file, forgets=36 * MIB).clean(Progress(SIZE))


def test_another_attempt_overwrites_only_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = blank(tmp_path / "disk", SIZE, OTHER)
    with file.open("r+b") as held:
        held.write(bytes(24 * MIB))
    assert one(monkeypatch, file, 24 * MIB).clean(Progress(SIZE)) == "overwritten"
    assert zeroed[0][0] == 24 * MIB and sum(length for _, length in zeroed) == 16 * MIB
    assert is_empty(file)
    assert one(monkeypatch, file, SIZE).clean(Progress(SIZE)) == "clean"
    assert not zeroed


def test_a_disk_that_was_written_after_it_was_cleaned_is_cleaned_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = blank(tmp_path / "disk", SIZE, OTHER)
    assert one(monkeypatch, file, SIZE).clean(Progress(SIZE)) == "overwritten"
    assert is_empty(file)


# --- disks that are hard to tell apart ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wwns", "serials", "keep"),
    [
        (("0x50014380", "0x50014380"), ("S0", "S1"), ()),
        (("0x50014380", "0x50014380"), ("", ""), ()),
        (("0x50014380", "0x50014380"), ("S0", "S1"), ("S0",)),
        (("", ""), ("S0", "S0"), ()),
    ],
    ids=("one WWN", "one WWN, no serial", "one is kept", "one serial, no WWN"),
)
def test_each_disk_is_cleaned_whatever_it_says_of_itself(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wwns: Sequence[str],
    serials: Sequence[str],
    keep: Sequence[str],
) -> None:
    files = [blank(tmp_path / f"disk-{number}", MIB, OTHER) for number in range(2)]
    known = [
        {"path": str(file), "serial": serial, "wwn": wwn, "size": MIB, "discarded_by": 0}
        for file, serial, wwn in zip(files, serials, wwns, strict=True)
    ]
    monkeypatch.setattr(inspector, "disks", lambda: known)
    monkeypatch.setattr(cleaner, "must_be_environment", lambda: None)
    cleaner.clean(keep, {})
    assert [is_empty(file) for file in files] == [serial not in keep for serial in serials]


def test_a_disk_with_two_paths_is_cleaned_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = blank(tmp_path / "disk", MIB, OTHER)
    other = tmp_path / "other-path"
    other.symlink_to(file)
    same = {"serial": "S0", "wwn": "0x50014380", "size": MIB, "discarded_by": 0}
    monkeypatch.setattr(inspector, "disks", lambda: [{"path": str(path), **same} for path in (file, other)])
    monkeypatch.setattr(cleaner, "must_be_environment", lambda: None)
    said: list[object] = []
    monkeypatch.setattr(cleaner, "say", lambda **event: said.append(event["event"]))
    cleaner.clean([], {})
    assert said.count("cleaned") == 1 and is_empty(file)


CONTROLLER = {"oacs": 0x5F, "fna": 0}
SPACE = {"flbas": 1}


@pytest.mark.parametrize(
    ("controller", "spaces", "formatted"),
    [
        (CONTROLLER, 1, True),
        (CONTROLLER, 2, True),
        ({**CONTROLLER, "fna": 1}, 1, True),
        ({**CONTROLLER, "fna": 1}, 2, False),  # it would format all of them
        ({**CONTROLLER, "fna": 2}, 2, False),
        ({**CONTROLLER, "oacs": 0}, 1, False),
    ],
)
def test_a_namespace_is_formatted_where_that_touches_no_other(
    controller: dict[str, int], spaces: int, formatted: bool
) -> None:
    words = format_words("/dev/nvme0n1", controller, SPACE, spaces)
    assert words == (["nvme", "format", "/dev/nvme0n1", "--ses=1", "--lbaf=1", "--force"] if formatted else [])


@pytest.mark.parametrize("how", ['"sold"', "7", "null"])
def test_what_a_node_says_is_a_claim(tmp_path: Path, how: str) -> None:
    (tmp_path / "said").write_text(f'{{"event": "cleaned", "path": "/dev/sda", "size": 1, "how": {how}}}\n')
    script = f'case "$1" in sh*) cat >/dev/null;; *) cat {tmp_path}/said;; esac'
    with pytest.raises(Unreachable, match="not understood"):
        clean(Node(words=("sh", "-c", script, "node"), folder=str(tmp_path / "node")))


def test_what_was_done_reads_well() -> None:
    assert str(Cleaned("/dev/sda", "S", 1, "discarded")) == "/dev/sda discarded"
