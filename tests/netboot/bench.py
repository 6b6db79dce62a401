"""A provisioning network in namespaces of its own, with dnsmasq as deploy/vclab-netboot.service runs it."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vclab.lab import station
from vclab.netboot.dnsmasq import Network, configuration
from vclab.netboot.nodes import Nodes, prepare

OURS = "10.78.0.1"
CARD = "prov0"
NOBODY = 65534
STATION = Path(station.__file__)
CAPABILITIES = ("net_admin", "net_raw", "net_bind_service")
MOUNT_RUN = "mount -t tmpfs -o mode=755 tmpfs /run && install -d -o {0} -g {0} /run/vclab-netboot && exec "


def run(*command: str, check: bool = True, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """A command, with what it says."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)
    assert not check or done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return done


class Log:
    """What a process says, line by line, for whoever waits for a line."""

    def __init__(self, stream: Any) -> None:
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: Any) -> None:
        for line in stream:
            with self._news:
                self.lines.append(line.rstrip("\r\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def wait_for(self, text: str, seconds: float, after: int = 0, *, or_text: str = "") -> str:
        """The first line with the text, or the other one."""
        texts = [each for each in (text, or_text) if each]

        def found() -> str | None:
            return next((line for line in self.lines[after:] if any(each in line for each in texts)), None)

        with self._news:
            self._news.wait_for(lambda: found() or self._ended, seconds)
            line = found()
        assert line is not None, f"nothing says {text!r}: {self.lines[-40:]}"
        return line


class Provisioning:
    """The management node's side; ``nodes`` says who boots what.

    Its files are not below pytest's folder, which every session of pytest closes to dnsmasq. ``log_file``: it writes
    its log to a file, as that of a site does.
    """

    def __init__(self, proxy: bool = False, log_file: bool = False, **more: Any) -> None:
        self.tag = f"vclab-nb-{secrets.token_hex(3)}"
        self._folder = Path(tempfile.mkdtemp(prefix=f"{self.tag}-"))
        more |= {"log": self._folder / "log"} if log_file else {}
        self.network = Network(CARD, f"{OURS}/24", self._folder / "netboot", proxy, **more)
        self.nodes = Nodes(self.network.root)
        self.namespaces = [self.tag]
        self._processes: list[subprocess.Popen[str]] = []

    def up(self) -> None:
        """The network, and dnsmasq once it listens."""
        root = self.network.root
        root.mkdir(0o750)
        prepare(root)
        os.chown(root, 0, NOBODY)
        self._folder.chmod(0o711)
        run("ip", "netns", "add", self.tag)
        for words in (
            f"link add {CARD} type bridge",
            f"addr add {OURS}/24 brd + dev {CARD}",
            f"link set {CARD} up",
            "link set lo up",
        ):
            run("ip", "-n", self.tag, *words.split())
        self.serve()

    def serve(self) -> Log:
        """Start dnsmasq, with the rights of its unit and no more."""
        file = self._folder / "netboot.conf"
        file.write_text(configuration(self.network))
        caps = ",".join(f"+{name}" for name in CAPABILITIES)
        drop = [
            "setpriv",
            "--pdeathsig=KILL",
            f"--reuid={NOBODY}",
            f"--regid={NOBODY}",
            "--clear-groups",
            "--no-new-privs",
        ]
        drop += [f"--inh-caps=-all,{caps}", f"--ambient-caps=-all,{caps}", f"--bounding-set=-all,{caps}"]
        dnsmasq = ["dnsmasq", "--keep-in-foreground", "--pid-file", f"--conf-file={file}"]
        dnsmasq += [] if self.network.log else ["--log-facility=-"]
        inner = MOUNT_RUN.format(NOBODY) + '"$@"'
        keeper = [sys.executable, "-m", "vclab.netboot.serving", f"--root={self.network.root}"]
        words = ["unshare", "--mount", "--", "sh", "-c", inner, "sh", *keeper, *drop, *dnsmasq]
        if self.network.log:
            self.network.log.write_text("")
            os.chown(self.network.log, NOBODY, NOBODY)
        self.server = self.inside(self.tag, *words)
        self.log = Log(self._follow(self.network.log) if self.network.log else self.server.stderr)
        self.log.wait_for("started", 10)
        return self.log

    def _follow(self, file: Path) -> Any:
        return self.inside(self.tag, "tail", "-n", "+1", "-F", str(file), stdout=subprocess.PIPE).stdout

    def inside(self, namespace: str, *command: str, **more: Any) -> subprocess.Popen[str]:
        """Start something in a namespace; it ends with the network."""
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | more
        words = ["ip", "netns", "exec", namespace, *command]
        process = subprocess.Popen(words, text=True, errors="replace", start_new_session=True, **pipes)
        self._processes.append(process)
        return process

    def station(self, mac: str, address: str = "") -> str:
        """A namespace with one card in the network; its name."""
        name = f"{self.tag}-{len(self.namespaces)}"
        run("ip", "netns", "add", name)
        self.namespaces.append(name)
        peer = f"p{len(self.namespaces)}"
        run(*f"ip -n {name} link add eth0 address {mac} type veth peer name {peer} netns {self.tag}".split())
        run(*f"ip -n {self.tag} link set {peer} master {CARD} up".split())
        if address:
            run(*f"ip -n {name} addr add {address}/24 dev eth0".split())
        run(*f"ip -n {name} link set eth0 up".split())
        return name

    def tap(self, name: str) -> None:
        """A tap device for a virtual machine."""
        run(*f"ip -n {self.tag} tuntap add {name} mode tap".split())
        run(*f"ip -n {self.tag} link set {name} master {CARD} up".split())

    def ask(self, namespace: str, *words: str, seconds: float = 20) -> str:
        """What a station says that runs ``vclab/lab/station.py``; ``seconds`` are waited for an answer."""
        command = ["ip", "netns", "exec", namespace, sys.executable, str(STATION), str(seconds), *words]
        done = run(*command, check=False, seconds=90)
        assert done.returncode == 0, (words, done.stdout, done.stderr, self.log.lines[-20:])
        return done.stdout

    def ssh(self, address: str, host_key: str, key: Path, *command: str) -> subprocess.CompletedProcess[str]:
        """Log in as root from the management node; only that host key is accepted."""
        known = self._folder / "known_hosts"
        known.write_text(f"{address} {host_key}\n")
        return run(*self.ssh_words(address, known, key), *command, check=False)

    def ssh_words(self, address: str, known: Path, key: Path) -> tuple[str, ...]:
        """Of a command that logs in so. ``known``: the host keys that are accepted."""
        options = [f"UserKnownHostsFile={known}", "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes"]
        options += ["BatchMode=yes", "IdentitiesOnly=yes", "ConnectTimeout=30"]
        words = ("ssh", "-F", "/dev/null", "-i", str(key), *(f"-o{option}" for option in options))
        return ("ip", "netns", "exec", self.tag, *words, f"root@{address}")

    def down(self) -> None:
        """Leave nothing of it."""
        for process in self._processes:
            process.kill()
            process.wait()
            if process.stderr:
                process.stderr.close()
        for name in reversed(self.namespaces):
            for pid in run("ip", "netns", "pids", name, check=False).stdout.split():
                run("kill", "-9", pid, check=False)
            run("ip", "netns", "del", name, check=False)
        shutil.rmtree(self._folder)


@contextmanager
def provisioning(proxy: bool = False, log_file: bool = False, **more: Any) -> Iterator[Provisioning]:
    """A network that is gone afterwards."""
    network = Provisioning(proxy, log_file, **more)
    try:
        network.up()
        yield network
    finally:
        network.down()


def unpack(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Mode and data of each member of a cpio archive, by its path."""
    members: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701", f"no header at {at}"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + length - 1].decode()
        start = (at + 110 + length + 3) // 4 * 4
        if name == "TRAILER!!!":
            assert not archive[start:].strip(b"\0")
            return members
        members[name] = (mode, archive[start : start + size])
        at = (start + size + 3) // 4 * 4


def plant(members: dict[str, tuple[int, bytes]], root: Path, kinds: Sequence[int] = (0o04, 0o10, 0o12)) -> None:
    """The files, directories and links of an archive below a directory."""
    for path, (mode, data) in members.items():
        kind, place = mode >> 12, root / path
        if kind not in kinds:
            continue
        if kind == 0o04:
            place.mkdir(exist_ok=True)
        elif kind == 0o12:
            place.symlink_to(data.decode())
        else:
            place.write_bytes(data)
        if kind != 0o12:
            place.chmod(mode & 0o7777)
