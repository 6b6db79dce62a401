"""The content of a streamOptimized VMDK is read as it comes, and what is none is refused."""

import hashlib
import io
import random
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from vclab.library import vmdk_stream
from vclab.model.errors import Interrupted, StepFailed
from vclab.model.revisions import Content

MIB = 1 << 20
GRAIN = 128  # sectors
BYTES = random.Random(1).randbytes(MIB) + bytes(5 * MIB) + b"\x02" * MIB + bytes(3 * MIB)


def held(content: bytes) -> Content:
    return Content(hashlib.sha256(content).hexdigest(), len(content))


def read(sent: bytes, size: int = 0) -> Content:
    return vmdk_stream.read(io.BufferedReader(io.BytesIO(sent)), size)


def by_qemu(folder: Path, content: bytes) -> bytes:
    raw, made = folder / "given.raw", folder / "given.vmdk"
    raw.write_bytes(content)
    words = ["qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized", str(raw), str(made)]
    subprocess.run(words, check=True)
    return made.read_bytes()


def header(sectors: int, *, packed: int = 1, grain: int = GRAIN, before: int = 128) -> bytes:
    """As hosts send it: where the tables are only the footer says."""
    fields = (b"KDMV", 3, 0x30001, sectors, grain, 1, 20, 512, 0, (1 << 64) - 1, before, 0, b"\n \r\n", packed)
    return struct.pack("<4s2I4QI3QB4sH", *fields).ljust(before * 512, b"\0")


def grain(number: int, content: bytes) -> bytes:
    packed = zlib.compress(content)
    piece = struct.pack("<QI", number, len(packed)) + packed
    return piece.ljust(-(-len(piece) // 512) * 512, b"\0")


def other(kind: int, sectors: int) -> bytes:
    return struct.pack("<QII", sectors, 0, kind).ljust(512, b"\0") + b"\xff" * sectors * 512


def by_host(content: bytes) -> bytes:
    """As an ESXi host writes it, with tables between the grains, a footer and an end."""
    pieces = [header(-(-len(content) // 512))]
    for number, at in enumerate(range(0, len(content), GRAIN * 512)):
        if any(piece := content[at : at + GRAIN * 512]):
            pieces.append(grain(at // 512, piece))
        if number % 50 == 49:
            pieces.append(other(1, 4))
    return b"".join([*pieces, other(2, 1), other(3, 1), other(0, 0)])


@pytest.mark.parametrize("size", [512, 64 << 10, MIB + 512, len(BYTES)])
def test_it_is_what_the_disk_holds(tmp_path: Path, size: int) -> None:
    assert read(by_qemu(tmp_path, BYTES[:size])) == held(BYTES[:size])
    assert read(by_host(BYTES[:size])) == held(BYTES[:size])
    assert read(by_host(bytes(size))) == held(bytes(size))


def test_what_a_storage_has_rounded_up_is_as_long_as_it_was() -> None:
    rounded = by_host(BYTES[: MIB + 512] + bytes(512))
    assert read(rounded, MIB + 512) == held(BYTES[: MIB + 512])
    assert read(rounded, 3 * MIB) == held(BYTES[: MIB + 512] + bytes(512)), "that is no rounding"


def test_what_is_no_such_disk_is_refused() -> None:
    good, twice = grain(0, bytes(GRAIN * 512)), grain(0, b"x" * GRAIN * 512)
    for sent, why in (
        (b"", "cut off"),
        (b"KDMV", "cut off"),
        (b"<html>".ljust(512), "no VMDK as a stream"),
        (header(2048, packed=0), "no VMDK as a stream"),
        (header(0), "says that its disk has 0 bytes"),
        (header(1 << 60), "says that its disk has"),
        (header(2048, grain=1 << 40), "says that its disk has"),
        (header(2048, before=128)[:700], "cut off"),
        (header(2048) + good[:20], "cut off|not as long"),
        (header(2048) + by_host(BYTES)[128 * 512 :][:700], "cut off"),
        (header(2048) + good[:12] + b"\xff" * 600, "Error -3|not as long"),
        (header(2048) + twice + twice, "not in the disk's order"),
        (header(2048) + grain(4096, b"x" * 512), "behind the disk's end"),
        (header(2048) + grain(0, b"x" * (GRAIN * 512 + 1)), "not as long as it should be"),
        (header(2048) + struct.pack("<QI", 0, 1 << 31).ljust(512, b"\0"), "too long"),
        (header(2048) + struct.pack("<QII", 1 << 50, 0, 1), "cut off"),
    ):
        with pytest.raises(StepFailed, match=why):
            read(sent)


def test_whoever_is_told_may_end_it() -> None:
    def told(done: int, size: int) -> None:
        assert size == len(BYTES)
        if done > 2 * MIB:
            raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        vmdk_stream.read(io.BufferedReader(io.BytesIO(by_host(BYTES))), 0, told)


def sketch(sent: bytes) -> vmdk_stream.Sketch:
    return vmdk_stream.sketch(io.BufferedReader(io.BytesIO(sent)))


def test_a_sketch_tells_disks_apart_and_not_how_they_are_sent(tmp_path: Path) -> None:
    """Whoever leaves zeros out sends the same disk; with one other byte, or at another place, it is another one."""
    known = sketch(by_host(BYTES))
    assert known == sketch(by_qemu(tmp_path, BYTES))
    assert vmdk_stream.read_sketched(io.BufferedReader(io.BytesIO(by_host(BYTES)))) == (held(BYTES), known)
    others = (BYTES[:-1] + b"\x01", BYTES[MIB:] + BYTES[:MIB], BYTES + bytes(MIB), bytes(len(BYTES)))
    assert known not in [sketch(by_host(other)) for other in others]
