"""Two vCenters, of which one has an image's master: vclab sees it, and remembers it."""

import io
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Said
from tests.vcsim import VcsimProcess
from vclab.cli.app import run

PATH = "debian/1/disk.vmdk"


@pytest.fixture
def vcenters(tmp_path: Path) -> Iterator[list[VcsimProcess]]:
    """The second one has the master, on its second datastore."""
    made = [VcsimProcess(tmp_path / name).start() for name in ("one", "two")]
    made[1].master("ds2", PATH, 4)
    yield made
    for each in made:
        each.stop()


@pytest.fixture
def keeper(
    vcenters: list[VcsimProcess], installation: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    """The command line, run by root, with both vCenters added to an empty database.

    The vCenters come first: an installation has a cache of its own, in which their program would be built anew.
    """

    def call(*arguments: str) -> Said:
        capfd.readouterr()
        monkeypatch.setattr(sys, "stdin", io.StringIO(vcenters[0].password + "\n"))
        code = run(arguments)
        return Said(code, *capfd.readouterr())

    assert call("store", "migrate").code == 0
    for name, vcenter in zip(("one", "two"), vcenters, strict=True):
        added = ("endpoint", "add", name, "--url", vcenter.url, "--username", vcenter.user)
        assert call(*added, "--fingerprint", vcenter.fingerprint).code == 0
    return call


def add(keeper: Command, master: str, *more: str) -> Said:
    return keeper("image", "add", "debian", "--master", master, "--cpus", "1", "--memory", "512", "--disk", "4", *more)


def seen(keeper: Command) -> list[tuple[str, str]]:
    """Where its master was seen, as ``image show`` says."""
    found = keeper("image", "show", "debian", "--json").json["copies"]
    return [(each["endpoint"], each["datastore"]) for each in found if each["state"] == "usable"]


def test_where_a_master_is_is_seen_and_told(keeper: Command) -> None:
    assert add(keeper, f"[ds2] {PATH}").code == 0
    assert seen(keeper) == [("two", "ds2")]
    assert "two       ds2        usable" in keeper("image", "show", "debian").out
    checks = {each["name"]: each for each in keeper("doctor", "--json").json["checks"]}
    assert (checks["master of debian"]["ok"], checks["master of debian"]["found"]) == (True, "on two")


def test_a_copy_that_comes_or_goes_is_seen_when_it_is_looked_for(keeper: Command, vcenters: list[VcsimProcess]) -> None:
    assert add(keeper, PATH).code == 0
    assert seen(keeper) == [("two", "ds2")]
    vcenters[0].master("ds1", PATH, 4)
    vcenters[1].master("ds1", PATH, 4)
    shutil.rmtree(vcenters[1].datastore("ds2") / "debian")
    assert keeper("endpoint", "check", "two").code == 0
    assert seen(keeper) == [("two", "ds1")]
    said = keeper("image", "check", "debian")
    assert "one       ds1        usable\ntwo       ds1        usable" in said.out
    assert seen(keeper) == [("one", "ds1"), ("two", "ds1")]


def test_what_was_added_unchecked_is_known_nowhere_until_it_is_looked_for(keeper: Command) -> None:
    assert add(keeper, f"[ds2] {PATH}", "--unchecked").code == 0
    assert seen(keeper) == []
    assert keeper("image", "check", "debian").code == 0
    assert seen(keeper) == [("two", "ds2")]


def test_a_master_that_is_nowhere_changes_nothing(keeper: Command, vcenters: list[VcsimProcess]) -> None:
    assert add(keeper, f"[ds2] {PATH}").code == 0
    shutil.rmtree(vcenters[1].datastore("ds2") / "debian")
    keeper("image", "check", "debian").one_line_error(3, "no endpoint has the master of debian")
    assert seen(keeper) == [("two", "ds2")]


def test_an_encrypted_master_is_refused(keeper: Command, vcenters: list[VcsimProcess]) -> None:
    descriptor = vcenters[1].datastore("ds2") / PATH
    descriptor.write_text(descriptor.read_text() + 'encryptionKeys="vmware:key/list/(pair/(fqid/a/b))"\n')
    why = f"two: [ds2] {PATH} is encrypted: make the image on a machine without encryption and vTPM"
    add(keeper, f"[ds2] {PATH}").one_line_error(3, why)
    assert "debian" not in keeper("images").out
