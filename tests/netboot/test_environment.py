"""The imaging environment: what it is made of, and its init as the first process of a machine in namespaces."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netboot.bench import Log, Provisioning, plant, provisioning, run, unpack
from vclab.imaging.node import CARRIED, place_programs
from vclab.imaging.node import Node as ImagedNode
from vclab.netboot import environment
from vclab.netboot.environment import INITRD, KERNEL, LARGEST, LOADERS, Environment
from vclab.netboot.load import load_initrd, new_host_key
from vclab.netboot.main import main
from vclab.netboot.values import Node

MAC, ADDRESS, NAME = "52:54:00:00:00:01", "10.78.0.51", "load-7"
MACHINE = Path(__file__).parent / "machine.sh"
Members = dict[str, tuple[int, bytes]]
pytestmark = pytest.mark.timeout(600)


def tell(text: str) -> None:
    print(text, file=sys.stderr)


@pytest.fixture(scope="module")
def built() -> Environment:
    """Built at its first use, which takes minutes."""
    return environment.environment(tell)


@pytest.fixture(scope="module")
def members(built: Environment) -> Members:
    plain = subprocess.run(["zstd", "-dcq", str(built.folder / INITRD)], capture_output=True).stdout
    return unpack(plain)


@pytest.fixture
def network() -> Iterator[Provisioning]:
    if os.geteuid():
        pytest.skip("network namespaces need root")
    with provisioning() as made:
        made.nodes.enlist(made.network, Node(MAC, "node1", ADDRESS))
        made.log.wait_for("hosts/52-54-00-00-00-01", 10)
        yield made


def boot(network: Provisioning, members: Members, root: Path, load: bytes = b"", words: str = "") -> Log:
    """Start the machine; what its console says."""
    root.mkdir()
    plant(members, root)
    if load:
        plant(unpack(load), root)
    line = root.parent / "cmdline"
    line.write_text(words or f"BOOTIF=01-{MAC.replace(':', '-')} vclab.state=image vclab.load={NAME}\n")
    namespace = network.station(MAC)
    command = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "sh", str(MACHINE)]
    process = network.inside(namespace, *command, str(root), str(line), stdout=subprocess.PIPE)
    return Log(process.stdout)


def test_it_is_small_and_says_what_it_is_made_of(built: Environment) -> None:
    files = built.manifest["files"]
    assert {KERNEL, INITRD, *LOADERS} == set(files)
    assert files[KERNEL]["size"] + files[INITRD]["size"] <= LARGEST
    assert {"openssh-server", "python3.11-minimal", "zstd"} < set(built.manifest["packages"])


def test_the_command_publishes_it(built: Environment, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["build", "--root", str(tmp_path)])
    assert capsys.readouterr().out == f"{built.name}\n"
    assert {"hosts", "tftp"} < {folder.name for folder in tmp_path.iterdir()}
    assert Environment(tmp_path / "environments" / built.name).manifest == built.manifest
    with pytest.raises(SystemExit, match="vclab-netboot: could not prepare /nonexistent"):
        main(["build", "--root", "/nonexistent"])


def test_there_is_no_key_and_nothing_of_who_built_it(members: Members) -> None:
    assert not [path for path in members if "host_key" in path or "authorized" in path or path.startswith("home")]
    assert b"PRIVATE KEY" not in b"".join(data for path, (_, data) in members.items() if path.startswith("etc/"))
    assert not [path for path, (mode, _) in members.items() if mode & 0o6000 or (mode & 0o22 and mode >> 12 == 0o10)]
    assert not [path for path, (_, data) in members.items() if str(Path.home() / ".cache").encode() in data]


def test_all_links_lead_to_something(members: Members) -> None:
    def whole(path: str) -> str:
        for _ in range(9):
            first, _, rest = path.partition("/")
            target = members.get(first, (0, b""))
            path = f"{target[1].decode()}/{rest}" if target[0] >> 12 == 0o12 else path
        return path

    for path, (mode, data) in members.items():
        if mode >> 12 == 0o12:
            target = data.decode()
            led = target[1:] if target.startswith("/") else os.path.normpath(f"{Path(path).parent}/{target}")
            assert whole(led) in members, f"{path} -> {target}"


def test_programs_find_their_libraries(members: Members, tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("chroot needs root")
    plant(members, tmp_path)
    for path, (mode, data) in members.items():
        if data[:4] == b"\x7fELF" and mode & 0o100 and "/lib" not in path:
            done = run("chroot", str(tmp_path), "/lib64/ld-linux-x86-64.so.2", "--list", f"/{path}", check=False)
            assert "not found" not in done.stdout + done.stderr, path
    script = "import ctypes, hashlib, json, lzma, mmap, socket, ssl, subprocess, zlib; hashlib.new('sha256', b'')"
    assert run("chroot", str(tmp_path), "/usr/bin/python3", "-c", script).stdout == ""


def test_a_machine_is_let_in_to_with_exactly_the_keys_of_its_load(
    network: Provisioning, members: Members, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    private, public = new_host_key()
    initrd = load_initrd(private, [key.with_suffix(".pub").read_text()], NAME)
    console = boot(network, members, tmp_path / "machine", initrd)
    console.wait_for(f"state image, load {NAME}", 20)
    console.wait_for(f"ready for SSH on {ADDRESS}", 30)
    console.wait_for("Server listening", 10)

    seen = network.ssh(ADDRESS, public, key, "id -un; hostname; cat /etc/vclab/load/name")
    assert seen.stdout.split() == ["root", "vclab-imaging", NAME], (seen.stderr, console.lines)
    running = network.ssh(ADDRESS, public, key, "ps -o comm").stdout.split()[1:]
    assert set(running) <= {"init", "udhcpc", "sshd", "ps", "sleep", "sh"}, running

    other = new_host_key()[1]
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in network.ssh(ADDRESS, other, key, "true").stderr
    stranger = tmp_path / "stranger"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger))
    assert "Permission denied (publickey)" in network.ssh(ADDRESS, public, stranger, "true").stderr


def test_without_a_load_nothing_is_started(network: Provisioning, members: Members, tmp_path: Path) -> None:
    console = boot(network, members, tmp_path / "machine")
    console.wait_for("given no load", 20)
    assert not [line for line in network.log.lines if "DHCPDISCOVER" in line]


def test_a_card_that_is_not_there_is_waited_for_by_name(
    network: Provisioning, members: Members, tmp_path: Path
) -> None:
    initrd = load_initrd(new_host_key()[0], [new_host_key()[1]], NAME)
    words = f"BOOTIF=01-52-54-00-00-00-99 vclab.state=image vclab.load={NAME}\n"
    console = boot(network, members, tmp_path / "machine", initrd, words)
    line = console.wait_for("waiting for the card 52:54:00:00:00:99", 20)
    assert MAC in line


def test_the_programs_that_are_copied_to_a_node_run_there(members: Members, tmp_path: Path) -> None:
    """With what they call: by util-linux and its like, not by busybox."""
    if os.geteuid():
        pytest.skip("chroot needs root")
    plant(members, tmp_path)
    place_programs(ImagedNode(folder=str(tmp_path / "run/vclab-imaging")))
    packed = "/run/vclab-imaging/programs.zip"
    for path in CARRIED:
        name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        run("chroot", str(tmp_path), "python3", "-c", f"import sys; sys.path[0] = {packed!r}; import {name}")
    for program in ("losetup", "blkid", "sfdisk", "mount", "umount", "prlimit"):
        assert "util-linux" in run("chroot", str(tmp_path), program, "--version").stdout, program
    for program in ("e2fsck", "resize2fs", "dumpe2fs", "xfs_growfs", "btrfs", "zstd", "nvme"):
        found = run("chroot", str(tmp_path), "sh", "-c", f"readlink -f $(command -v {program})").stdout
        assert found.strip() and "busybox" not in found, program


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_built_twice_it_is_the_same(tmp_path: Path) -> None:
    first, second = (environment.build(tmp_path / name, tell) for name in ("one", "two"))
    assert first.manifest == second.manifest
    for name in first.manifest["files"]:
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()
