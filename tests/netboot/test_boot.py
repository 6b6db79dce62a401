"""Machines really boot over the provisioning network: QEMU without KVM, BIOS and UEFI, with and without Secure Boot.

Only `make test-deep` runs these: each takes a minute of processor time, and needs QEMU and OVMF.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.netboot.bench import Log, Provisioning, provisioning, run
from vclab.netboot import environment
from vclab.netboot.dnsmasq import Uefi
from vclab.netboot.environment import GRUB, IPXE_UEFI, SHIM, Environment
from vclab.netboot.load import load_initrd, new_host_key
from vclab.netboot.nodes import Load, publish
from vclab.netboot.values import Node, State

MAC, ADDRESS, NAME = "52:54:00:00:00:01", "10.78.0.51", "load-7"
FIRMWARE = Path("/usr/share/OVMF")
BOOT_SECONDS = 400
"""Until it can be logged in to. 40 to 60 s on two cores with nothing else to do."""

pytestmark = [
    pytest.mark.deep,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]


@pytest.fixture(scope="module")
def built() -> Environment:
    return environment.environment(lambda text: print(text, file=sys.stderr))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


class Machine:
    """A virtual machine with a disk, whose first boot device is the network."""

    def __init__(self, network: Provisioning, folder: Path) -> None:
        self.network = network
        self.key = folder / "key"
        self.second_port = folder / "ttyS1.log"
        self._folder = folder
        self._cards = 0
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
        network.nodes.enlist(network.network, Node(MAC, "node1", ADDRESS))
        network.log.wait_for("hosts/52-54-00-00-00-01", 10)

    def image(self, name: str) -> str:
        """Set it to image, with new keys; the public host key."""
        private, public = new_host_key()
        initrd = load_initrd(private, [self.key.with_suffix(".pub").read_text()], NAME)
        self.network.nodes.set(MAC, State.IMAGE, Load(name, NAME, initrd))
        return public

    def power_on(self, firmware: str) -> Log:
        """What its serial console says."""
        self._cards += 1
        self.network.tap(f"tap{self._cards}")
        card = f"virtio-net-pci,netdev=n0,mac={MAC},bootindex=1{'' if firmware == 'bios' else ',romfile='}"
        words = ["-accel", "tcg", "-cpu", "max", "-m", "1024", "-nodefaults", "-display", "none", "-no-reboot"]
        words += ["-serial", "stdio", "-serial", f"file:{self.second_port}", "-device", card]
        words += ["-netdev", f"tap,id=n0,ifname=tap{self._cards},script=no,downscript=no"]
        words += [
            "-drive",
            f"file={self._disk()},if=none,id=d0,format=raw",
            "-device",
            "virtio-blk-pci,drive=d0,bootindex=2",
        ]
        command = ["nice", "-n", "15", "qemu-system-x86_64", *_firmware(firmware, self._folder), *words]
        return Log(self.network.inside(self.network.tag, *command, stdout=subprocess.PIPE).stdout)

    def _disk(self) -> Path:
        """One whose boot sector says DISK on the serial port, and halts."""
        disk = self._folder / "disk.raw"
        says = b"".join(b"\xb0" + bytes((letter,)) + b"\xee" for letter in b"BOOTED FROM DISK\r\n")
        code = b"\xba\xf8\x03" + says + b"\xf4\xeb\xfd"
        disk.write_bytes(code.ljust(510, b"\0") + b"\x55\xaa" + bytes((1 << 20) - 512))
        return disk

    def run(self, public: str, *command: str) -> str:
        done = self.network.ssh(ADDRESS, public, self.key, *command)
        assert done.returncode == 0, done.stderr
        return done.stdout


def _firmware(kind: str, folder: Path) -> list[str]:
    if kind == "bios":
        return ["-machine", "q35"]
    suffix = "_4M.ms.fd" if kind == "secure" else "_4M.fd"
    variables = folder / "variables.fd"
    shutil.copy(FIRMWARE / f"OVMF_VARS{suffix}", variables)
    flash = [
        f"if=pflash,format=raw,readonly=on,file={FIRMWARE}/OVMF_CODE{suffix}",
        f"if=pflash,format=raw,file={variables}",
    ]
    words = ["-machine", "q35,smm=on", *(word for each in flash for word in ("-drive", each))]
    return [*words, "-global", "driver=cfi.pflash01,property=secure,value=on"] if kind == "secure" else words


@pytest.mark.parametrize(
    "firmware, uefi, proxy, fetched",
    [
        ("bios", None, False, ["boot.ipxe"]),
        ("bios", None, True, ["boot.ipxe"]),
        ("uefi", None, False, [SHIM, GRUB, "grub.cfg"]),
        ("uefi", None, True, [IPXE_UEFI, "boot.ipxe"]),
        ("uefi", Uefi.IPXE, False, [IPXE_UEFI, "boot.ipxe"]),
        ("secure", None, False, [SHIM, GRUB, "grub.cfg"]),
    ],
)
def test_a_machine_comes_up_with_the_host_key_of_its_load(
    firmware: str,
    uefi: Uefi | None,
    proxy: bool,
    fetched: list[str],
    built: Environment,
    tmp_path: Path,
    stack: ExitStack,
) -> None:
    network = stack.enter_context(provisioning(proxy, uefi=uefi))
    machine = Machine(network, tmp_path)
    public = machine.image(publish(network.network.root, built))
    if proxy:
        another_dhcp_server(network, tmp_path)

    console = machine.power_on(firmware)
    console.wait_for(f"state image, load {NAME}", BOOT_SECONDS)
    console.wait_for("Server listening", BOOT_SECONDS)

    assert machine.run(public, "cat /etc/vclab/load/name; cat /proc/cmdline").startswith(f"{NAME}\n")
    assert machine.run(public, "lsblk -dno NAME,SIZE").split() == ["vda", "1M"]
    sent = [Path(line.split(" ")[2]).name for line in network.log.lines if "]: sent " in line]
    assert set(fetched) <= set(sent) and not ({SHIM, GRUB, IPXE_UEFI, "boot.ipxe", "grub.cfg"} - set(fetched)) & set(
        sent
    )
    assert f"ready for SSH on {ADDRESS}" in machine.second_port.read_text()
    locked = "Secure boot enabled" in machine.run(public, "dmesg")
    assert locked == (firmware == "secure")


def another_dhcp_server(network: Provisioning, folder: Path) -> None:
    """One that gives addresses, and knows nothing of booting."""
    station = network.station("52:54:00:00:01:01", "10.78.0.2")
    words = f"""dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --interface=eth0 --bind-interfaces
        --dhcp-range={ADDRESS},{ADDRESS},1h --dhcp-leasefile={folder}/other.leases --user=root --pid-file
        --log-facility=-"""
    Log(network.inside(station, *words.split()).stderr).wait_for("started", 10)


def test_a_machine_that_is_set_to_boot_goes_on_to_its_disk(
    built: Environment, tmp_path: Path, stack: ExitStack
) -> None:
    network = stack.enter_context(provisioning())
    machine = Machine(network, tmp_path)
    machine.image(publish(network.network.root, built))
    network.nodes.set(MAC, State.BOOT)
    machine.power_on("bios").wait_for("BOOTED FROM DISK", BOOT_SECONDS)
    assert any("boot.ipxe not found" in line for line in network.log.lines), "it has asked"
