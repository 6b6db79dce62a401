"""A PostgreSQL server of the tests' own: in a temporary folder, on a Unix socket, as a user without rights."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=60")
PASSWORD = "s3cret-of-the-database"


class Server:
    """A running server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0

    def url(self, database: str) -> str:
        """The URL of a database, with a password (that the server does not ask for)."""
        return f"postgresql://vclab:{PASSWORD}@/{database}?host={self._folder}"

    def create(self, template: str = "template1") -> str:
        """Create a database, and return its name."""
        self._made += 1
        name = f"d{self._made}"
        with psycopg.connect(host=str(self._folder), user="vclab", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
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


@contextmanager
def running() -> Iterator[Server]:
    """A server that ends with the tests, even if they are killed."""
    folder = Path(tempfile.mkdtemp(prefix="vclab-pg-"))
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "nobody")
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--pdeathsig=INT"]
    data, log = folder / "data", folder / "log"
    initdb = [str(programs() / "initdb"), "-D", str(data), "-U", "vclab", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run([*as_user, *initdb], check=True, capture_output=True, cwd="/")
    options = [
        part for option in (*FAST, f"unix_socket_directories={folder}", "listen_addresses=") for part in ("-c", option)
    ]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*as_user, str(programs() / "postgres"), "-D", str(data), *options], stdout=output, stderr=output, cwd="/"
        )
    try:
        _wait(folder, server, log)
        yield Server(folder)
    finally:
        server.send_signal(2)  # a fast shutdown
        server.wait(20)
        shutil.rmtree(folder)


def _wait(folder: Path, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(200):
        try:
            psycopg.connect(host=str(folder), user="vclab", dbname="postgres").close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None:
                break
            time.sleep(0.05)
    pytest.fail(f"PostgreSQL did not start: {log.read_text()}")
