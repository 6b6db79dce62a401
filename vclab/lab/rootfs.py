"""The Debian tree that all lab machines boot from: made once with mmdebstrap, then only read."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from vclab.lab.errors import LabError
from vclab.lab.tools import cache

SUITE = "bookworm"
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
PROXY_KEYS = ("Acquire::http", "Acquire::https", "Acquire::Check-Valid-Until", "Acquire::Check-Date")

Say = Callable[[str], None]


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


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One process at a time works in the directory. Goes with the process."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _make(place: Path) -> None:
    if shutil.which("mmdebstrap") is None:
        raise LabError("the package mmdebstrap is missing; install it: apt-get install mmdebstrap")
    for stale in place.parent.glob(".new-*"):
        shutil.rmtree(stale, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=".new-", dir=place.parent))
    try:
        _run_mmdebstrap(work / "tree")
        _furnish(work / "tree")
        (work / "tree").rename(place)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run_mmdebstrap(target: Path) -> None:
    command = [
        "mmdebstrap",
        "--variant=minbase",
        "--mode=root",
        "--format=directory",
        f"--include={','.join(PACKAGES)}",
    ]
    command += [f"--aptopt={line}" for line in _apt_configuration()]
    command += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT]
    command += [SUITE, str(target), *_sources()]
    ran = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if ran.returncode:
        full = "the disk is full" if "No space left" in ran.stderr else _reason(ran.stderr)
        raise LabError(
            f"no root file system for the lab's machines can be made: {full}; "
            "mend that (does `apt-get update` work?), then try again"
        )


def _reason(said: str) -> str:
    """apt's first error, else the last line."""
    lines = [" ".join(line.split()) for line in said.splitlines() if line.strip()] or ["no reason given"]
    return next((line.removeprefix("E: ") for line in lines if line.startswith("E: ")), lines[-1])


def _apt_configuration() -> list[str]:
    """This machine's own proxies and certificates, which mmdebstrap would not take by itself."""
    dump = subprocess.run(["apt-config", "dump", *PROXY_KEYS], capture_output=True, text=True).stdout
    return [line for line in dump.splitlines() if not line.endswith('"";')]


def _sources() -> list[str]:
    """This machine's own mirrors of the suite; Debian's where it has none (mmdebstrap's default)."""
    form = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    command = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    lines = sorted(set(subprocess.run(command, capture_output=True, text=True).stdout.splitlines()))
    wanted = {SUITE, f"{SUITE}-updates", f"{SUITE}-security"}
    own = [line for line in lines if line.split()[2] in wanted and line.split()[3] == "main"]
    return own if any(line.split()[2] == SUITE for line in own) else []


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
