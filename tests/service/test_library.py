"""The library's use cases on real files: imported, exported, promoted, retired, verified; and what is refused."""

import asyncio
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.service.conftest import Lab
from tests.service.test_administration import OLGA
from tests.store.lab import NOW, seed
from vclab.contract import events, images, library, repositories
from vclab.contract.library import RevisionView
from vclab.contract.retiring import Named
from vclab.contract.use_case import A, Nothing, Q, UseCase
from vclab.model.access import Grant, Group, GroupKind, Member, ResourceKind, Role, ToKind
from vclab.model.catalog import Endpoint, User
from vclab.model.errors import Forbidden, Interrupted, Invalid, NotFound, Refused, StepFailed, VclabError
from vclab.model.revisions import Copied, Place, Wanted
from vclab.service.actor import Actor, Authentication
from vclab.service.backend import Backend
from vclab.service.images import known_image
from vclab.service.use_case import perform
from vclab.settings import Settings
from vclab.store import access, catalog, copies, revisions

MIB = 1 << 20


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    """A lab with a repository."""
    settings = {"database": f"sqlite:///{tmp_path}/vclab.db", "secrets_dir": str(tmp_path), "operators": ("olga",)}
    made = Backend(Settings.model_validate(settings))
    made.store.migrate()
    made.store.run(seed)
    call(made, repositories.add, repositories.Add(name="main", folder=str(tmp_path / "images")))
    yield made
    made.store.close()


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A raw disk with a partition table."""
    file = tmp_path / "disk.raw"
    with file.open("wb") as made:
        made.truncate(64 * MIB)
    subprocess.run(["sfdisk", "--quiet", str(file)], input="label: gpt\nsize=16M\n", text=True, check=True)
    with file.open("r+b") as made:
        made.seek(20 * MIB)
        made.write(os.urandom(3 * MIB))
    return file


def call(backend: Backend, use_case: UseCase[Q, A], question: Q) -> A:
    return asyncio.run(perform(use_case, backend, OLGA, question))


def brought(backend: Backend, file: Path, name: str = "suse", **more: Any) -> RevisionView:
    sizes: dict[str, Any] = {} if "as_before" in more else {"cpus": 1, "memory_mb": 512}
    more.pop("as_before", None)
    return call(backend, library.import_image, library.Import(name=name, file=str(file), **sizes, **more))


def convert(file: Path, to: Path, *options: str) -> Path:
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", to.suffix[1:], *options, str(file), str(to)], check=True)
    return to


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def states(backend: Backend, name: str = "suse") -> list[tuple[int, str]]:
    return [(each.revision, each.state) for each in call(backend, library.history, Named(name=name))]


@pytest.mark.parametrize("kind", ["raw", "qcow2", "vmdk"])
def test_a_disk_comes_and_goes_with_the_same_content(backend: Backend, disk: Path, tmp_path: Path, kind: str) -> None:
    file = disk if kind == "raw" else convert(disk, tmp_path / f"given.{kind}")
    found = brought(backend, file, firmware="efi")
    assert (found.revision, found.state, found.sha256, found.size) == (1, "production", sha256(disk), 64 * MIB)
    assert [copy.place for copy in found.copies] == ["the repository main"]
    out = tmp_path / f"out.{kind}"
    call(backend, library.export_image, library.Export(name="suse", file=str(out), format=kind))
    back = brought(backend, out, as_before=True)
    assert (back.revision, back.state, back.sha256) == (2, "test", found.sha256)


def test_what_is_not_given_is_as_in_production(backend: Backend, disk: Path) -> None:
    brought(backend, disk, title="openSUSE", card="e1000e", ports=(22, 80), notes="first")
    brought(backend, disk, as_before=True, memory_mb=2048, notes="second")
    call(backend, library.promote, library.Numbered(name="suse", revision=2))
    image = call(backend, images.show, Named(name="suse"))
    assert (image.revision, image.title, image.memory_mb, image.ports) == (2, "openSUSE", 2048, (22, 80))
    assert (image.hardware.card, image.hardware.firmware, image.disk_gb) == ("e1000e", "bios", 1)
    assert image.source == "the library"


def test_only_who_keeps_the_whole_lab_names_a_path_of_the_server(backend: Backend, disk: Path, tmp_path: Path) -> None:
    """An administrator over one group of images would read the disks of all others, and write where the service may."""
    brought(backend, disk)
    brought(backend, disk, "secret")
    there = next(path for path in (tmp_path / "images").rglob("*") if "secret" in str(path) and path.stat().st_size)

    def grant(session: Session) -> None:
        catalog.put_user(session, User("bob", 2002))
        access.put_group(session, Group("licensed", GroupKind.IMAGES), "olga", NOW)
        access.join(session, "licensed", [Member(ResourceKind.IMAGE, "suse")])
        access.grant(session, Grant(Role.ADMINISTRATOR, ToKind.PERSON, "bob", "licensed"), "olga", NOW)

    backend.store.run(grant)
    bob = Actor("bob", frozenset({Role.USER}), Authentication.ACCOUNT, user=User("bob", 2002))

    def asked(use_case: UseCase[Q, A], question: Q) -> A:
        return asyncio.run(perform(use_case, backend, bob, question))

    out = tmp_path / "out.raw"
    for file in (there, disk, tmp_path / "nowhere"):  # whether it is there is not told either
        with pytest.raises(Forbidden, match="bob may not keep the lab"):
            asked(library.import_image, library.Import(name="suse", file=str(file)))
    with pytest.raises(Forbidden, match="bob may not keep the lab"):
        asked(library.export_image, library.Export(name="suse", file=str(out), format="raw"))
    assert not out.exists() and states(backend) == [(1, "production")]
    assert asked(library.export_image, library.Export(name="suse", format="raw")).transfer


@pytest.mark.parametrize(("partition", "firmware"), [("type=U", "efi"), ("type=L", "bios")])
def test_the_disk_says_its_firmware(backend: Backend, tmp_path: Path, partition: str, firmware: str) -> None:
    file = tmp_path / "disk.raw"
    with file.open("wb") as made:
        made.truncate(64 * MIB)
    subprocess.run(["sfdisk", "--quiet", str(file)], input=f"label: gpt\nsize=16M,{partition}\n", text=True, check=True)
    brought(backend, file)
    assert call(backend, images.show, Named(name="suse")).hardware.firmware == firmware


def test_a_revision_is_promoted_retired_and_restored(backend: Backend, disk: Path) -> None:
    for number in range(3):
        brought(backend, disk, as_before=number > 0) if number else brought(backend, disk)
    assert states(backend) == [(3, "test"), (2, "test"), (1, "production")]
    call(backend, library.promote, library.Numbered(name="suse", revision=3))
    call(backend, library.retire, library.Numbered(name="suse", revision=1))
    assert states(backend) == [(3, "production"), (2, "test"), (1, "retired")]
    for use_case, number, why in (
        (library.promote, 1, "revision 1 of suse is retired"),
        (library.retire, 3, "revision 3 of suse is in production; promote another one first"),
        (library.retire, 9, "there is no revision 9 of image suse"),
    ):
        with pytest.raises(VclabError, match=why):
            call(backend, use_case, library.Numbered(name="suse", revision=number))
    call(backend, library.restore, library.Numbered(name="suse", revision=1))
    assert states(backend) == [(3, "production"), (2, "test"), (1, "test")]


def test_a_flipped_bit_is_found_before_anybody_gets_it(backend: Backend, disk: Path, tmp_path: Path) -> None:
    found = brought(backend, disk)
    kept = tmp_path / "images/images/suse/1/disk.raw"
    kept.chmod(0o600)
    with kept.open("r+b") as file:
        file.seek(21 * MIB)
        byte = file.read(1)[0]
        file.seek(21 * MIB)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(StepFailed, match="has other bytes than it should have"):
        call(backend, library.export_image, library.Export(name="suse", file=str(tmp_path / "o"), format="raw"))
    assert not list(tmp_path.glob("*o*.part")) and not (tmp_path / "o").exists()
    seen = call(backend, library.verify, library.Numbered(name="suse", revision=1))
    assert [(copy.state, copy.why) for copy in seen.copies] == [("broken", "it has other bytes")]
    with pytest.raises(Refused, match="has no copy that can be used"):
        call(backend, library.promote, library.Numbered(name="suse", revision=1))
    with pytest.raises(NotFound, match="suse/1 is in no repository"):
        call(backend, library.export_image, library.Export(name="suse", file=str(tmp_path / "p")))
    with kept.open("r+b") as file:
        file.seek(21 * MIB)
        file.write(bytes([byte]))
    assert call(backend, library.verify, library.Numbered(name="suse", revision=1)).copies[0].state == "usable"
    assert sha256(kept) == found.sha256


def test_bad_files_are_refused_and_nothing_is_left(backend: Backend, disk: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "empty").touch()
    whole = convert(disk, tmp_path / "whole.vmdk", "-o", "subformat=streamOptimized").read_bytes()
    (tmp_path / "cut.vmdk").write_bytes(whole[: len(whole) // 2])
    backed = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", str(tmp_path / "b.qcow2")]
    subprocess.run(backed, check=True)
    for name, why in (
        ("text", "is not a disk image"),
        ("empty", "is not a disk image"),
        ("cut.vmdk", "cut.vmdk"),
        ("b.qcow2", "has a backing file"),
        ("none", "there is no file"),
        (".", "is not a file"),
    ):
        with pytest.raises((Refused, StepFailed), match=why):
            brought(backend, tmp_path / name)
    assert call(backend, repositories.show, Named(name="main")).kept == ()
    assert list((tmp_path / "images/incoming").iterdir()) == []
    with pytest.raises(NotFound):
        call(backend, library.history, Named(name="suse"))


@pytest.mark.parametrize("name", ["../up", "a b", "Größe", "x" * 200, "", "a/b", "."])
def test_names_that_can_not_be_are_refused(backend: Backend, disk: Path, name: str) -> None:
    with pytest.raises(Invalid):
        brought(backend, disk, name)


def test_sizes_are_asked_for_and_a_module_that_makes_no_copies_is_refused(backend: Backend, disk: Path) -> None:
    with pytest.raises(Invalid, match="a new image needs --cpus and --memory too"):
        brought(backend, disk, as_before=True)
    with pytest.raises(Refused, match="the module standalone makes no machines from images of the library"):
        brought(backend, disk, module="standalone")


def test_no_room_is_said_before_a_byte_is_written(
    backend: Backend, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs
    full = os.statvfs_result((*real(tmp_path)[:3], 1, 1, *real(tmp_path)[5:]))
    monkeypatch.setattr("vclab.library.repository.os.statvfs", lambda path: full)
    with pytest.raises(Refused, match=r"has no room for \d+ bytes"):
        brought(backend, disk)
    assert list((tmp_path / "images/incoming").iterdir()) == []


def test_ctrl_c_in_the_middle_leaves_nothing(backend: Backend, disk: Path, tmp_path: Path) -> None:
    async def interrupted() -> None:
        question, loop = library.Import(name="suse", file=str(disk), cpus=1, memory_mb=512), asyncio.get_running_loop()

        def press(what: str, done: int, size: int) -> None:
            loop.call_soon_threadsafe(work.cancel)

        work = asyncio.ensure_future(perform(library.import_image, backend, OLGA, question, press))
        with pytest.raises((asyncio.CancelledError, Interrupted)):
            await work

    asyncio.run(interrupted())
    assert list((tmp_path / "images/incoming").iterdir()) == []
    with backend.store.read() as session:
        assert "suse" not in catalog.image_names(session)


def test_a_library_outlives_its_database(backend: Backend, disk: Path, tmp_path: Path) -> None:
    brought(backend, disk, title="openSUSE", card="e1000e", notes="first", dedicated=True)
    brought(backend, disk, as_before=True)
    kept = tmp_path / "images/images/suse/2/disk.raw"
    kept.chmod(0o600)
    kept.write_bytes(b"something else")  # what has other bytes is left out
    settings = {"database": f"sqlite:///{tmp_path}/new.db", "secrets_dir": str(tmp_path), "operators": ("olga",)}
    new = Backend(Settings.model_validate(settings))
    new.store.migrate()
    new.store.run(seed)
    call(new, repositories.add, repositories.Add(name="main", folder=str(tmp_path / "images")))
    call(new, repositories.rebuild, Named(name="main"))
    assert states(new) == [(1, "production")]
    image = call(new, images.show, Named(name="suse"))
    assert (image.title, image.memory_mb, image.hardware.card) == ("openSUSE", 512, "e1000e")
    assert image.dedicated
    call(new, repositories.rebuild, Named(name="main"))  # again changes nothing
    assert states(new) == [(1, "production")]
    new.store.close()


def test_what_vclab_has_done_by_itself_is_told(backend: Backend, disk: Path) -> None:
    brought(backend, disk)
    copy = Wanted("suse", 1, Place("", "main"))
    backend.store.run(lambda s: copies.lost(s, copy, "it has other bytes", NOW))
    (event,) = call(backend, events.of_image, Named(name="suse"))
    assert (event.who, event.what) == ("vclab", "copy broken")
    assert event.detail == "suse/1 on the repository main: it has other bytes"
    assert call(backend, events.of_endpoint, Named(name="nowhere")) == ()


def test_a_repository_is_compared_with_what_should_be_there(backend: Backend, disk: Path, tmp_path: Path) -> None:
    brought(backend, disk)
    (tmp_path / "images/incoming/0badf00d").mkdir()
    (tmp_path / "images/images/suse/1").rename(tmp_path / "gone")
    found = call(backend, repositories.check, Named(name="main"))
    assert (found.missing, found.swept, found.kept) == (("suse/1",), 1, ())
    copy = call(backend, library.history, Named(name="suse"))[0].copies[0]
    assert (copy.state, copy.why) == ("broken", "it is not in the repository any more")


def test_repositories_that_can_not_be_are_refused(backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis").touch()
    for question, why in (
        (repositories.Add(name="main", folder=str(tmp_path / "other")), "the repository main exists"),
        (repositories.Add(name="two", folder=str(tmp_path / "images")), "is the repository main"),
        (repositories.Add(name="two", folder="images"), "must be an absolute path"),
        (repositories.Add(name="two", folder=str(tmp_path / "full")), "is not empty, and no repository"),
        (repositories.Add(name="Two", folder=str(tmp_path / "x")), "the name of a repository"),
    ):
        with pytest.raises(VclabError, match=why):
            call(backend, repositories.add, question)
    assert [each.name for each in call(backend, repositories.listing, Nothing())] == ["main"]
    with pytest.raises(NotFound, match="did you mean main"):
        call(backend, repositories.show, Named(name="mian"))


def test_a_copy_ahead_of_time_is_asked_for_where_it_can_be(lab: Lab, tmp_path: Path, disk: Path) -> None:
    backend = lab.backend
    call(backend, repositories.add, repositories.Add(name="main", folder=str(tmp_path / "images")))
    brought(backend, disk)
    room = Endpoint("room", "standalone", "", "", "", "")
    lab.store.run(lambda s: catalog.put_endpoint(s, room))
    wanted = {"name": "suse", "revision": 1}
    for question, why in (
        ({**wanted, "endpoint": "lab-vcenters", "datastore": "ds1"}, "did you mean lab-vcenter"),
        (
            {**wanted, "endpoint": "room", "datastore": "ds1"},
            "room, of the module standalone, can have no copy of suse",
        ),
        ({**wanted, "revision": 7, "endpoint": "lab-vcenter", "datastore": "ds1"}, "there is no revision 7"),
    ):
        with pytest.raises(VclabError, match=why):
            call(backend, library.copy, library.CopyTo(**question))
    found = call(backend, library.copy, library.CopyTo(**wanted, endpoint="lab-vcenter", datastore="ds1"))
    assert [(copy.place, copy.state) for copy in found.copies] == [
        ("ds1 of lab-vcenter", "copying"),
        ("the repository main", "usable"),
    ]
    assert [(name, str(given)) for name, given in lab.workflows.sent] == [("copy", "suse/1")]


def test_a_copy_in_a_repository_is_asked_for_where_it_can_be(lab: Lab, tmp_path: Path, disk: Path) -> None:
    """Of an image that was added by its master."""
    backend, debian = lab.backend, {"name": "debian-12", "revision": 1}
    for name, site in (("main", "default"), ("far", "elsewhere")):
        call(backend, repositories.add, repositories.Add(name=name, folder=str(tmp_path / name), site=site))
    lab.store.run(lambda s: copies.seen(s, known_image(s, "debian-12"), "lab-vcenter", ("ds1",), NOW))
    for question, why in (
        (debian, "say where the copy is to be; give --endpoint and --datastore, or else --repository"),
        ({**debian, "endpoint": "lab-vcenter"}, "say where the copy is to be"),
        ({**debian, "endpoint": "lab-vcenter", "datastore": "ds1", "repository": "main"}, "say where the copy is"),
        ({**debian, "repository": "mian"}, "there is no repository 'mian'.*did you mean main"),
        ({**debian, "revision": 7, "repository": "main"}, "there is no revision 7"),
        ({**debian, "repository": "far"}, "is on an endpoint of the site elsewhere.*it is on ds1 of lab-vcenter"),
    ):
        with pytest.raises(VclabError, match=why):
            call(backend, library.copy, library.CopyTo(**question))
    assert lab.workflows.sent == []
    found = call(backend, library.copy, library.CopyTo(**debian, repository="main"))
    assert [(copy.place, copy.state) for copy in found.copies] == [
        ("ds1 of lab-vcenter", "usable"),
        ("the repository main", "copying"),
    ]
    assert [(name, str(given)) for name, given in lab.workflows.sent] == [("copy", "debian-12/1")]
    assert call(backend, repositories.check, Named(name="main")).missing == (), "it is still to come"
    with pytest.raises(Refused, match="is in no repository"):
        call(backend, library.verify, library.Numbered(**debian))


def test_a_retired_revision_is_deleted_with_its_copies(lab: Lab, tmp_path: Path, disk: Path) -> None:
    backend, first = lab.backend, library.Numbered(name="suse", revision=1)
    call(backend, repositories.add, repositories.Add(name="main", folder=str(tmp_path / "images")))
    brought(backend, disk)
    brought(backend, disk, as_before=True)
    place = Wanted("suse", 1, Place("lab-vcenter", "ds1"))
    lab.store.run(lambda s: copies.begin(s, place, NOW, kept=True).place)
    lab.store.run(lambda s: copies.made(s, place, Copied("[ds1] x/disk.vmdk"), NOW))
    with pytest.raises(Refused, match="is not retired"):
        call(backend, library.delete, first)
    call(backend, library.promote, library.Numbered(name="suse", revision=2))
    call(backend, library.retire, first)
    found = call(backend, library.delete, first)
    assert [(copy.place, copy.state) for copy in found.copies] == [
        ("ds1 of lab-vcenter", "retiring"),
        ("the repository main", "retiring"),
    ]
    assert [(name, str(given)) for name, given in lab.workflows.sent] == [("remove_copy", "suse/1")] * 2
    with pytest.raises(Refused, match="is being deleted already"):
        call(backend, library.restore, first)
    for each in (place, Wanted("suse", 1, Place("", "main"))):
        lab.store.run(lambda s, each=each: copies.gone(s, each, NOW))  # type: ignore[misc]
    lab.store.run(lambda s: revisions.forget_if_nothing_is_left(s, "suse", 1))
    assert states(backend) == [(2, "production")]
