"""The database behind TLS: who answers instead of it is not talked to, and `vclab doctor` says what is missing."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.node.harness import Node
from tests.store import postgresql
from tests.temporal_server import free_ports
from vclab.lab.certificates import Authority
from vclab.model.errors import Unreachable
from vclab.store import roles
from vclab.store.engine import Store, open_store

NAME = "db.example.test"  # it need not resolve: libpq is given the address, too


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has the certificates: of the server, of its authority, and of another one."""
    folder = tmp_path_factory.mktemp("certificates")
    Authority.of(folder, "authority").issue("server", addresses=("127.0.0.1", NAME))
    Authority.of(folder, "other")
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[Callable[..., str]]:
    """URLs of a migrated database on a server with TLS."""
    (port,) = free_ports(1)
    with postgresql.running() as server:
        name = server.create()
        store = open_store(server.url(name))
        store.migrate()
        store.run(roles.apply)
        store.close()
        server.stop()
        files = (server.take(folder / each) for each in ("server.pem", "server.key"))
        keys = [f"{what}={file}" for what, file in zip(("ssl_cert_file", "ssl_key_file"), files, strict=True)]
        server.start("ssl=on", *keys, "listen_addresses=127.0.0.1", port=port)

        def url(host: str, mode: str, authority: str = "authority") -> str:
            given = f"hostaddr=127.0.0.1&port={port}&sslmode={mode}&sslrootcert={folder}/{authority}.pem"
            return f"postgresql://vclab_worker@{host}/{name}?{given}"

        yield url


def checked(url: str) -> None:
    """Connect, and leave. Raises ``Unreachable``."""
    store: Store = open_store(url)
    try:
        store.check()
    finally:
        store.close()


def test_only_the_right_server_is_talked_to(url: Callable[..., str]) -> None:
    checked(url(NAME, "verify-full"))
    with pytest.raises(Unreachable, match="does not match host name"):
        checked(url("elsewhere.example.test", "verify-full"))
    with pytest.raises(Unreachable, match="certificate verify failed"):
        checked(url(NAME, "verify-full", "other"))


@pytest.mark.parametrize(
    ("host", "mode", "ok", "found"),
    [
        (NAME, "verify-full", True, "over the network, TLS with sslmode=verify-full"),
        (NAME, "require", False, "over the network, TLS with sslmode=require: others can read along"),
        (NAME, "disable", False, "over the network, without TLS: others can read along"),
        ("localhost", "disable", True, "on this machine"),
    ],
)
def test_the_doctor_says_so(
    url: Callable[..., str], tmp_path: Path, host: str, mode: str, ok: bool, found: str
) -> None:
    node = Node(tmp_path, tmp_path)
    try:
        node.environment["VCLAB_DATABASE"] = url(host, mode)
        said = json.loads(node.vclab("doctor", "--json", check=False).stdout)
    finally:
        node.stop()
    checks: dict[str, Any] = {check["name"]: check for check in said["checks"]}
    check = checks["database connection"]
    assert check["ok"] is ok and check["found"].startswith(found), check
    assert ok or "sslmode=verify-full" in check["todo"], check
