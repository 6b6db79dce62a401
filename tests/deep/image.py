"""A real Debian 12 that a machine boots by itself: GPT, GRUB for BIOS and for UEFI, a kernel with its initramfs, ext4.

    python -m tests.deep.image          builds it, if there is none of this recipe; says where it is

It is installed by mmdebstrap, by root, and put together without KVM, without loop devices and without mounting:

| partition | |
|---|---|
| 1 | GRUB's core for BIOS, written there by hand: ``grub-bios-setup`` needs a device |
| 2 | the EFI system partition: Debian's signed shim and GRUB, in ``EFI/BOOT`` and in ``EFI/debian`` |
| 3 | the root file system, ext4, the last one: it can grow |

The initramfs has the drivers of all controllers (``MODULES=most``), all is mounted by UUID, and root is let in by SSH
with the key that lies beside the image. What a machine must have of its own (host key, machine id) is made when it
boots first. Of the kernel's modules only some are installed: each byte is hashed twice by a processor that QEMU
emulates.
"""

import hashlib
import shutil
import struct
import subprocess
import sys
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from vclab.debian import SUITE, Say, cache, locked, make_tree

MIB = 1 << 20
SECTOR = 512
SIZE = 768 * MIB
CORE, ESP, ROOT = (1 * MIB, 1 * MIB), (2 * MIB, 30 * MIB), (32 * MIB, SIZE - 33 * MIB)
"""Where partitions begin, and how long they are, in bytes."""
PACKAGES = (
    *("linux-image-amd64", "initramfs-tools", "zstd", "systemd-sysv", "udev", "openssh-server"),
    *("grub-pc-bin", "grub-efi-amd64-bin", "grub-efi-amd64-signed", "shim-signed", "efibootmgr", "dosfstools"),
)
MODULES = (
    *("arch/x86/crypto", "crypto", "lib/crypto", "lib/*crc*.ko", "lib/raid6", "lib/libcrc32c.ko", "block"),
    *("drivers/acpi", "drivers/ata", "drivers/nvme", "drivers/virtio"),
    *("drivers/block/virtio_blk.ko", "drivers/net/virtio_net.ko", "drivers/net/net_failover.ko", "net/core"),
    *("drivers/scsi/scsi_*", "drivers/scsi/sd_mod.ko", "drivers/scsi/sr_mod.ko", "drivers/scsi/virtio_scsi.ko"),
    *("drivers/cdrom", "drivers/char/hw_random", "drivers/firmware", "drivers/usb/host", "drivers/usb/core"),
    *("drivers/usb/common", "drivers/net/ethernet/intel/e1000*", "drivers/md/dm-mod.ko", "drivers/dax"),
    *("fs/ext4", "fs/jbd2", "fs/mbcache.ko", "fs/fat", "fs/nls", "fs/efivarfs", "fs/autofs", "fs/fuse", "fs/configfs"),
)
"""Those that are installed, below the kernel's folder."""
LEFT_OUT = (
    *("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/lib/x86_64-linux-gnu/gconv/*"),
    *("/lib/udev/hwdb.d/*", "/usr/lib/grub/x86_64-efi/*", "/usr/lib/grub/x86_64-efi-signed/g*[dt]x64*"),
)
MERGED = "/usr/share/mmdebstrap/hooks/merged-usr"
"""Of mmdebstrap: else the program that merges brings Perl along."""
GRUB_MODULES = (
    *("biosdisk", "part_gpt", "ext2", "normal", "linux", "configfile", "search", "search_fs_uuid", "gzio", "serial"),
    *("terminal", "echo", "test", "minicmd", "reboot", "halt"),
)
_GUID = {
    "core": "21686148-6449-6E6F-744E-656564454649",
    "esp": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    "root": "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
}
_NETWORK = "[Match]\nType=ether\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
_HOST_KEY = "[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -q -A\nExecStartPre=/usr/sbin/sshd -t\n"
_SSHD = "HostKey /etc/ssh/ssh_host_ed25519_key\nUseDNS no\n"
_GRUB = """set timeout=0
menuentry "Debian" {{
    search --no-floppy --fs-uuid --set=root {root}
    echo "GRUB of the disk starts Debian"
    linux /vmlinuz root=UUID={root} ro console=tty0 console=ttyS0,115200n8
    initrd /initrd.img
}}
"""
_FIND_GRUB = """serial --unit=0 --speed=115200
terminal_output serial console
search.fs_uuid {root} root
set prefix=($root)/boot/grub
configfile $prefix/grub.cfg
"""
"""In the core and in the EFI system partition: GRUB can be heard on the serial port from the beginning."""


@dataclass(frozen=True)
class Image:
    """The image in its folder."""

    folder: Path

    @property
    def disk(self) -> Path:
        """Raw, with holes."""
        return self.folder / "disk.raw"

    @property
    def key(self) -> Path:
        """The private key that root is let in with."""
        return self.folder / "key"


def key() -> str:
    """Changes with this recipe."""
    return hashlib.sha256(SUITE.encode() + Path(__file__).read_bytes()).hexdigest()[:12]


def image(say: Say) -> Image:
    """The image of this recipe; built first if there is none. Raises ``TreeNotMade``."""
    place = cache() / "deep" / f"debian-{SUITE}-{key()}"
    place.parent.mkdir(exist_ok=True)
    with locked(place.parent):
        if not place.is_dir():
            say(f"building a real Debian {SUITE} for `make test-deep` (once, usually a minute; 200 MB in {place})")
            for old in place.parent.iterdir():
                shutil.rmtree(old)
            with tempfile.TemporaryDirectory(prefix=".new-", dir=place.parent) as work:
                _build(Path(work), say)
                (Path(work) / "made").rename(place)
    return Image(place)


def _build(work: Path, say: Say) -> None:
    made, tree = Image(work / "made"), work / "tree"
    made.folder.mkdir()
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "deep tests", "-f", str(made.key))
    ids = {name: str(uuid.uuid4()) for name in ("disk", "core", "esp", "root")}
    volume = uuid.uuid4().hex[:8].upper()
    say("installing Debian's packages (mmdebstrap)")
    _install(tree)
    _furnish(tree, ids["root"], f"{volume[:4]}-{volume[4:]}", made.key.with_suffix(".pub").read_text())
    say("putting partitions, boot loaders and the file system together")
    _partition(made.disk, ids)
    _write_bios_loader(made.disk, tree, work, ids["root"])
    _write_esp(made.disk, tree, work, ids["root"], volume)
    _write_root(made.disk, tree, ids["root"])
    run("sfdisk", "--verify", str(made.disk))


def run(*words: str, given: str = "") -> str:
    """What a program prints. Raises ``RuntimeError``."""
    ran = subprocess.run(words, input=given, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"{' '.join(words)}: {ran.stdout[-1000:]}{ran.stderr[-2000:]}")
    return ran.stdout


def _install(tree: Path) -> None:
    excluded = [f"path-exclude={path}" for path in (*LEFT_OUT, "/lib/modules/*/kernel/*")]
    included = [f"path-include=/lib/modules/*/kernel/{path}" for path in MODULES]
    included += [f"path-include=/lib/modules/*/kernel/{path}/*" for path in MODULES if "." not in path]
    options = [f"--dpkgopt={line}" for line in (*excluded, *included)]
    make_tree(tree, PACKAGES, "--variant=minbase", "--mode=root", f"--hook-dir={MERGED}", *options)


def _furnish(tree: Path, root: str, volume: str, login: str) -> None:
    """What makes a tree of packages a system."""
    files = {
        "etc/fstab": f"UUID={root} / ext4 errors=remount-ro 0 1\nUUID={volume} /boot/efi vfat umask=0077 0 2\n",
        "etc/hostname": "debian\n",
        "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 debian\n",
        "etc/machine-id": "",
        "etc/systemd/network/wired.network": _NETWORK,
        "etc/systemd/system/ssh.service.d/host-key.conf": _HOST_KEY,
        "etc/ssh/sshd_config.d/deep.conf": _SSHD,
        "root/.ssh/authorized_keys": login,
        "boot/grub/grub.cfg": _GRUB.format(root=root),
    }
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    (tree / "root/.ssh").chmod(0o700)
    (tree / "boot/efi").mkdir()
    shutil.copytree(tree / "usr/lib/grub/i386-pc", tree / "boot/grub/i386-pc", ignore=shutil.ignore_patterns("*.image"))
    run("chroot", str(tree), "systemctl", "enable", "--quiet", "systemd-networkd")
    run("chroot", str(tree), "systemctl", "mask", "--quiet", "apt-daily.timer", "apt-daily-upgrade.timer")
    for unwanted in (*tree.glob("etc/ssh/ssh_host_*"), *tree.glob("var/cache/apt/*.bin")):
        unwanted.unlink()
    shutil.rmtree(tree / "var/lib/apt/lists")


def _partition(disk: Path, ids: dict[str, str]) -> None:
    with disk.open("xb") as file:
        file.truncate(SIZE)
    lines = ["label: gpt", f"label-id: {ids['disk']}", "unit: sectors"]
    for name, (at, size) in zip(_GUID, (CORE, ESP, ROOT), strict=True):
        lines.append(f"start={at // SECTOR}, size={size // SECTOR}, type={_GUID[name]}, uuid={ids[name]}, name={name}")
    run("sfdisk", "--quiet", str(disk), given="\n".join(lines))


def _write_bios_loader(disk: Path, tree: Path, work: Path, root: str) -> None:
    """As ``grub-bios-setup`` does: boot.img before the table of partitions, the core where it has its own partition.
    Both must be told a sector (boot.S and diskboot.S of GRUB 2.06)."""
    (tree / "tmp/early.cfg").write_text(_FIND_GRUB.format(root=root))
    words = ("grub-mkimage", "-O", "i386-pc", "-p", "/boot/grub", "-c", "/tmp/early.cfg", "-o", "/tmp/core.img")
    run("chroot", str(tree), *words, *GRUB_MODULES)
    shutil.move(tree / "tmp/core.img", work / "core.img")
    (tree / "tmp/early.cfg").unlink()
    boot = bytearray((tree / "usr/lib/grub/i386-pc/boot.img").read_bytes())
    core = bytearray((work / "core.img").read_bytes())
    first = CORE[0] // SECTOR
    struct.pack_into("<Q", boot, 0x5C, first)
    boot[0x66:0x68] = b"\x90\x90"  # BIOSes may give a wrong number of the disk
    struct.pack_into("<Q", core, SECTOR - 12, first + 1)
    if len(core) > CORE[1]:
        raise RuntimeError("GRUB's core is larger than its partition")
    with disk.open("r+b") as file:
        file.write(boot[:440])
        file.seek(CORE[0])
        file.write(core)


def _write_esp(disk: Path, tree: Path, work: Path, root: str, volume: str) -> None:
    signed = {
        "shimx64.efi": tree / "usr/lib/shim/shimx64.efi.signed",
        "grubx64.efi": tree / "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
    }
    (work / "grub.cfg").write_text(_FIND_GRUB.format(root=root))
    esp = work / "esp"
    with esp.open("xb") as file:
        file.truncate(ESP[1])
    run("mkfs.fat", "-F", "16", "-n", "ESP", "-i", volume, str(esp))
    run("mmd", "-i", str(esp), "::/EFI", "::/EFI/BOOT", "::/EFI/debian")
    for name, source in signed.items():
        removable = "BOOTX64.EFI" if name.startswith("shim") else name
        run("mcopy", "-i", str(esp), str(source), f"::/EFI/debian/{name}")
        run("mcopy", "-i", str(esp), str(source), f"::/EFI/BOOT/{removable}")
    run("mcopy", "-i", str(esp), str(work / "grub.cfg"), "::/EFI/debian/grub.cfg")
    with disk.open("r+b") as file:
        file.seek(ESP[0])
        file.write(esp.read_bytes())


def _write_root(disk: Path, tree: Path, root: str) -> None:
    options = ("-q", "-F", "-t", "ext4", "-b", "4096", "-m", "1", "-J", "size=8", "-L", "root", "-U", root)
    place = f"offset={ROOT[0]},lazy_itable_init=0,root_owner=0:0"
    run("mke2fs", *options, "-E", place, "-d", str(tree), str(disk), f"{ROOT[1] // 1024}k")


if __name__ == "__main__":
    image(lambda text: print(f"test-deep: {text}", file=sys.stderr, flush=True))
