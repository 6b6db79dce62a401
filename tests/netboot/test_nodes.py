"""Who boots what: what lies there after each change, and after one that was broken off."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from vclab.model.errors import Failed, Invalid, NotFound
from vclab.netboot import nodes as module
from vclab.netboot.dnsmasq import Network
from vclab.netboot.environment import INITRD, KERNEL, LOADERS, MANIFEST, Environment
from vclab.netboot.main import main
from vclab.netboot.nodes import Load, Nodes, publish
from vclab.netboot.values import Node, State

MAC, NAME = "52:54:00:00:00:01", "52-54-00-00-00-01"
OTHER = "52:54:00:00:00:02"
SECRET = b"a private key"
IMAGE = Load("bookworm-0123", "load-7", SECRET)
NETWORK = Network("eno2", "10.78.0.1/24")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "netboot"
    made.mkdir(mode=0o750)
    return made


def built(folder: Path, named: str) -> Environment:
    folder.mkdir()
    for name in (KERNEL, INITRD, *LOADERS):
        (folder / name).write_text(name)
    (folder / MANIFEST).write_text(json.dumps({"name": named}))
    return Environment(folder)


@pytest.fixture
def nodes(tmp_path: Path, root: Path) -> Nodes:
    assert publish(root, built(tmp_path / "built", IMAGE.environment)) == IMAGE.environment
    return Nodes(root)


def served(root: Path, mac: str = NAME) -> dict[str, str]:
    """What the machine gets by TFTP."""
    place = root / "tftp" / mac
    return {str(file.relative_to(place)): file.read_text() for file in place.rglob("*") if file.is_file()}


def everything(root: Path) -> bytes:
    return b"".join(file.read_bytes() for file in root.rglob("*") if file.is_file())


def test_a_machine_is_given_the_environment_and_then_nothing(nodes: Nodes, root: Path) -> None:
    nodes.set(MAC, State.IMAGE, IMAGE)
    assert nodes.state(MAC) is State.IMAGE
    given = served(root)
    assert set(given) == {KERNEL, INITRD, *LOADERS, "boot.ipxe", "grub/grub.cfg", "load.img", "load", "state"}
    assert given["load.img"] == SECRET.decode() and "vclab.state=image" in given["boot.ipxe"]

    nodes.set(MAC, State.BOOT)
    assert nodes.state(MAC) is State.BOOT
    assert served(root) == {"state": "boot\n"}
    assert SECRET not in everything(root), "the load's key goes with the load"


def test_environments_go_when_newer_ones_are_there_and_no_machine_boots_them(
    nodes: Nodes, root: Path, tmp_path: Path
) -> None:
    nodes.set(MAC, State.IMAGE, IMAGE)
    for number in range(1, 6):
        publish(root, built(tmp_path / str(number), f"newer-{number}"))
        os.utime(root / "environments" / f"newer-{number}", (number, number))
    there = {"newer-3", "newer-4", "newer-5"}
    assert {one.name for one in (root / "environments").iterdir()} == {IMAGE.environment, *there}
    assert served(root)[KERNEL] == KERNEL


def test_one_state_after_the_other_leaves_one(nodes: Nodes, root: Path) -> None:
    for state in (State.RESCUE, State.IMAGE, State.RESCUE):
        nodes.set(MAC, state, IMAGE)
        nodes.set(OTHER, state, IMAGE)
    assert nodes.state(MAC) is State.RESCUE
    assert len(list((root / "boots").iterdir())) == 2 and len(list((root / "tftp").iterdir())) == 2


def test_the_tftp_server_can_read_it_whatever_the_umask(nodes: Nodes, root: Path) -> None:
    before = os.umask(0o077)
    try:
        nodes.set(MAC, State.IMAGE, IMAGE)
        nodes.enlist(NETWORK, Node(MAC, "node1", "10.78.0.51"))
    finally:
        os.umask(before)
    below = [file for file in root.rglob("*") if not file.is_symlink() and "environments" not in file.parts]
    assert below and all(file.stat().st_mode & 0o005 >= (0o005 if file.is_dir() else 0o004) for file in below)


def test_no_key_is_written_where_everybody_could_read_it(nodes: Nodes, root: Path) -> None:
    root.chmod(0o755)
    with pytest.raises(Failed, match="everybody on this machine could read the keys of loads"):
        nodes.set(MAC, State.IMAGE, IMAGE)
    assert SECRET not in everything(root)


def test_a_machine_is_known_by_a_file_of_its_own(nodes: Nodes, root: Path) -> None:
    nodes.enlist(NETWORK, Node(MAC, "node1", "10.78.0.50"))
    nodes.enlist(NETWORK, Node(MAC, "node1", "10.78.0.51"))
    (file,) = (root / "hosts").iterdir()
    assert (file.name, file.read_text()) == (NAME, f"{MAC},10.78.0.51,node1,1h\n")
    assert nodes.state(MAC) is State.BOOT
    nodes.set(MAC, State.IMAGE, IMAGE)
    nodes.enlist(NETWORK, Node(MAC, "node1", "10.78.0.52"))
    assert nodes.state(MAC) is State.IMAGE


def stale(root: Path) -> str:
    """Changes when dnsmasq is to be started anew."""
    file = root / "stale"
    return file.read_text() if file.exists() else ""


def test_an_address_and_a_name_are_of_one_machine(nodes: Nodes, root: Path) -> None:
    """Another card of the same machine, and two that exchange their addresses."""
    nodes.enlist(NETWORK, Node(MAC, "node1", "10.78.0.51"))
    nodes.enlist(NETWORK, Node(OTHER, "node2", "10.78.0.52"))
    nodes.enlist(NETWORK, Node(MAC, "node1", "10.78.0.51"))
    assert stale(root) == "", "what is new dnsmasq sees by itself"
    nodes.enlist(NETWORK, Node(MAC, "node1", "10.78.0.52"))
    assert [file.name for file in (root / "hosts").iterdir()] == [NAME]
    first = stale(root)
    nodes.enlist(NETWORK, Node(OTHER, "node2", "10.78.0.51"))
    assert len(list((root / "hosts").iterdir())) == 2 and stale(root) == first != ""
    nodes.enlist(NETWORK, Node("52:54:00:00:00:03", "node2", "10.78.0.53"))
    assert "52-54-00-00-00-02" not in [file.name for file in (root / "hosts").iterdir()]
    second = stale(root)
    nodes.enlist(NETWORK, Node(MAC, "node1", "10.78.0.54"))
    assert len({first, second, stale(root)}) == 3, "its old address is free"


def test_in_proxy_mode_no_machine_is_taken_for_another(nodes: Nodes, root: Path) -> None:
    for mac in (MAC, OTHER):
        nodes.enlist(replace(NETWORK, proxy=True), Node(mac, "node", "10.78.0.51"))
    assert len(list((root / "hosts").iterdir())) == 2


def test_forgotten_twice_nothing_of_it_is_left(nodes: Nodes, root: Path) -> None:
    for mac, name, address in ((MAC, "node1", "10.78.0.51"), (OTHER, "node2", "10.78.0.52")):
        nodes.enlist(NETWORK, Node(mac, name, address))
        nodes.set(mac, State.IMAGE, IMAGE)
    nodes.forget(MAC)
    said = stale(root)
    nodes.forget(MAC)
    assert stale(root) == said != ""
    assert NAME not in " ".join(map(str, root.rglob("*"))) and nodes.state(OTHER) is State.IMAGE
    with pytest.raises(NotFound, match="nothing says what 52:54:00:00:00:01 boots"):
        nodes.state(MAC)


def test_what_does_not_go_together_is_refused(nodes: Nodes, root: Path) -> None:
    for state, load in ((State.IMAGE, None), (State.RESCUE, None), (State.BOOT, IMAGE)):
        with pytest.raises(Invalid, match="needs a load in the imaging environment"):
            nodes.set(MAC, state, load)
    with pytest.raises(Invalid, match="no imaging environment bookworm-9; publish it first"):
        nodes.set(MAC, State.IMAGE, Load("bookworm-9", "load-7", SECRET))
    assert SECRET not in everything(root)


@pytest.mark.parametrize("act", [0, 1, 2])
def test_broken_off_it_is_the_old_state_or_the_new_one(
    act: int, nodes: Nodes, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off before each rename, and before the old files go: no half of anything, and the next attempt clears up."""
    nodes.set(MAC, State.RESCUE, Load(IMAGE.environment, "load-6", b"the old key"))
    cut(monkeypatch, act)
    with pytest.raises(KeyboardInterrupt):
        nodes.set(MAC, State.IMAGE, IMAGE)
    monkeypatch.undo()

    assert nodes.state(MAC) is (State.IMAGE if act == 2 else State.RESCUE)
    key = SECRET if act == 2 else b"the old key"
    assert (root / "tftp" / NAME / "load.img").read_bytes() == key
    nodes.set(MAC, State.BOOT)
    assert SECRET not in everything(root) and b"the old key" not in everything(root)


def cut(monkeypatch: pytest.MonkeyPatch, act: int) -> None:
    """Stop right before the given act: the two renames, then the removal of old files."""
    left = [act]

    def before(original: Callable[..., object]) -> Callable[..., object]:
        def called(*args: object, **more: object) -> object:
            if left[0] == 0:
                left[0] = -1
                raise KeyboardInterrupt
            left[0] -= 1
            return original(*args, **more)

        return called

    monkeypatch.setattr(Path, "replace", before(Path.replace))
    monkeypatch.setattr(module.Nodes, "_forget_old", before(module.Nodes._forget_old))


def test_what_reads_otherwise_than_it_should_is_said(nodes: Nodes, root: Path) -> None:
    nodes.set(MAC, State.IMAGE, IMAGE)
    (root / "tftp" / NAME / "boot.ipxe").unlink()
    with pytest.raises(Failed, match="is broken: its directory says image; set it anew"):
        nodes.state(MAC)
    nodes.set(MAC, State.IMAGE, IMAGE)
    assert nodes.state(MAC) is State.IMAGE


def test_a_full_or_lost_disk_is_a_failure_with_a_name(nodes: Nodes, root: Path) -> None:
    (root / "boots").write_text("no directory")
    with pytest.raises(Failed, match="could not set what 52:54:00:00:00:01 boots"):
        nodes.set(MAC, State.IMAGE, IMAGE)


def test_an_administrator_has_a_machine_come_up_to_be_mended(
    nodes: Nodes, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes.enlist(NETWORK, Node(MAC, "node1", "10.78.0.51"))
    key = tmp_path / "key.pub"
    asyncssh.generate_private_key("ssh-ed25519").write_public_key(str(key))
    main(["set", MAC, "rescue", "--key", str(key), "--root", str(root)])
    assert "ssh-ed25519 AAAA" in capsys.readouterr().out
    assert (nodes.state(MAC), nodes.load(MAC)) == (State.RESCUE, "rescue")
    assert key.read_text().split()[1] in served(root)["load.img"]
    main(["show", "--root", str(root)])
    assert capsys.readouterr().out == f"{MAC} rescue rescue\n"
    main(["set", MAC, "boot", "--root", str(root)])
    assert (nodes.state(MAC), set(served(root))) == (State.BOOT, {"state"})


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((MAC, "install"), "runs no installer"),
        ((MAC, "image"), "by its load alone"),
        ((MAC, "rescue"), "needs the --key"),
        ((MAC, "rescue", "--key", "/nonexistent"), "can't be read"),
        ((MAC, "rescue", "--key", "/etc/hostname"), "is not a public key"),
        ((OTHER, "boot"), "nothing says what"),
        (("node1", "boot"), "is not a MAC"),
    ],
)
def test_what_an_administrator_may_not_set(nodes: Nodes, root: Path, words: tuple[str, ...], why: str) -> None:
    nodes.enlist(NETWORK, Node(MAC, "node1", "10.78.0.51"))
    with pytest.raises(SystemExit, match=why):
        main(["set", *words, "--root", str(root)])
    assert nodes.state(MAC) is State.BOOT
