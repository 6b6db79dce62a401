"""Who can read a secret, and where it may be sent."""

import json
import os
import stat
from pathlib import Path

import pytest

from tests.secret_store import secret_store
from vclab.model.catalog import Endpoint
from vclab.model.errors import Refused
from vclab.secrets.keys import Keys
from vclab.secrets.references import API, Destination, SecretMissing, SecretSealed
from vclab.secrets.store import SecretStore

NOBODY = 65534
PIN, OTHER_PIN = "ab" * 32, "cd" * 32
VC = Endpoint("vc", "vsphere", "https://vc.example.edu/sdk", "vclab", "endpoint/vc", PIN)
THERE = Destination(VC.url, PIN)


@pytest.fixture
def root(tmp_path: Path) -> SecretStore:
    """Who has all keys."""
    return secret_store(tmp_path / "secrets")


def without(store: SecretStore, tmp_path: Path, *readers: str) -> SecretStore:
    """The same secrets for an account that has the public keys, and the private ones of these readers."""
    folder = tmp_path / f"keys-of-{'-'.join(readers) or 'nobody'}"
    folder.mkdir()
    for file in store.keys.folder.iterdir():
        if file.suffix == ".pub" or file.stem in readers:
            (folder / file.name).write_bytes(file.read_bytes())
            (folder / file.name).chmod(0o600)
    return SecretStore(tmp_path / "secrets", folder, "default")


def test_nothing_lies_in_plain_text(root: SecretStore, tmp_path: Path) -> None:
    root.put("endpoint/vc", "battery-staple", THERE)
    assert root.endpoint_password(VC) == "battery-staple"
    assert "battery-staple" not in (tmp_path / "secrets/endpoint/vc").read_text()
    private = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "keys").iterdir()}
    assert private == {"api.key": 0o600, "api.pub": 0o644, "site-default.key": 0o600, "site-default.pub": 0o644}


def test_the_api_takes_a_password_that_it_cannot_read(root: SecretStore, tmp_path: Path) -> None:
    api = without(root, tmp_path, API)
    api.put("endpoint/vc", "battery-staple", THERE)
    with pytest.raises(SecretSealed, match="is sealed to site-default"):
        api.endpoint_password(VC)
    assert without(root, tmp_path, "site-default").endpoint_password(VC) == "battery-staple"


def test_what_a_user_is_shown_the_api_reads(root: SecretStore, tmp_path: Path) -> None:
    worker, api = without(root, tmp_path, "site-default"), without(root, tmp_path, API)
    shown = worker.generate("tenure/vm01/1/login")
    assert api.get("tenure/vm01/1/login") == shown == worker.generate("tenure/vm01/1/login")
    api.put("provider/uni/abc", "a refresh token")
    with pytest.raises(SecretSealed):
        worker.get("provider/uni/abc")
    worker.generate("tenure/vm01/1/root")
    with pytest.raises(SecretSealed):
        api.get("tenure/vm01/1/root")


def test_another_sites_workers_read_nothing(root: SecretStore, tmp_path: Path) -> None:
    Keys(root.keys.folder).make_missing(["site-berlin"])
    root.put("endpoint/vc", "battery-staple", THERE, site="berlin")
    root.put("endpoint/here", "correct-horse", THERE)
    berlin = without(root, tmp_path, "site-berlin")
    assert berlin.get("endpoint/vc", THERE) == "battery-staple"
    with pytest.raises(SecretSealed):
        berlin.get("endpoint/here", THERE)
    with pytest.raises(Refused, match="no key to seal secrets to the workers of the site paris"):
        root.put("endpoint/there", "x", THERE, site="paris")
    with pytest.raises(SecretMissing):
        root.get("endpoint/there", THERE)


@pytest.mark.parametrize(
    "turned",
    [Destination("https://evil.example.org/sdk", PIN), Destination(VC.url, OTHER_PIN), Destination(VC.url, ""), None],
)
def test_a_password_goes_only_where_it_was_entered_for(root: SecretStore, turned: Destination | None) -> None:
    root.put("endpoint/vc", "battery-staple", THERE)
    with pytest.raises(Refused, match=r"was entered for https://vc.example.edu/sdk .*; it is not given to") as refusal:
        root.get("endpoint/vc", turned)
    assert "again" in refusal.value.hint and "battery" not in str(refusal.value)


def test_whoever_writes_the_files_cannot_send_it_elsewhere(root: SecretStore, tmp_path: Path) -> None:
    """The address beside the box is part of what is sealed; so is the name."""
    root.put("endpoint/vc", "battery-staple", THERE)
    evil = Destination("https://evil.example.org/sdk", OTHER_PIN)
    file = tmp_path / "secrets/endpoint/vc"
    original, document = file.read_text(), json.loads(file.read_text())
    document["for"] = {"address": evil.address, "pin": evil.pin}
    file.write_text(json.dumps(document, separators=(",", ":")))
    with pytest.raises(Refused, match=r"damaged|not sealed"):
        root.get("endpoint/vc", evil)
    file.write_text(json.dumps(document))
    with pytest.raises(Refused, match="is damaged, or was put there by somebody who could not seal it"):
        root.get("endpoint/vc", evil)
    document["for"] = None
    file.write_text(json.dumps(document))
    with pytest.raises(Refused, match="is damaged"):
        root.get("endpoint/vc")
    (tmp_path / "secrets/endpoint/other").write_text(original)
    with pytest.raises(Refused, match="is damaged"):
        root.get("endpoint/other", THERE)


@pytest.mark.parametrize(
    "text", ['{"vclab-secret":', '{"vclab-secret": 1}', '{"vclab-secret": 1, "for": 7, "boxes": []}']
)
def test_what_is_damaged_says_so(root: SecretStore, tmp_path: Path, text: str) -> None:
    root.put("endpoint/vc", "x", THERE)
    (tmp_path / "secrets/endpoint/vc").write_text(text)
    with pytest.raises(Refused, match="is damaged"):
        root.get("endpoint/vc", THERE)


def test_a_plain_file_is_not_believed(root: SecretStore, tmp_path: Path) -> None:
    root.put("endpoint/vc", "x", THERE)
    (tmp_path / "secrets/endpoint/vc").write_text("battery-staple")
    with pytest.raises(Refused, match="is not sealed") as refusal:
        root.get("endpoint/vc", THERE)
    assert "vclab secrets rotate" in refusal.value.hint


def test_key_files_that_others_can_read_or_write_are_not_used(root: SecretStore, tmp_path: Path) -> None:
    root.put("tenure/vm01/1/root", "x")
    private, public = (tmp_path / f"keys/site-default.{suffix}" for suffix in ("key", "pub"))
    private.chmod(0o640)
    with pytest.raises(Refused, match=f"others can read the key file {private}") as refusal:
        root.get("tenure/vm01/1/root")
    assert refusal.value.hint == f"chmod 600 {private}"
    private.chmod(0o600)
    public.chmod(0o664)
    with pytest.raises(Refused, match=f"others can write the key file {public}"):
        root.put("tenure/vm01/2/root", "x")


def test_a_lost_key_is_named(root: SecretStore, tmp_path: Path) -> None:
    root.put("tenure/vm01/1/root", "x")
    (key,) = root.keys.ring("site-default")
    (tmp_path / "keys/site-default.key").unlink()
    with pytest.raises(SecretSealed, match=f"sealed to site-default .key {key.id}.") as lost:
        root.get("tenure/vm01/1/root")
    assert "backup" in lost.value.hint
    (tmp_path / "keys/site-default.key").write_text("")
    (tmp_path / "keys/site-default.key").chmod(0o600)
    with pytest.raises(Refused, match="is empty"):
        root.get("tenure/vm01/1/root")
    (tmp_path / "keys/site-default.key").write_text("junk\n")
    with pytest.raises(Refused, match="is damaged"):
        root.get("tenure/vm01/1/root")


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another account: needs root")
def test_keys_that_root_makes_are_the_workers_whatever_its_umask(tmp_path: Path) -> None:
    """The folder above is the worker's. Everybody reads public keys: who seals is another account."""
    os.chown(tmp_path, NOBODY, NOBODY)
    before = os.umask(0o077)
    try:
        Keys(tmp_path / "keys").turn("site-default")
    finally:
        os.umask(before)
    made = {file.name: file.stat() for file in (tmp_path / "keys", *(tmp_path / "keys").iterdir())}
    assert {name: stat.S_IMODE(each.st_mode) for name, each in made.items()} == {
        "keys": 0o755,
        "site-default.key": 0o600,
        "site-default.pub": 0o644,
    }
    assert {each.st_uid for each in made.values()} == {NOBODY}
