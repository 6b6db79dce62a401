"""A real identity provider for the tests: Dex over slapd, on addresses of 127.0.0.0/8 of this process's own."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vclab.lab import tools
from vclab.lab.provider import ADMIN_DN, SLAPD, Client, Dex, Directory, Entry

PEOPLE = tuple(Entry(uid, f"{uid}-password") for uid in ("ann", "ben", "cleo", "dan", "olga", "alice", "ruth", "stan"))
GROUPS = {"staff": ["ann", "ruth"], "students": ["ben", "cleo", "dan"]}
CLIENT = Client("vclab", "vclab-secret", ("https://lab.test/sign-in/uni/callback",))


def missing() -> str:
    """Which program is missing; empty: none is."""
    wanted = (SLAPD, "ldapmodify", "chromium", "chromedriver")
    lacking = [each for each in wanted if shutil.which(each) is None]
    return f"{', '.join(lacking)} missing; `deploy/setup.sh tests` brings it" if lacking else ""


class Process:
    """A server as a child process, ready when it answers at an address."""

    def __init__(self, command: Sequence[str], host: str, port: int, log: Path) -> None:
        self._command, self._address, self._log = command, (host, port), log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers. Raises ``RuntimeError`` with its last words."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(self._address, 5).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self._command[0]} did not start: {self._log.read_text()[-2000:]}") from None
                time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None


class Provider:
    """Both servers."""

    def __init__(self, folder: Path, clients: Sequence[Client]) -> None:
        number = os.getpid()
        host = f"127.80.{number >> 8 & 255}.{number & 255}"
        self.directory = Directory(folder / "ldap", host, "directory-password")
        self.directory.prepare(PEOPLE, GROUPS)
        self.dex = Dex(tools.dex(), folder / "dex", f"{host}:5556", self.directory, tuple(clients), {"idTokens": "10m"})
        self.dex.prepare()
        self.slapd = Process(self.directory.command(), host, self.directory.tls_port, folder / "slapd.log")
        self.server = Process(self.dex.command(), host, 5556, folder / "dex.log")

    @property
    def issuer(self) -> str:
        """Dex, as it calls itself."""
        return self.dex.issuer

    def change(self, ldif: str) -> None:
        """Change the directory."""
        words = ["ldapmodify", "-x", "-H", self.directory.tls_url, "-D", ADMIN_DN, "-w", self.directory.admin_password]
        trust = os.environ | {"LDAPTLS_CACERT": str(self.directory.certificate)}
        subprocess.run(words, input=ldif, env=trust, check=True, capture_output=True, text=True)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Dex does not answer meanwhile. It forgets who has signed in."""
        self.server.stop()
        try:
            yield
        finally:
            self.server.start()


@contextmanager
def running(folder: Path, clients: Sequence[Client] = (CLIENT,)) -> Iterator[Provider]:
    """Both servers, as long as somebody needs them."""
    provider = Provider(folder, clients)
    try:
        provider.slapd.start()
        provider.server.start()
        yield provider
    finally:
        provider.server.stop()
        provider.slapd.stop()
