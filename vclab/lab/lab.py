"""Up and down: what ``vclab up`` and ``vclab down`` do, step by step. Everything may be done twice."""

import errno
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

from vclab.lab import processes, rootfs, seed, state, supervisor, tools
from vclab.lab.errors import LabError
from vclab.lab.layout import API_PORT, TEMPORAL_PORT, UI_PATH, VCENTER_PORT, Layout
from vclab.netboot.environment import environment

Say = Callable[[str], None]

PROGRAMS = {
    "dnsmasq": "dnsmasq-base",
    "mke2fs": "e2fsprogs",
    "qemu-img": "qemu-utils",
    "sfdisk": "fdisk",
    "ip": "iproute2",
    "ipmi_sim": "openipmi",
    "nft": "nftables",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
    "zstd": "zstd",
}
"""What the lab calls, and the Debian package that has it."""

PORTS = {TEMPORAL_PORT: "Temporal", API_PORT: "the API", VCENTER_PORT: "the vCenter"}
NEEDED_MB = 512
READY_SECONDS = 90.0
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.03


@dataclass(frozen=True)
class Addresses:
    """Where a running lab answers."""

    api: str
    temporal: str
    ui: str  #: for operators who are signed in
    vcenter: str


def addresses(layout: Layout) -> Addresses:
    """Where the lab answers, in the lab and outside."""
    at = layout.address
    api = f"https://{at}:{API_PORT}"
    return Addresses(api, f"{at}:{TEMPORAL_PORT}", f"{api}{UI_PATH}", f"https://{at}:{VCENTER_PORT}/sdk")


def running(layout: Layout) -> bool:
    """True while the lab's supervisor runs."""
    now = state.read(layout)
    return processes.alive(now.pid, now.start)


def up(layout: Layout, address: str, say: Say) -> bool:
    """Start the lab; False when it was up already. Raises ``LabError``.

    Returns when its servers answer. The worker needs some seconds more; what is asked of it meanwhile waits for it.
    """
    _check_machine(layout)
    with _one_at_a_time(layout, say):
        if running(layout) and layout.lab_file.exists():  # else the folder was deleted under a running lab
            return _already_up(layout, address)
        programs = _prepare(layout, address, say)
        (layout.logs / "supervisor.log").touch()
        with (layout.logs / "supervisor.log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "vclab.lab.supervisor", *programs],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
            )
        _wait_ready(layout, process)
    return True


def run_in_foreground(layout: Layout, address: str, say: Say) -> int:
    """Run the lab until Ctrl-C; the exit code. Raises ``LabError``."""
    _check_machine(layout)
    with _one_at_a_time(layout, say):
        if running(layout):
            raise LabError(f"the lab in {layout.folder} is up; stop it first: {_down(layout)}")
        programs = _prepare(layout, address, say)
    say(f"the lab in {layout.folder} starts; Ctrl-C stops it; Temporal UI {addresses(layout).ui}")
    return supervisor.main(programs)


def down(layout: Layout, wipe: bool, say: Say) -> bool:
    """Cut the lab's power; with ``wipe`` also delete all it holds. False when there was nothing to do.

    Raises ``LabError``.
    """
    _check_root("down")
    if not layout.folder.is_dir():
        supervisor.clean(layout)
        return False
    with _one_at_a_time(layout, say):
        was_up = running(layout)
        if was_up:
            _stop_supervisor(layout)
        supervisor.clean(layout)
        if wipe:
            _wipe(layout)
    return was_up or wipe


def _already_up(layout: Layout, address: str) -> bool:
    if address and address != layout.address:
        raise LabError(f"the lab is up at {layout.address}; to move it, stop it first: {_down(layout)}")
    _wait_ready(layout, None)
    return False


def _prepare(layout: Layout, address: str, say: Say) -> list[str]:
    """Everything but starting it; the arguments of the supervisor."""
    supervisor.clean(layout)
    _remember_address(layout, address)
    _check_ports(layout)
    programs, tree = [tools.temporal(say), tools.vcsim(say)], rootfs.tree(say)
    environment(say)  # the supervisor publishes it
    try:
        layout.machines.mkdir(parents=True, exist_ok=True)
        _check_disks(layout)
        seed.prepare(layout, tree, say)
    except OSError as error:
        raise _disk_error(layout, error) from None
    return [str(layout.folder), *map(str, programs)]


def _check_machine(layout: Layout) -> None:
    """Refuse, with what to do, what can't work."""
    _check_root("up")
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"  # left out by `su`
    if sys.platform != "linux":
        raise LabError("the embedded lab needs Linux")
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        packages = " ".join(sorted({PROGRAMS[name] for name in missing}))
        raise LabError(f"{', '.join(missing)} not found; install: apt-get install {packages}")
    if set(str(layout.folder)) & set(',:\\"'):
        raise LabError(f"the folder {layout.folder} can't hold a lab: its path has one of , : \\ \"; choose another")
    try:
        layout.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(layout.folder).free // 2**20
    except OSError as error:
        raise _disk_error(layout, error) from None
    if free < NEEDED_MB:
        raise LabError(
            f"the disk of {layout.folder} is full: {free} MiB free, {NEEDED_MB} MiB needed; "
            "free some space, or put the lab elsewhere with --lab"
        )


def _check_disks(layout: Layout) -> None:
    """Machines' disks are file systems in files, which the kernel must be able to mount, and to lay over each other."""
    with tempfile.TemporaryDirectory(dir=layout.machines) as work:
        for name in ("lower", "child", "root"):
            (Path(work) / name).mkdir()
        command = """
            truncate -s 16M disk
            mke2fs -q -F -t ext4 disk
            mount -o loop disk child
            mkdir child/upper child/work
            mount -t overlay overlay -o lowerdir=lower,upperdir=child/upper,workdir=child/work root && touch root/file
        """
        ran = subprocess.run(["unshare", "--mount", "sh", "-ec", command], cwd=work, capture_output=True, text=True)
    if ran.returncode:
        why = (ran.stderr.strip().splitlines() or ["unknown"])[-1]
        raise LabError(
            f"machines' disks in {layout.folder} can't be mounted ({why}); does this kernel have loop devices, "
            "overlayfs and ext4? If so, put the lab on ext4, xfs or tmpfs with --lab"
        )


def _check_root(verb: str) -> None:
    if os.geteuid():
        raise LabError(f"the embedded lab makes network namespaces and mounts, which only root may: sudo vclab {verb}")


def _disk_error(layout: Layout, error: OSError) -> LabError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LabError(f"the disk of {layout.folder} is full; free some space, or put the lab elsewhere with --lab")
    what = f" ({error.filename})" if error.filename else ""
    return LabError(f"the folder {layout.folder} can't be used: {error.strerror}{what}; choose another with --lab")


def _remember_address(layout: Layout, address: str) -> None:
    wanted = address or layout.address
    try:
        loopback = IPv4Address(wanted).is_loopback
    except AddressValueError:
        loopback = False
    if not loopback:
        raise LabError(f"{wanted!r} is not a loopback address; the lab answers only on 127.0.0.0/8")
    try:
        layout.lab_file.write_text(json.dumps({"address": wanted}) + "\n")
    except OSError as error:
        raise _disk_error(layout, error) from None


def _check_ports(layout: Layout) -> None:
    for port, what in PORTS.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((layout.address, port))
                probe.listen()
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise LabError(
                        f"{layout.address} can't be used: {error.strerror}; try --address 127.0.0.2"
                    ) from None
                who = processes.listener(layout.address, port)
                raise LabError(
                    f"port {port} on {layout.address}, for {what}, is taken by {who}; "
                    f"stop that, or use another address: vclab up --address 127.0.0.2"
                ) from None


@contextmanager
def _one_at_a_time(layout: Layout, say: Say) -> Iterator[None]:
    """One ``up`` or ``down`` of a lab at a time: the lock is the folder itself."""
    handle = os.open(layout.folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another vclab that starts or stops the lab in {layout.folder}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _wait_ready(layout: Layout, process: subprocess.Popen[bytes] | None) -> None:
    """Until all parts answer. Raises ``LabError`` when the supervisor gives up, or it takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    while not (now := state.read(layout)).ready:
        if process is not None and process.poll() is not None:
            why = now.error or f"its supervisor ended, see {layout.logs / 'supervisor.log'}"
            supervisor.clean(layout)
            raise LabError(f"the lab can't be started: {why}")
        if time.monotonic() > deadline:
            late = "; ".join(f"{name}: {part.detail or 'waits'}" for name, part in now.parts.items() if not part.ok)
            raise LabError(f"not all of the lab is ready after {READY_SECONDS:.0f} s ({late}); logs: {layout.logs}")
        time.sleep(LOOK_SECONDS)


def _stop_supervisor(layout: Layout) -> None:
    now = state.read(layout)
    processes.send(now.pid, now.start, signal.SIGTERM)
    processes.wait_gone([(now.pid, now.start)], STOP_SECONDS)  # else it is killed


def _wipe(layout: Layout) -> None:
    if not layout.lab_file.exists() and any(layout.folder.iterdir()):
        raise LabError(f"{layout.folder} holds no lab, so nothing was deleted")
    for path in layout.folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    shutil.rmtree(layout.folder, ignore_errors=True)


def _down(layout: Layout) -> str:
    return "vclab down" if layout.default else f"vclab down --lab {layout.folder}"
