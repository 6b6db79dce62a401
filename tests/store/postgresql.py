"""A PostgreSQL server of the tests' own: in a temporary folder, on a Unix socket, as a user without rights."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT, SIGQUIT

import psycopg
import pytest

FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=60")
PASSWORD = "s3cret-of-the-database"
FAST_SHUTDOWN, IMMEDIATE_SHUTDOWN = SIGINT, SIGQUIT


class Server:
    """A running server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str, port: int = 5432) -> None:
        """Start it, with ``more`` settings (NAME=VALUE), and wait until it answers."""
        places = (f"unix_socket_directories={self._folder}", "listen_addresses=")
        options = [part for option in (*FAST, *places, f"port={port}", *more) for part in ("-c", option)]
        program = (str(programs() / "postgres"), "-D", str(self._folder / "data"), *options)
        log = self._folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen((*_as_user(), *program), stdout=output, stderr=output, cwd="/")
        _wait(self._folder, port, self._process, log)

    def stop(self, number: int = FAST_SHUTDOWN) -> None:
        """Stop it, by a signal of its own manual; harmless when it is stopped."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(20)
            self._process = None

    def take(self, file: Path) -> Path:
        """Copy a file to where the server may read it, and nobody else: it wants that of a key."""
        copy = Path(shutil.copy(file, self._folder))
        copy.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(copy, "nobody", "nogroup")
        return copy

    def url(self, database: str, role: str = "") -> str:
        """A database's URL, for its owner or one of the roles, with a password that the server does not ask for."""
        return f"postgresql://{f'vclab_{role}' if role else 'vclab'}:{PASSWORD}@/{database}?host={self._folder}"

    def create(self, template: str = "template1") -> str:
        """Create a database, and return its name."""
        self._made += 1
        name = f"d{self._made}"
        with psycopg.connect(host=str(self._folder), user="vclab", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return name

    def durable(self) -> str:
        """Create a database that loses nothing when its server is killed, other than those of ``create``."""
        name = self.create()
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = on".encode())
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected."""
        with psycopg.connect(host=str(self._folder), user="vclab", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def programs() -> Path:
    """The folder of the newest installed PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        pytest.fail("the store's tests need PostgreSQL: apt-get install postgresql")
    return Path(on_path).parent


def _as_user() -> list[str]:
    """Put before a command: PostgreSQL refuses to run as root. It ends with the tests, even if they are killed."""
    if os.geteuid():
        return []
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--pdeathsig=INT"]


@contextmanager
def running() -> Iterator[Server]:
    """A server that ends with the tests, even if they are killed."""
    folder = Path(tempfile.mkdtemp(prefix="vclab-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
    words = [str(programs() / "initdb"), "-D", str(folder / "data"), "-U", "vclab", "-A", "trust", "-E", "UTF8"]
    subprocess.run([*_as_user(), *words, "--no-sync"], check=True, capture_output=True, cwd="/")
    server = Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _wait(folder: Path, port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(200):
        try:
            psycopg.connect(host=str(folder), port=port, user="vclab", dbname="postgres").close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None:
                break
            time.sleep(0.05)
    pytest.fail(f"PostgreSQL did not start: {log.read_text()}")
