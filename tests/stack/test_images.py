"""Images of the library on the whole stack: brought once for all who wait, whatever is killed meanwhile; deleted when
nobody needs them."""

import hashlib
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.labfixture import eventually
from tests.stack.conftest import ADMIN, LONG, Stack, everything
from vclab.lab import rootfs
from vclab.lab.disks import data_of, make_master
from vclab.lab.layout import VCENTER_PORT
from vclab.model.ids import new_id

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def given(whole: Stack) -> Path:
    """A disk image that somebody brings: raw, of 1 GiB."""
    disk = whole.layout.folder / "given" / "disk.vmdk"
    make_master(disk, rootfs.tree(print), whole.layout.layers / "debian-12", 1)
    return data_of(disk, child=False)


@pytest.fixture
def image(stack: Stack, given: Path) -> Iterator[str]:
    """It, in the library."""
    name = f"given-{new_id()[-6:]}"
    stack.vclab(*ADMIN, "image", "import", str(given), "--as", name, "--cpus", "1", "--memory", "512")
    yield name
    stack.vclab(*ADMIN, "image", "disable", name)


def copies_of(stack: Stack, image: str) -> list[Path]:
    """The copies of an image on datastores, and what is half-made."""
    datastores = stack.layout.folder / "datastores"
    found = [path for path in datastores.glob("*/vclab/images.of_*/*") if image in path.name]
    return sorted(file for path in found for file in path.iterdir())


def history(stack: Stack, image: str) -> list[tuple[str, str, list[str]]]:
    """Of its first revision: each place, state, and whose disks are made from it."""
    (first, *_) = stack.json("image", "history", image)[::-1]
    return [(copy["place"], copy["state"], copy["children"]) for copy in first["copies"]]


@pytest.mark.parametrize(
    "killed", ["", *(pytest.param(part, marks=pytest.mark.long) for part in ("worker", "vcsim", "temporal"))]
)
def test_it_is_brought_once_for_all_who_wait(stack: Stack, image: str, killed: str) -> None:
    stack.vcsim.slow_task("ImportVApp", 4)
    waiting = [stack.reserve_in_background(image=image) for _ in range(2)]
    said = re.compile(rf"{image}/1 to be copied to ds\d of lab-vcenter, \d+ %, for you and 1 other")
    eventually(lambda: said.match(str((stack.show(waiting[1][1])["now"] or {}).get("waits_for"))), LONG)
    if killed:
        stack.kill(killed)
    for client, r in waiting:
        out, err = client.communicate(timeout=LONG)
        assert client.returncode == 0 and "Traceback" not in err, (out, err)
        assert stack.vclab("connect", r, "--", "id", "-un").stdout == "alice\n"
    assert [path.name for path in copies_of(stack, image)] == ["disk-flat.vmdk", "disk.vmdk"]
    machines = [machine.name for machine in everything(stack.vcenter())]
    assert not [name for name in machines if name.startswith("vclab-import")], machines
    (place, state, children), _ = history(stack, image)
    assert place.endswith("of lab-vcenter") and state == "usable" and len(children) == 2
    for _, r in waiting:
        stack.end(r)
        stack.nothing_left(r)
    eventually(lambda: history(stack, image)[0][2] == [], LONG)


@pytest.mark.long
def test_nobody_waits_any_more(stack: Stack, image: str) -> None:
    """What was begun is stopped, and nothing is left of it."""
    stack.vcsim.slow_task("ImportVApp", 15)
    client, r = stack.reserve_in_background(image=image)
    eventually(lambda: "%" in str((stack.show(r)["now"] or {}).get("waits_for")), LONG)
    stack.end(r)
    client.communicate(timeout=LONG)
    eventually(lambda: copies_of(stack, image) == [] and len(history(stack, image)) == 1, LONG, 0.5)


@pytest.mark.long
def test_a_revision_is_replaced_retired_and_deleted(stack: Stack, image: str, given: Path) -> None:
    r = stack.reserve("--wait", image=image)["id"]
    stack.vclab(*ADMIN, "image", "import", str(given), "--as", image)
    stack.vclab(*ADMIN, "image", "promote", image, "2")
    stack.vclab(*ADMIN, "image", "retire", image, "1")
    ran = stack.vclab(*ADMIN, "image", "delete", image, "1", check=False)
    assert f"is needed by the reservation {r}" in stack.one_line(ran, 3)
    stack.end(r)
    stack.finished(r)
    time.sleep(1)
    assert f"{image}/1 is deleted" in stack.vclab(*ADMIN, "image", "delete", image, "1").stdout
    eventually(lambda: not copies_of(stack, image), LONG, 0.5)
    assert [
        each["revision"] for each in stack.json(*ADMIN, "repository", "show", "main")["kept"] if each["image"] == image
    ] == [2]
    assert stack.reserve("--wait", image=image)["revision"] == 2


@pytest.mark.parametrize("killed", ["", pytest.param("worker", marks=pytest.mark.long)])
def test_an_image_that_was_added_by_its_master_comes_into_the_library(stack: Stack, given: Path, killed: str) -> None:
    """With the bytes that its master has, whose hash is known from then on."""
    name = f"master-{new_id()[-6:]}"
    folder = stack.layout.datastore / "by-hand" / name
    folder.mkdir(parents=True)
    for file in (given, given.with_name("disk.vmdk")):
        subprocess.run(["cp", "--sparse=always", str(file), str(folder)], check=True)
    master = ("--master", f"[ds1] by-hand/{name}/disk.vmdk", "--cpus", "1", "--memory", "512", "--disk", "1")
    stack.vclab(*ADMIN, "image", "add", name, *master)
    (before,) = stack.json("image", "history", name)
    assert (before["sha256"], before["size"]) == ("", 0)
    stack.vcsim.slow_task("ExportVm", 4)
    stack.vclab(*ADMIN, "image", "copy", name, "1", "--repository", "main")
    eventually(lambda: [m for m in everything(stack.vcenter()) if m.name.startswith("vclab-export")], LONG, 0.1)
    if killed:
        stack.kill(killed)
    eventually(lambda: ("the repository main", "usable", []) in history(stack, name), LONG, 0.5)
    (after,) = stack.json("image", "history", name)
    with (folder / given.name).open("rb") as disk:
        assert after["sha256"] == hashlib.file_digest(disk, "sha256").hexdigest()
    assert after["size"] == 1 << 30
    assert not [m for m in everything(stack.vcenter()) if m.name.startswith("vclab-export")]
    assert not list(stack.layout.datastore.glob("vclab/images.of_*/export-*"))
    stack.vclab(*ADMIN, "image", "verify", name, "1")
    stack.vclab(*ADMIN, "image", "disable", name)


# From one datastore to another: nobody waits for it, so each step of it can be looked at.

WHOLE = ["disk-flat.vmdk", "disk.vmdk"]


def copy(stack: Stack, image: str, datastore: str) -> None:
    """Have it copied there; returns at once."""
    stack.vclab(*ADMIN, "image", "copy", image, "1", "--endpoint", "lab-vcenter", "--datastore", datastore)


def state(stack: Stack, image: str, datastore: str) -> str:
    """Of the copy there; empty: there is none."""
    found = {place: state for place, state, _ in history(stack, image)}
    return found.get(f"{datastore} of lab-vcenter", "")


def files(stack: Stack, image: str, datastore: str) -> list[str]:
    """Of the copy there, and of what is half-made."""
    return [path.name for path in copies_of(stack, image) if path.parents[3].name == datastore]


def is_copied(stack: Stack, image: str) -> None:
    """It is on ds1, and is being copied from there to ds2."""
    copy(stack, image, "ds1")
    eventually(lambda: state(stack, image, "ds1") == "usable", LONG, 0.2)
    stack.vcsim.slow_copies(4)
    copy(stack, image, "ds2")
    eventually(lambda: any(".copy-" in name for name in files(stack, image, "ds2")), LONG)


@pytest.mark.long
@pytest.mark.parametrize("killed", ["worker", "vcsim", "temporal"])
def test_killed_while_it_is_copied_and_while_it_is_deleted(stack: Stack, image: str, given: Path, killed: str) -> None:
    is_copied(stack, image)
    stack.kill(killed)
    eventually(lambda: state(stack, image, "ds2") == "usable", LONG, 0.2)
    assert [files(stack, image, datastore) for datastore in ("ds1", "ds2")] == [WHOLE, WHOLE]
    r = stack.reserve("--wait", image=image)["id"]
    assert stack.vclab("connect", r, "--", "id", "-un").stdout == "alice\n"
    stack.end(r)
    stack.nothing_left(r)

    stack.vclab(*ADMIN, "image", "import", str(given), "--as", image)
    stack.vclab(*ADMIN, "image", "promote", image, "2")
    with stack.cut_off(VCENTER_PORT):  # so that the removal has begun, and is not over
        stack.vclab(*ADMIN, "image", "retire", image, "1")
        eventually(lambda: state(stack, image, "ds2") == "retiring", LONG, 0.2)
        stack.kill(killed)
    eventually(lambda: copies_of(stack, image) == [] and len(history(stack, image)) == 1, LONG, 0.5)


@pytest.mark.long
def test_a_datastore_that_fills_in_the_middle_of_a_copy(stack: Stack, image: str) -> None:
    is_copied(stack, image)
    stack.vcsim.full("ds2")
    eventually(lambda: state(stack, image, "ds2") == "broken", LONG, 0.2)
    assert "datastore ds2 has no space for a copy of" in stack.vclab("image", "history", image).stdout
    assert files(stack, image, "ds2") == []
    stack.vcsim.mend()
    copy(stack, image, "ds2")
    eventually(lambda: state(stack, image, "ds2") == "usable", LONG, 0.2)
    assert files(stack, image, "ds2") == WHOLE
