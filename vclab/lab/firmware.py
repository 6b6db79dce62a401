"""``python -m vclab.lab.firmware ORDERS``: what a node does from power-on until a kernel runs.

It is the first process of the node's namespaces (``vclab/lab/nodes.py`` starts it), plugs cards and disk in, tries the
boot devices in their order, and becomes what it finds there: by DHCP and TFTP exactly what a machine would get, from
the disk what its bytes say. The kernel itself is not run, for it would be the host's. A node that finds nothing stands
still, switched on. What it does is said on the console, and ``runs`` in the node's folder says where it is.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from vclab.lab import disks, initramfs, loops, station
from vclab.lab.bmcs import Runs, write
from vclab.lab.errors import LabError
from vclab.library import partitions

CARD, DISK_NAME, MODEL = "eth0", "sda", "VCLAB-DISK"
NETWORK, DISK = "network", "disk"
ANSWER_SECONDS, OTHERS_SECONDS = 2.0, 0.2
_TRIES = 2
_FILE_SECONDS = 20.0
_IPXE, _SHIM = ("undionly.kpxe", "snponly.efi"), "shimx64.efi"
_GRUB, _GRUB_SCRIPT = "grubx64.efi", "grub/grub.cfg"
_AGAIN = 15
"""Seconds until a node whose loader could not fetch all of it restarts: as the loaders' scripts say."""
_REBOOT = 0x01234567
"""RB_AUTOBOOT, reboot(2)."""
_MEMORY = "size=1g,mode=755"


@dataclass(frozen=True)
class Orders:
    """What the node is made of, and what it is to try."""

    name: str
    folder: str  #: of the node
    devices: Sequence[str]  #: ``NETWORK`` and ``DISK``, in the order in which they are tried
    efi: bool
    disk: str  #: the file; empty: there is none
    serial: str
    sector: int
    read_only: bool
    takes: int  #: bytes that a failing disk takes before it fails; 0: it is sound
    root: str  #: an empty directory to mount on
    cache: str  #: where archives are unpacked that many nodes boot


@dataclass(frozen=True)
class Disk:
    """The disk as this kernel has it."""

    device: str
    size: int
    sector: int
    read_only: bool


@dataclass(frozen=True)
class Script:
    """What a loader is told: the kernel, the words of its command line, and the archives."""

    kernel: str
    words: str
    archives: Sequence[str]


class Nothing(Exception):
    """Nothing boots from this device; the firmware goes on to the next one."""


class Firmware:
    """The node's."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._root = Path(orders.root)
        self._disk: Disk | None = None

    def run(self) -> NoReturn:
        """Until something boots, or the power goes."""
        orders = self._orders
        self._now(Runs.FIRMWARE)
        _say(f"{orders.name}: {'UEFI' if orders.efi else 'BIOS'}, boot order: {', '.join(orders.devices) or 'none'}")
        _script("plug_cards")
        _ran("ip", "link", "set", "lo", "up")
        _ran("mount", "-t", "tmpfs", "-o", _MEMORY, "tmpfs", orders.root)
        self._disk = self._plug_disk() if orders.disk else None
        _say(f"disk: {self._disk.size} bytes, serial {orders.serial}" if self._disk else "disk: none")
        for device in orders.devices:
            try:
                self._network() if device == NETWORK else self._from_disk()
            except Nothing as why:
                _say(f"{'PXE' if device == NETWORK else 'disk'}: {why}")
        self.stand_still("no bootable device")

    def stand_still(self, why: str) -> NoReturn:
        """As machines do that have nothing to boot: on, until somebody comes."""
        _say(f"{why}; the node stands still")
        self._now(Runs.NOTHING)
        while True:
            signal.pause()

    def _now(self, runs: Runs) -> None:
        with contextlib.suppress(OSError):  # a full disk must not stop it
            write(Path(self._orders.folder) / "runs", runs)

    # The disk.

    def _plug_disk(self) -> Disk:
        """A loop device, which goes with the last of our processes: it is detached as soon as nobody has it open."""
        orders, file = self._orders, self._orders.disk
        if orders.takes:
            file = self._failing(Path(file).stat().st_size)
        loop = loops.attach(file, orders.sector, read_only=orders.read_only)
        os.set_inheritable(loop.handle, True)
        return Disk(loop.device, os.lseek(loop.handle, 0, os.SEEK_END), orders.sector, orders.read_only)

    def _failing(self, size: int) -> str:
        """A disk of that size that holds nothing, and fails when so many bytes were written: its memory is full."""
        place = self._root / "failing"
        place.mkdir()
        _ran("mount", "-t", "tmpfs", "-o", f"size={self._orders.takes}", "tmpfs", str(place))
        with (place / "disk").open("wb") as empty:
            empty.truncate(size)
        return str(place / "disk")

    def _from_disk(self) -> None:
        disk = self._disk
        if disk is None:
            raise Nothing("there is none")
        boots, found = partitions.boots(Path(disk.device)), disks.partition(Path(disk.device))
        if found is None:
            raise Nothing("it has no valid partition table with a partition for Linux")
        if self._orders.efi and not boots.esp:
            raise Nothing("it has no EFI system partition")
        if not self._orders.efi and not boots.code:
            raise Nothing("it has no boot code in its first sector")
        root = self._root / "disk"
        root.mkdir()
        loop = loops.attach(disk.device, disk.sector, found.offset, found.size, disk.read_only)
        try:
            self._mount(loop.device, root)
            if not (init := _said("chroot", str(root), "sh", "-c", "test -s /sbin/init && readlink -f /sbin/init")):
                _try("umount", str(root))
                raise Nothing("there is no /sbin/init on it")
        finally:
            os.close(loop.handle)  # as long as it is mounted, it stays
        _say(f"Booting from disk: partition at byte {found.offset}, {init}")
        _ran("mount", "-t", "tmpfs", "-o", "mode=755,nosuid,nodev", "tmpfs", str(root / "run"))
        self._become(root, "/sbin/init", "root=LABEL=root ro console=ttyS0", Runs.DISK)

    def _mount(self, device: str, root: Path) -> None:
        """Raises ``Nothing`` when its file system does not mount, or does not pass a check."""
        kind = _said("blkid", "--probe", "--output", "value", "--match-tag", "TYPE", device)
        read_only = self._disk is not None and self._disk.read_only
        options = ["-o", "ro,noload" if kind.startswith("ext") else "ro"] if read_only else []
        if not _try("mount", *options, device, str(root)):
            raise Nothing(f"its file system ({kind or 'unknown'}) does not mount")
        if kind.startswith("ext") and not read_only:
            _try("umount", str(root))  # what its journal holds is done now
            if not _try("e2fsck", "-f", "-n", device):
                raise Nothing(f"its file system ({kind}) does not pass a check")
            _ran("mount", device, str(root))

    # The network.

    def _network(self) -> None:
        _ran("ip", "link", "set", CARD, "up")
        try:
            self._from_network()
        finally:
            _try("ip", "addr", "flush", "dev", CARD)
            _try("ip", "link", "set", CARD, "down")

    def _from_network(self) -> None:
        offer = self._asked(ipxe=False)
        address, server, loader = offer["address"], offer["server"], offer["file"]
        _say(f"PXE: address {address} from {offer['by']}, boot file {loader or 'none'} on {server}")
        if not loader:
            raise Nothing("the DHCP server names no boot file")
        _ran("ip", "addr", "add", f"{address}/{offer['mask']}", "dev", CARD)
        _fetch(server, loader)
        if loader in _IPXE:
            name = self._asked(ipxe=True)["file"]
            script = _parsed(_fetch(server, name).decode())
        elif loader == _SHIM:
            _fetch(server, _GRUB)
            script = _parsed(_fetch(server, _GRUB_SCRIPT).decode())
        else:
            raise Nothing(f"{loader} is no boot loader that this firmware can run")
        self._load(server, script)

    def _asked(self, ipxe: bool) -> dict[str, Any]:
        """What the DHCP server gives. Of several that answer, the first that names a file, as PXE 2.1 has it."""
        mac, arch = station.mac_of(CARD), 7 if self._orders.efi else 0
        for _ in range(_TRIES):
            sent = station.message(station.DISCOVER, mac, arch, ipxe)
            offers = station.exchange(ANSWER_SECONDS, CARD, sent, station.BROADCAST, others=OTHERS_SECONDS)
            for other in offers[1:]:
                _say(f"PXE: another DHCP server answers, too: {other['by']}")
            for offer in sorted(offers, key=lambda one: not one["file"]):
                more = [(50, _packed(offer["address"])), (54, _packed(offer["by"]))]
                sent = station.message(station.REQUEST, mac, arch, ipxe, more=more)
                given = station.exchange(ANSWER_SECONDS, CARD, sent, station.BROADCAST)
                if given and given[0]["kind"] == station.ACK:
                    return given[0]
        raise Nothing(f"no DHCP server answers on {CARD} ({mac.hex(':')})")

    def _load(self, server: str, script: Script) -> None:
        """Does what the loader's script says; restarts when it can't be done, as the script says too."""
        try:
            kernel = _fetch(server, script.kernel)
            if kernel[0x202:0x206] != b"HdrS":
                raise Nothing(f"{script.kernel} is no kernel of Linux")
            common, *others = (_fetch(server, name) for name in script.archives)
            root = self._tree(initramfs.unpacked(common, Path(self._orders.cache)))
            for archive in others:
                initramfs.unpack(archive, root)
        except (Nothing, initramfs.Damaged, ValueError) as error:
            _say(f"the kernel could not be booted: {error}; the node restarts in {_AGAIN} s")
            time.sleep(_AGAIN)
            _restart()
        _say(f"Booting from network: {script.words}")
        _try("ip", "addr", "flush", "dev", CARD)
        _try("ip", "link", "set", CARD, "down")
        self._become(root, "/init", script.words, Runs.IMAGING)

    def _tree(self, lower: Path) -> Path:
        """The common part with a layer in memory of its own over it."""
        root, upper, work = (self._root / name for name in ("tree", "upper", "work"))
        for folder in (root, upper, work):
            folder.mkdir(mode=0o755)
        _ran("mount", "-t", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", "overlay", str(root))
        return root

    def _become(self, root: Path, program: str, words: str, runs: Runs) -> NoReturn:
        disk = self._disk
        described = f"{DISK_NAME} {disk.device} {self._orders.serial} {MODEL} {disk.size}" if disk else ""
        more = {"ROOT": str(root), "PROGRAM": program, "WORDS": words, "DISK": described}
        more["EFI"] = "yes" if self._orders.efi else ""
        self._now(runs)
        sys.stdout.flush()
        os.execvpe("sh", ["sh", str(_FILES / "node.sh")], {**os.environ, **more})


_FILES = Path(__file__).parent / "files"


def _parsed(script: str) -> Script:
    """Of a script for iPXE, or of GRUB's configuration, as vclab writes them. Raises ``Nothing``."""
    told = list(_commands(script))
    kernels = [words for command, words in told if command in ("kernel", "linux")]
    archives = [name for command, words in told if command == "initrd" for name in words]
    if not kernels or not archives:
        raise Nothing("the loader's script names no kernel")
    name, *words = kernels[0]
    return Script(name.lstrip("/"), " ".join(words), [archive.lstrip("/") for archive in archives])


def _commands(script: str) -> Iterator[tuple[str, list[str]]]:
    for line in script.splitlines():
        words = line.partition("||")[0].partition(";")[0].removeprefix("if ").strip().removeprefix("if ").split()
        if words:
            yield words[0], words[1:]


def _fetch(server: str, name: str) -> bytes:
    """Raises ``Nothing``."""
    try:
        found = station.tftp(_FILE_SECONDS, server, name)
    except (station.NoFile, OSError) as error:
        raise Nothing(f"{name} is not to be had by TFTP from {server}: {error}") from None
    _say(f"PXE: {name}, {len(found)} bytes")
    return found


def _packed(address: str) -> bytes:
    return bytes(map(int, address.split(".")))


def _say(text: str) -> None:
    print(text, flush=True)


def _script(function: str) -> None:
    """A function of ``files/kernel.sh``."""
    _ran("sh", "-euc", f'. "$1"; {function}', "sh", str(_FILES / "kernel.sh"))


def _ran(*words: str) -> str:
    return disks.run(*words)


def _try(*words: str) -> bool:
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0


def _said(*words: str) -> str:
    """Nothing, if it fails."""
    ran = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return ran.stdout.strip() if ran.returncode == 0 else ""


def _restart() -> NoReturn:
    ctypes.CDLL(None).reboot(_REBOOT)
    raise SystemExit(1)


def main() -> NoReturn:
    """Boot the node."""
    firmware = Firmware(Orders(**json.loads(sys.argv[1])))
    try:
        firmware.run()
    except (LabError, OSError) as error:
        firmware.stand_still(f"firmware: {error}")


if __name__ == "__main__":
    main()
