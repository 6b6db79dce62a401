"""``vclab secrets``: the keys of an installation, and what lay in plain text before."""

from pathlib import Path

import pytest

from tests.cli.conftest import ENDPOINT, Command
from tests.secret_store import secret_store
from vclab.secrets.references import Destination
from vclab.secrets.store import SecretStore

THERE = Destination(ENDPOINT.url, ENDPOINT.fingerprint)


def test_the_first_keys_and_plain_files(vclab: Command, store: Path, tmp_path: Path) -> None:
    """An installation of before: a password goes on only to where the database says it goes now."""
    for file in (tmp_path / "keys").iterdir():
        file.unlink()
    (tmp_path / "secrets/endpoint").mkdir(parents=True)
    (tmp_path / "secrets/endpoint/vc1").write_text("battery-staple")
    assert vclab("secrets", "status").code == 1
    said = vclab("secrets", "rotate")
    assert (said.code, said.out) == (0, f"1 secrets are sealed to the newest keys in {tmp_path}/keys\n")
    assert f"endpoint/vc1 lay in plain text; from now on it is sent to {THERE} only: check that" in said.err
    assert (
        SecretStore(tmp_path / "secrets", tmp_path / "keys", "default").endpoint_password(ENDPOINT) == "battery-staple"
    )
    assert "battery-staple" not in said.out + said.err + (tmp_path / "secrets/endpoint/vc1").read_text()
    assert vclab("secrets", "status").code == 0


def test_what_nothing_uses_is_named(vclab: Command, store: Path, tmp_path: Path) -> None:
    (tmp_path / "secrets/endpoint").mkdir(parents=True)
    (tmp_path / "secrets/endpoint/old").write_text("x")
    said = vclab("secrets", "rotate", "--json")
    assert said.code == 1 and said.json["failed"] == ["endpoint/old: nothing in the database uses it"]


def test_status_counts_and_opens_nothing(vclab: Command, store: Path, tmp_path: Path) -> None:
    secrets = secret_store(tmp_path / "secrets")
    secrets.put("endpoint/vc1", "battery-staple", THERE)
    (before,) = secrets.keys.ring("site-default")
    assert vclab("secrets", "rotate").code == 0
    (tmp_path / "keys/api.key").unlink()
    found = {ring["reader"]: ring for ring in vclab("secrets", "status", "--json").json["rings"]}
    newest, older = found["site-default"]["keys"]
    assert older["id"] == before.id and newest["made"] == before.made_at.date().isoformat()
    assert found["site-default"]["newest"] == 1 and not found["api"]["private"]
    (tmp_path / "keys/site-default.key").unlink()
    (tmp_path / "keys/site-default.pub").unlink()
    secret_store(tmp_path / "secrets")
    said = vclab("secrets", "status")
    assert said.code == 1 and said.out.splitlines()[-1].split()[-1] == "1", "lost"


def test_others_may_not(vclab: Command, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vclab.local.secrets.may_write", lambda folder: False)
    for verb in ("rotate", "status"):
        vclab("secrets", verb).one_line_error(3, "only root and the account whose secrets these are")
