"""Processes by pid and start time: a pid alone may be somebody else's by now."""

import contextlib
import os
import signal
import time
from pathlib import Path


def started(pid: int) -> int:
    """When the process began, in clock ticks since boot (proc(5), field 22); 0 when there is none, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[19])


def alive(pid: int, start: int) -> bool:
    """True while the very process that began at ``start`` runs."""
    return pid > 0 and start > 0 and started(pid) == start


def send(pid: int, start: int, number: int) -> bool:
    """Signal that very process; False when it is gone."""
    if not alive(pid, start):
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def end(processes: list[tuple[int, int]], seconds: float = 5.0) -> list[int]:
    """SIGKILL them and wait until they are gone; the pids that are still there after ``seconds``."""
    for pid, start in processes:
        send(pid, start, signal.SIGKILL)
    return wait_gone(processes, seconds)


def wait_gone(processes: list[tuple[int, int]], seconds: float) -> list[int]:
    """Wait until they are gone; the pids that are still there after ``seconds``."""
    deadline = time.monotonic() + seconds
    left = processes
    while left := [(pid, start) for pid, start in left if alive(pid, start)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    return [pid for pid, _ in left]


def locker(path: Path) -> int:
    """The process that holds a flock(2) on a file or directory: proc_locks(5); 0 when there is none."""
    try:
        there = path.stat()
    except OSError:
        return 0
    inode = f"{os.major(there.st_dev):02x}:{os.minor(there.st_dev):02x}:{there.st_ino}"
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[1] == "FLOCK" and fields[5] == inode:
            return int(fields[4])
    return 0


def listener(address: str, port: int) -> str:
    """Who listens on a TCP port, e.g. "nginx (pid 12)"; for messages."""
    inodes = _listening(address, port)
    for links in Path("/proc").glob("[0-9]*/fd"):
        try:
            found = any(str(link.readlink()) in inodes for link in links.iterdir())
        except OSError:
            continue  # it has just ended
        if found:
            name = (links.parent / "comm").read_text().strip()
            return f"{name} (pid {links.parent.name})"
    return "another program"


def _listening(address: str, port: int) -> set[str]:
    """The sockets that listen there, as /proc/<pid>/fd shows them: proc_net_tcp.txt."""
    wanted = {"00000000", "".join(f"{int(part):02X}" for part in reversed(address.split(".")))}
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:] + _tcp6():
        fields = line.split()
        host, _, number = fields[1].partition(":")
        if fields[3] == "0A" and int(number, 16) == port and (host in wanted or set(host) == {"0"}):
            found.add(f"socket:[{fields[9]}]")
    return found


def _tcp6() -> list[str]:
    try:
        return Path("/proc/net/tcp6").read_text().splitlines()[1:]
    except OSError:
        return []
