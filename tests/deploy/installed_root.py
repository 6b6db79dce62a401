"""A new Debian in namespaces of its own, in which the commands of docs/installation.md are run.

It has its own files (in memory, over a tree that is made once), processes, network, name and devices, and boots its own
systemd. What is fetched over a network elsewhere is laid there: the checkout, the Python packages that this machine
has, Temporal's server.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.labfixture import eventually
from vclab.debian import SUITE, cache, locked, make_tree
from vclab.lab import tools

CHECKOUT = Path(__file__).parents[2]
PACKAGES = (
    *("systemd", "systemd-sysv", "iproute2", "adduser", "openssl", "openssh-client", "postgresql"),
    *("python3", "python3-venv", "qemu-utils", "fdisk", "zstd", "dnsmasq-base"),
)
SERVER, VCENTER = "192.0.2.10", "192.0.2.20"
HOSTS = f"127.0.0.1 localhost\n{SERVER} lab.example.org lab\n{VCENTER} vcenter.example.org\n"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "COLUMNS": "200",
    "PIP_NO_INDEX": "1",
}
_ENTER = """
set -e
mount -t tmpfs -o mode=755 tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$2/root"
cd "$2/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
else
    mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
fi
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do cp -a /dev/$device dev; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev
mount -t tmpfs tmpfs run
mkdir -p root/.cache/uv
mount --bind "$4" root/.cache/uv
ip link set lo up
for address in $3; do ip address add "$address/24" dev lo; done
echo lab > etc/hostname
echo ready
pivot_root . mnt
umount -l /mnt
exec < /dev/null > /dev/null 2>&1
exec env -i container=other PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --log-target=null --show-status=no
"""


def uv() -> Path | None:
    """As deploy/setup.sh finds it."""
    found = shutil.which("uv") or next((str(file) for file in cache().glob("uv-*/bin/uv")), "")
    return Path(found) if found else None


def kept() -> Path:
    """Where uv keeps what it has fetched."""
    general = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("UV_CACHE_DIR") or general / "uv")


def tree() -> Path:
    """Debian with the packages of the page; made once."""
    key = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:12]
    place = cache() / "rootfs" / f"installation-{SUITE}-{key}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with locked(place.parent):
        if not place.is_dir():
            fresh = place.with_name(f".new-{place.name}")
            shutil.rmtree(fresh, ignore_errors=True)
            make_tree(fresh, PACKAGES, "--variant=minbase", "--mode=root")
            fresh.rename(place)
    return place


class Root:
    """The machine. Commands are run by ``run``, or given to ``start``."""

    def __init__(self, init: int) -> None:
        self._init = init
        self.path = Path(f"/proc/{init}/root")

    @property
    def in_its_network(self) -> list[str]:
        """Put before a command of this machine."""
        return ["nsenter", f"--target={self._init}", "--net", "--"]

    def words(self, account: str = "root") -> list[str]:
        """Put before a command: it is run there, as this account."""
        enter = ["nsenter", f"--target={self._init}", "--mount", "--pid", "--net", "--uts", "--ipc", "--root"]
        own = {"HOME": "/root"} if account == "root" else _of_a_person(f"/home/{account}")
        given = (f"{name}={value}" for name, value in {**ENVIRONMENT, **own}.items())
        return [*enter, "runuser", "-u", account, "--", "env", "--chdir=/", "-i", *given]

    def start(self, *command: str, account: str = "root") -> "subprocess.Popen[str]":
        """A command, not waited for; what it says, also on stderr, is on its stdout."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen([*self.words(account), *command], text=True, **pipes)  # type: ignore[call-overload,no-any-return]

    def shell(self, script: str, account: str = "root", check: bool = True) -> str:
        """What a script says. With ``check``, it fails the test when a line of it fails."""
        where = "/opt/vclab" if account == "root" else f"/home/{account}"
        process = self.start("bash", "-euo", "pipefail", "-c", f"cd {where}\n{script}", account=account)
        said, _ = process.communicate(timeout=300)
        assert not check or process.returncode == 0, f"{script}\n---\n{said}\n{self.logs()}"
        return said

    def write(self, path: str, text: str, account: str = "root") -> None:
        """A file there."""
        self.shell(f"cat > {path} <<'EOF-OF-FILE'\n{text}\nEOF-OF-FILE", account)

    def logs(self) -> str:
        """The last that the services have said."""
        units = ("vclab-temporal", "vclab-worker", "vclab-api", "vclab-netboot")
        command = (*self.words(), "journalctl", "--no-pager", "--lines=120", *(f"--unit={unit}" for unit in units))
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout


def _of_a_person(home: str) -> dict[str, str]:
    """They have the command line in a folder of their own."""
    return {"HOME": home, "PATH": f"{home}/vclab/bin:/usr/local/bin:/usr/bin:/bin"}


@contextmanager
def running(folder: Path) -> Iterator[Root]:
    """The machine, after step 1 of the page."""
    own = ("--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup")
    words = ["unshare", *own, "--fork", "--kill-child", "--propagation", "private"]
    words += ["sh", "-c", _ENTER, "sh", str(tree()), str(folder), f"{SERVER} {VCENTER}", str(kept())]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        root = Root(int(children[0]))
        eventually(lambda: _boots(root), 60)
        _lay(root)
        yield root
    finally:
        process.kill()
        process.wait(20)


def _boots(root: Root) -> bool:
    """Whether its systemd has started all that a new Debian has."""
    asked = (*root.words(), "systemctl", "is-system-running")
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() == "running"


def _lay(root: Root) -> None:
    """What step 1 fetches and builds."""
    (root.path / "etc/hosts").write_text(HOSTS)
    (root.path / "opt/vclab").mkdir()
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    names = subprocess.run(listed, cwd=CHECKOUT, capture_output=True, check=True).stdout.split(b"\0")
    files = [name.decode() for name in names if name and (CHECKOUT / name.decode()).is_file()]
    for name in files:
        target = root.path / "opt/vclab" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, target)
    program = uv()
    assert program is not None
    for file, place in ((program, "opt/uv/bin/uv"), (tools.temporal(), "usr/local/bin/vclab-temporal")):
        (root.path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root.path / place)
