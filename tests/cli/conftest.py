"""A small installation on a real SQLite store, with a Temporal address where nobody listens."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests import believing
from tests.secret_store import secret_store
from tests.store.lab import filled_database
from vclab.cli.app import run
from vclab.model.catalog import Endpoint, IdentityPool, Image, User
from vclab.provisioning.vsphere.data import ImageData
from vclab.store import catalog

DEBIAN = Image(
    name="debian-12",
    title="Debian 12, server",
    revision=1,
    module="vsphere",
    guest="linux",
    cpus=1,
    memory_mb=512,
    disk_gb=4,
    module_data=ImageData(master_path="vclab-images/debian-12/1/disk.vmdk", guest_id="debian12_64Guest").encoded(),
)
ENDPOINT = Endpoint(
    name="vc1",
    module="vsphere",
    url="https://127.0.0.1:8989/sdk",
    username="vclab",
    password_ref="endpoint/vc1",
    fingerprint="00" * 32,
)
USERS = (
    User("alice", 2001, zone="Europe/Berlin"),
    User("bob", 2002),
    User("olga", 2100),
)


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def one_line_error(self, code: int, *parts: str) -> None:
        """Exactly one line on stderr with these parts, that exit code, and on stdout nothing but the error's JSON."""
        assert "Traceback" not in self.err
        assert (self.code, len(self.err.splitlines())) == (code, 1), self
        assert not self.out or list(self.json) == ["error"], self
        assert self.err.startswith("vclab: ")
        assert len(self.err) < 2500
        for part in parts:
            assert part in self.err, self.err


Command = Callable[..., Said]


@pytest.fixture(scope="session")
def nobody_listens() -> str:
    """An address of this machine where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def fill(session: Session) -> None:
    """Three users, an image, an endpoint, four identities."""
    for user in USERS:
        catalog.put_user(session, user)
    catalog.put_image(session, DEBIAN)
    catalog.put_endpoint(session, ENDPOINT)
    catalog.put_pool(session, IdentityPool("vm", 4))


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled database, to be copied: migrating takes longer than most tests here."""
    return filled_database(tmp_path_factory.mktemp("filled"), fill)


@pytest.fixture
def store(tmp_path: Path, filled: Path) -> Path:
    """The filled database in its place."""
    return Path(shutil.copy(filled, tmp_path / "vclab.db"))


@pytest.fixture
def installation(tmp_path: Path, nobody_listens: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file; alice acts unless ``--as`` says otherwise. There is no database unless ``store`` makes it."""
    file = tmp_path / "vclab.toml"
    file.write_text(
        f"""
        database = "sqlite:///{tmp_path}/vclab.db"
        secrets_dir = "{tmp_path}/secrets"
        operators = ["olga"]
        temporal.address = "{nobody_listens}"
        people.alice.address = "198.51.100.1"
        """
    )
    secret_store(tmp_path / "secrets")
    monkeypatch.setenv("VCLAB_CONFIG", str(file))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    log_in(monkeypatch, "root")
    return file


@pytest.fixture(autouse=True)
def believes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no server is known, whoever is named is believed."""
    monkeypatch.setattr("vclab.cli.client.make_client", believing.make_client)


def log_in(monkeypatch: pytest.MonkeyPatch, login: str) -> None:
    """The commands are run by that local account."""
    monkeypatch.setattr("vclab.service.authentication.login_name", lambda: login)


@pytest.fixture
def vclab(installation: Path, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process."""

    def call(*arguments: str) -> Said:
        capfd.readouterr()
        code = run(arguments)
        return Said(code, *capfd.readouterr())

    return call


@pytest.fixture
def vclab_process(installation: Path) -> Command:
    """Run a command in a process of its own."""

    def call(*arguments: str | bytes, shell: str = "", **environment: str) -> Said:
        words = [sys.executable, "-m", "tests.command", *arguments]
        if shell:
            words = ["bash", "-c", f'"$@" {shell}', "vclab", *words]
        done = subprocess.run(
            words,
            env={**os.environ, **environment},
            capture_output=True,
            timeout=90,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call
