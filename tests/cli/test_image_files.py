"""``vclab image import`` and ``export``: files of the person's own machine go to the library and come back."""

from pathlib import Path

from tests.cli.conftest import Command
from tests.service.test_library import disk

__all__ = ["disk"]  # a fixture


def test_a_disk_goes_and_comes_back(vclab: Command, store: Path, disk: Path, tmp_path: Path) -> None:
    assert vclab("repository", "add", "main", "--folder", str(tmp_path / "images")).code == 0
    sizes = "--cpus", "1", "--memory", "512"
    said = vclab("image", "import", str(disk), "--as", "suse", *sizes)
    assert said.code == 0 and "Revision  1, production" in said.out
    again = vclab("image", "import", str(disk), "--as", "suse", "--on-server", "--json").json
    assert (again["revision"], again["size"]) == (2, disk.stat().st_size)
    back = tmp_path / "back.raw"
    found = vclab("image", "export", "suse", str(back), "--format", "raw", "--json").json
    assert (found["file"], found["transfer"], found["sha256"]) == (str(back), None, again["sha256"])
    assert back.read_bytes() == disk.read_bytes()
    vclab("image", "export", "suse", str(back)).one_line_error(3, " exists; give another name")
    assert list((tmp_path / "images/transit").iterdir()) == []
    there = tmp_path / "there.qcow2"
    assert vclab("image", "export", "suse", str(there), "--on-server").code == 0 and there.exists()


def test_a_file_that_is_not_there(vclab: Command, store: Path, tmp_path: Path) -> None:
    vclab("image", "import", "/nowhere", "--as", "suse").one_line_error(2, "'/nowhere' can't be read: No such file")
    vclab("image", "export", "debian-12", "/nowhere/x").one_line_error(4, "is in no repository")
