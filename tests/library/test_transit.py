"""Files on their way to and from a repository, on a real file system."""

import hashlib
import os
from pathlib import Path

import pytest

from vclab.library.repository import Repository
from vclab.library.transit import About, Transit
from vclab.model.errors import NotFound, Refused

MIB = 1 << 20
HELD = os.urandom(MIB) + bytes(2 * MIB) + os.urandom(10)


@pytest.fixture
def transit(tmp_path: Path) -> Transit:
    return Transit(Repository.make(tmp_path / "images"))


def about(name: str = "disk.raw", held: bytes = HELD) -> About:
    return About(name, len(held), hashlib.sha256(held).hexdigest(), "alice")


def write(transit: Transit, id: str, offset: int, piece: bytes) -> None:
    writer = transit.open(id, offset)
    try:
        writer.write(piece)
    finally:
        writer.close()


def test_a_file_arrives_in_parts_and_its_zeros_are_holes(transit: Transit) -> None:
    id = transit.announce(about())
    assert (transit.there(), transit.received(id), transit.about(id)) == ([id], 0, about())
    write(transit, id, 0, HELD[: 2 * MIB])
    with pytest.raises(Refused, match=f"only {2 * MIB} of {len(HELD)} bytes"):
        transit.check(id)
    write(transit, id, 2 * MIB, HELD[2 * MIB :])
    file = transit.check(id)
    assert file.read_bytes() == HELD and file.name == "disk.raw"
    assert file.stat().st_blocks * 512 < 2 * MIB
    transit.remove(id)
    assert transit.there() == [] and not file.parent.exists()
    transit.remove(id)


def test_what_does_not_fit_is_refused(transit: Transit) -> None:
    id = transit.announce(about())
    with pytest.raises(Refused, match=r"0 bytes of disk\.raw are here, not 5") as error:
        transit.open(id, 5)
    assert error.value.more == {"received": 0}
    first = transit.open(id, 0)
    with pytest.raises(Refused, match="somebody sends"):
        transit.open(id, 0)
    first.close()
    with pytest.raises(Refused, match="and has more"):
        write(transit, id, 0, HELD + b"x")
    write(transit, id, 0, HELD[::-1])
    with pytest.raises(Refused, match="other bytes"):
        transit.check(id)
    with pytest.raises(Refused, match="no room for"):
        transit.announce(About("large", 1 << 60, "0" * 64, "alice"))


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", ".about", "a\x00b", "ä" * 200, ""])
def test_no_name_leaves_its_folder(transit: Transit, name: str) -> None:
    id = transit.announce(about(name))
    write(transit, id, 0, HELD)
    file = transit.check(id)
    assert file.parent.name == id and file.read_bytes() == HELD and transit.about(id).name == name


@pytest.mark.parametrize("id", ["", "..", "../images", "f" * 31, "F" * 32, "0" * 32])
def test_what_is_no_id(transit: Transit, tmp_path: Path, id: str) -> None:
    for look in (transit.about, transit.received, transit.file, transit.check):
        with pytest.raises(NotFound):
            look(id)
    transit.remove(id)
    assert (tmp_path / "images/images").is_dir()


def test_a_file_that_is_made(transit: Transit) -> None:
    def writes(new: Path) -> None:
        new.write_bytes(HELD)

    id = transit.make("debian-1.qcow2", "bob", writes)
    assert transit.about(id) == About("debian-1.qcow2", len(HELD), hashlib.sha256(HELD).hexdigest(), "bob")

    def fails(new: Path) -> None:
        new.write_bytes(b"half")
        raise Refused("no")

    with pytest.raises(Refused):
        transit.make("other", "bob", fails)
    assert transit.there() == [id]


def test_what_nobody_touches_goes(transit: Transit) -> None:
    old, new = transit.announce(about("old")), transit.announce(about("new"))
    os.utime(transit.file(old), (0, 0))
    half = transit.file(new).parent.with_name("0" * 32)
    half.mkdir()
    os.utime(half, (0, 0))
    assert transit.sweep(3600) == 2
    assert transit.there() == [new]
