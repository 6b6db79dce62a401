"""The Debian tree that all lab machines boot from: made once with mmdebstrap, then only read."""

import hashlib
import shutil
import tempfile
from importlib import resources
from pathlib import Path

from vclab.debian import SUITE, Say, TreeNotMade, cache, locked, make_tree
from vclab.lab.errors import LabError

PACKAGES = (
    "at",
    "cron",
    "iproute2",
    "iptables",
    "iputils-ping",
    "nftables",
    "openssh-server",
    "procps",
    "python3-minimal",
    "sudo",
    "sysv-rc",
    "sysvinit-core",
    "udhcpc",
)
OWN_FILES = {"inittab": ("etc/inittab", 0o644), "boot": ("etc/init.d/boot", 0o755)}
LEFT_OUT = ("doc", "man", "locale")


def _own_file(name: str) -> str:
    return resources.files("vclab.lab").joinpath("files", name).read_text()


def key() -> str:
    """Changes with everything that the tree is made of."""
    parts = (SUITE, *PACKAGES, *(_own_file(name) for name in OWN_FILES))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def tree(say: Say) -> Path:
    """The directory of the tree; made first if there is none (30-60 s, 180 MB). Raises ``LabError``."""
    place = cache() / "rootfs" / f"debian-{SUITE}-{key()}"
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with locked(place.parent):
        if not place.is_dir():
            say(f"making the machines' root file system (Debian {SUITE}; once, usually 30 to 60 s)")
            _make(place)
    return place


def _make(place: Path) -> None:
    for stale in place.parent.glob(".new-*"):
        shutil.rmtree(stale, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=".new-", dir=place.parent))
    try:
        _make_tree(work / "tree")
        _furnish(work / "tree")
        (work / "tree").rename(place)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _make_tree(target: Path) -> None:
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT]
    try:
        make_tree(target, PACKAGES, "--variant=minbase", "--mode=root", *excluded)
    except TreeNotMade as error:
        raise LabError(f"no root file system for the lab's machines can be made: {error}") from None


def _furnish(root: Path) -> None:
    """Our init files in; what must be each machine's own (host keys, machine id) and what has no meaning here out."""
    for name, (path, mode) in OWN_FILES.items():
        (root / path).write_text(_own_file(name))
        (root / path).chmod(mode)
    for pattern in ("etc/ssh/ssh_host_*", "etc/rc2.d/*bootlogs", "etc/rc2.d/*rmnologin", "etc/rc2.d/*rc.local"):
        for unwanted in root.glob(pattern):
            unwanted.unlink()
    (root / "etc/machine-id").write_text("")
    (root / "etc/hostname").write_text("debian\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 debian\n::1 localhost\n")
    (root / "etc/resolv.conf").write_text("")


def make_layer(layer: Path, authorized_key: str, ssh: bool = True) -> None:
    """What a bootable image lays over the tree: who may log in as root; without ``ssh`` no sshd is started."""
    keys = layer / "root" / ".ssh" / "authorized_keys"
    keys.parent.mkdir(parents=True, exist_ok=True)
    for directory, mode in ((layer, 0o755), (layer / "root", 0o700), (keys.parent, 0o700)):
        directory.chmod(mode)
    keys.write_text(authorized_key.strip() + "\n")
    keys.chmod(0o600)
    if not ssh:
        # Debian's init script for sshd does nothing when this file exists.
        (layer / "etc" / "ssh").mkdir(parents=True, exist_ok=True)
        (layer / "etc" / "ssh" / "sshd_not_to_be_run").touch()
