"""``vclab doctor`` and ``vclab store migrate``: a set-up's faults, each named with what to do."""

import asyncio
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.cli.conftest import Command, Said, log_in
from tests.cli.node import Node
from tests.secret_store import secret_store
from tests.vcsim import VcsimProcess
from vclab.local import doctor
from vclab.secrets.references import Destination
from vclab.store import migrations
from vclab.store.engine import open_store
from vclab.temporal import schedules

Checks = Callable[[], dict[str, Any]]


@pytest.fixture
def checks(vclab: Command) -> Checks:
    """All checks by name."""

    def call() -> dict[str, Any]:
        said = vclab("doctor", "--json")
        assert "Traceback" not in said.err
        document = said.json
        found = {check["name"]: check for check in document["checks"]}
        assert document["ok"] is all(check["ok"] for check in found.values())
        assert said.code == (0 if document["ok"] else 1)
        return found

    return call


@pytest.fixture
def key(tmp_path: Path, installation: Path) -> Path:
    """The management key, in its place."""
    file = tmp_path / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    installation.write_text(f'ssh_key = "{file}"\n{installation.read_text()}')
    return file


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The secrets' folder with one secret."""
    folder = tmp_path / "secrets"
    secret_store(folder).put("endpoint/vc1", "secret", Destination("https://vc1.example.edu/sdk", "ab" * 32))
    return folder


def test_a_disk_that_is_nearly_full(checks: Checks, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks()["disk"]["ok"] and str(secrets) in checks()["disk"]["found"]
    monkeypatch.setattr("vclab.local.doctor.LEAST_FREE", 1 << 60)
    assert checks()["disk"]["todo"] == "free some space there"


def test_nothing_is_there_yet(checks: Checks, nobody_listens: str, tmp_path: Path) -> None:
    found = checks()
    assert found["settings"]["ok"]
    assert found["versions"]["ok"], found["versions"]
    assert "vclab.db does not exist" in found["database"]["found"]
    assert "vclab store migrate" in found["database"]["todo"]
    assert nobody_listens in found["temporal"]["found"]
    assert f"there is no {tmp_path}/secrets" in found["secrets"]["found"]
    assert not found["management key"]["ok"]
    assert "users" not in found  # without a database, nothing is guessed


def test_nothing_can_be_replayed_without_a_server(vclab: Command, nobody_listens: str) -> None:
    vclab("doctor", "--replay").one_line_error(5, nobody_listens)


@pytest.mark.parametrize("text", ["nonsense = 1", "not toml at all"])
def test_settings_that_can_not_be_read(checks: Checks, installation: Path, text: str) -> None:
    installation.write_text(text)
    found = checks()
    assert list(found) == ["versions", "settings"]
    assert str(installation) in found["settings"]["found"]


def test_a_password_that_everybody_can_read(checks: Checks, installation: Path) -> None:
    text = installation.read_text().replace('"sqlite:', '"postgresql://vclab:s3cret@127.0.0.1:1/x" # "')
    installation.write_text(text)
    installation.chmod(0o644)
    found = checks()
    assert "everybody can read it" in found["settings"]["found"]
    assert "chmod 640" in found["settings"]["todo"]
    assert "can't be used now" in found["database"]["found"]
    assert "s3cret" not in str(found)
    installation.chmod(0o640)
    assert checks()["settings"]["ok"]


def test_secrets_that_others_can_read(checks: Checks, secrets: Path) -> None:
    assert checks()["secrets"]["ok"]
    secrets.chmod(0o750)
    assert f"others can read {secrets}" in checks()["secrets"]["found"]
    secrets.chmod(0o700)
    (secrets / "endpoint" / "vc1").chmod(0o640)
    assert "others can read" in checks()["secrets"]["found"]
    (secrets / "endpoint" / "vc1").chmod(0o600)
    os.chown(secrets / "endpoint" / "vc1", 65534, 65534)
    found = checks()["secrets"]
    assert "vc1 does not belong to root" in found["found"]
    assert found["todo"] == f"chown -R root {secrets}"


def test_secrets_that_worker_and_api_share(checks: Checks, secrets: Path) -> None:
    """As two accounts of one group: whose each file is does not count, whether the group can write it does."""
    for folder in (secrets, secrets / "endpoint"):
        folder.chmod(0o2770)
    (secrets / "endpoint" / "vc1").chmod(0o660)
    if os.geteuid() == 0:
        os.chown(secrets / "endpoint" / "vc1", 65534, -1)
    found = checks()["secrets"]
    assert found["ok"] and "readable by the group" in found["found"], found
    (secrets / "endpoint" / "vc1").chmod(0o600)
    assert "vc1 is not open to the group" in checks()["secrets"]["found"]
    (secrets / "endpoint" / "vc1").chmod(0o664)
    assert "others can read" in checks()["secrets"]["found"]


def test_secrets_that_are_not_sealed_or_whose_key_is_lost(checks: Checks, secrets: Path, tmp_path: Path) -> None:
    file, key = secrets / "endpoint" / "vc1", tmp_path / "keys" / "site-default.key"
    sealed, ring = file.read_text(), key.read_text()
    file.write_text("secret")
    assert checks()["secrets"] == {
        "name": "secrets",
        "ok": False,
        "found": "1 are not sealed: endpoint/vc1",
        "todo": "vclab secrets rotate",
    }
    file.write_text('{"vclab-secret": 1}')
    assert checks()["secrets"]["found"] == "endpoint/vc1 is damaged"
    file.write_text(sealed)
    key.chmod(0o644)
    assert checks()["secrets"]["todo"] == f"chmod 600 {key}"
    key.unlink()
    assert checks()["secrets"]["found"] == f"there are no keys in {tmp_path}/keys"
    (tmp_path / "keys" / "site-default.pub").unlink()
    secret_store(secrets)
    assert "1 are sealed to keys that are lost" in checks()["secrets"]["found"]
    key.write_text(ring)
    key.chmod(0o600)
    assert checks()["secrets"]["ok"]


def test_the_management_key(checks: Checks, key: Path, secrets: Path) -> None:
    found = checks()["management key"]
    assert found["ok"]
    assert "ssh-ed25519 SHA256:" in found["found"]
    key.chmod(0o644)
    assert checks()["management key"]["todo"] == f"chmod 600 {key}"
    key.chmod(0o600)
    os.chown(key, 65534, 65534)
    assert checks()["management key"]["todo"] == f"chown root {key}"
    os.chown(key, 0, 0)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "three o'clock", "-f", key], check=True)
    assert "has a passphrase" in checks()["management key"]["found"]
    key.write_text("no key at all")
    assert "can't be read" in checks()["management key"]["found"]


def test_the_schema_is_brought_up_to_date(
    vclab: Command, checks: Checks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert vclab("store", "migrate", "--json").json["version"] == migrations.HEAD
    assert "(unchanged)" in vclab("store", "migrate").out
    found = checks()
    assert migrations.HEAD in found["database"]["found"]
    for noun, verb in (("users", "user add"), ("images", "image add"), ("computers", "computer add")):
        assert (found[noun]["ok"], found[noun]["found"]) == (False, "none")
        assert verb in found[noun]["todo"]
    _set_version(tmp_path, "9999")
    assert checks()["database"]["todo"] == "update this program"
    vclab("store", "migrate").one_line_error(3, "at schema version 9999, newer than this program")
    vclab("user", "add", "dora").one_line_error(3, "schema version 9999")
    _set_version(tmp_path, "0000")
    assert checks()["database"]["todo"] == "run `vclab store migrate`"
    monkeypatch.setattr("vclab.local.store.may_write", lambda folder: False)
    vclab("store", "migrate").one_line_error(3, "only root and the worker's account can do this")


def test_a_file_that_root_makes_is_the_workers(vclab: Command, tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    assert vclab("store", "migrate").code == 0
    assert (tmp_path / "vclab.db").stat().st_uid == 65534


def test_a_database_that_the_worker_can_not_write(checks: Checks, store: Path, secrets: Path) -> None:
    os.chown(store, 65534, 65534)
    assert "does not belong to root, as the secrets do" in checks()["database"]["found"]


def _set_version(folder: Path, number: str) -> None:
    store = open_store(f"sqlite:///{folder}/vclab.db")
    store.run(lambda s: s.execute(sa.text("UPDATE alembic_version SET version_num = :n"), {"n": number}))
    store.close()


def test_clocks() -> None:
    assert doctor._clock({}).ok
    assert doctor._clock({"vc1": 3.0, "the database": -2.0}).ok
    assert "vc1 is 95 s ahead" in doctor._clock({"vc1": 95.0}).found
    assert "vc1 is 95 s behind" in doctor._clock({"vc1": -95.0}).found


def test_a_clock_before_our_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "EARLIEST", datetime.now(UTC) + timedelta(days=1))
    assert "this machine says" in doctor._clock({}).found


def test_versions_that_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_pinned", lambda: {"typer": "0.0.1", "no-such-package": "1"})
    check = doctor._versions()
    assert not check.ok
    assert "(not 0.0.1)" in check.found
    assert "no-such-package is missing" in check.found


@dataclass
class SetUp:
    """A whole installation: Temporal, workers, and a vCenter."""

    node: Node
    vcenter: VcsimProcess
    vclab: Command

    def checks(self) -> dict[str, Any]:
        """All checks by name."""
        return {check["name"]: check for check in self.vclab("doctor", "--json").json["checks"]}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, VcsimProcess]]:
    """Its parts, without anything that an administrator enters."""
    folder = tmp_path_factory.mktemp("setup")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "id_ed25519"], check=True)
    node = Node(folder)
    settings = node.settings_file.read_text()
    node.settings_file.write_text(f'ssh_key = "{folder}/id_ed25519"\n{settings}')
    vcenter = VcsimProcess(folder / "vcenter", datastores={"ds1": 100}).start()
    vcenter.master("ds1", "debian/1/disk.vmdk", 4)
    yield node, vcenter
    node.stop()
    vcenter.stop()


@pytest.fixture
def setup(
    parts: tuple[Node, VcsimProcess], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> SetUp:
    """The installation, and its command line run by root."""
    from vclab.cli.app import run

    node, vcenter = parts
    monkeypatch.setenv("VCLAB_CONFIG", str(node.settings_file))
    log_in(monkeypatch, "root")

    def call(*arguments: str) -> Said:
        capfd.readouterr()
        monkeypatch.setattr(sys, "stdin", io.StringIO(vcenter.password + "\n"))
        code = run(arguments)
        return Said(code, *capfd.readouterr())

    return SetUp(node, vcenter, call)


def test_a_whole_set_up_and_its_faults(setup: SetUp) -> None:
    vclab, node, vcenter = setup.vclab, setup.node, setup.vcenter
    assert vclab("user", "add", "alice").code == 0
    added = ("endpoint", "add", "vc1", "--url", vcenter.url, "--username", vcenter.user)
    assert vclab(*added, "--fingerprint", vcenter.fingerprint).code == 0
    image = ("image", "add", "debian", "--master", "[ds1] debian/1/disk.vmdk", "--cpus", "1", "--memory", "512")
    assert vclab(*image, "--disk", "4").code == 0
    assert vclab("computer", "add", "vm", "--count", "4").code == 0
    found = setup.checks()
    assert "every account of this machine may" in found["temporal access"]["found"]
    assert {name for name, check in found.items() if not check["ok"]} == {"workers", "reconciler", "retention"}
    assert found["workers"]["found"] == (
        "site-default: no worker polls it for workflows and activities; "
        "site-default-long: no worker polls it for activities; "
        "looks-default: no worker polls it for activities"
    )
    node.start_worker()
    node._call(_ensure(node))
    said = vclab("doctor")
    assert said.code == 0, said
    assert "All checks passed." in said.err
    assert "2 of 2 hosts usable" in said.out
    assert vcenter.password not in said.out

    shutil.move(vcenter.datastore("ds1") / "debian", vcenter.datastore("ds1") / "away")
    found = setup.checks()
    assert found["master of debian"]["found"] == "debian: [ds1] debian/1/disk.vmdk is not there"
    shutil.move(vcenter.datastore("ds1") / "away", vcenter.datastore("ds1") / "debian")

    secret = node.folder / "secrets/endpoint/vc1"
    right, there = secret.read_text(), Destination(vcenter.url, vcenter.fingerprint)
    secret_store(node.folder / "secrets").put("endpoint/vc1", "another", there)
    assert "refuses the user" in setup.checks()["endpoint vc1"]["found"]
    secret.write_text(right)

    vcenter.stop()
    assert "connection refused" in setup.checks()["endpoint vc1"]["found"]
    for name in ("cert.pem", "key.pem"):
        (vcenter.folder / name).unlink()
    renewed = VcsimProcess(vcenter.folder)
    renewed.port = vcenter.port
    renewed.start()
    try:
        found = setup.checks()
        assert "shows another certificate than the pinned one" in found["endpoint vc1"]["found"]
    finally:
        renewed.stop()


def test_a_namespace_that_is_not_there(setup: SetUp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VCLAB_TEMPORAL__NAMESPACE", "lab")
    found = setup.checks()["temporal"]
    assert "has no namespace lab" in found["found"]
    assert "namespace create -n lab" in found["todo"]


async def _ensure(node: Node) -> None:
    """What a worker does at its start."""
    with suppress(asyncio.CancelledError):
        await schedules.ensure(await node._client(), node.settings)
