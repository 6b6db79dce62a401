"""A real Debian on real disks: booted over the network by its BMC, written, booted from its disk."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.deep import image
from tests.deep.image import Image
from tests.deep.rig import Machine, Rig, output, rig
from vclab.imaging import sender
from vclab.imaging.sender import Node
from vclab.library import content
from vclab.library.repository import Repository
from vclab.model.revisions import RevisionRecord
from vclab.netboot import environment
from vclab.netboot.nodes import publish

pytestmark = [
    pytest.mark.deep,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]


def say(text: str) -> None:
    """For whoever waits."""
    print(text, file=sys.stderr)


@pytest.fixture(scope="module")
def real() -> Image:
    return image.image(say)


@pytest.fixture(scope="module")
def made(real: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, str]]:
    """A rig, and the name of its imaging environment."""
    built = environment.environment(say)
    with rig(tmp_path_factory.mktemp("deep") / "machines", real.key) as found:
        yield found, publish(found.network.network.root, built)


@pytest.fixture(scope="module")
def repository(real: Image, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """One with the real image."""
    found = Repository.make(tmp_path_factory.mktemp("repository") / "images")
    record = RevisionRecord("debian", 1, "Debian", "", 0, "bare-metal", "linux", 1, 1024, datetime.now(UTC), "deep")
    found.keep(record, image.SIZE, lambda disk, told: (content.copy(real.disk, disk, told), None)[1])
    return found


def load(node: Node, repository: Repository, revision: int) -> sender.Finished:
    """As a load does it."""
    known = repository.block_map("debian", revision)
    sender.place(node, known)
    sender.check(node)
    sender.write(node, repository.disk("debian", revision), known)
    sender.verify(node)
    return sender.finish(node)


def disk_of(machine: Machine, node: Node) -> Node:
    """With the path of its only disk."""
    (disk,) = output(node, "lsblk", "--nodeps", "--noheadings", "--output", "PATH").split()
    return replace(node, disk=disk)


def boots(machine: Machine) -> Node:
    """It does, from its disk, with all room of it."""
    node = machine.to_disk()
    size = int(output(node, "df", "--output=size", "--block-size=1", "/").split()[1])
    assert size > 0.9 * (machine.build.disk - image.ROOT[0]), "the root file system has grown"
    return node


def test_bios(made: tuple[Rig, str], repository: Repository) -> None:
    machine = made[0].machine("ahci", "bios")
    node = disk_of(machine, machine.to_imaging(made[1]))
    done = load(node, repository, 1)
    assert done.moved and done.grown == 3, done.text
    boots(machine)
