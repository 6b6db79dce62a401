"""Turning the keys: nothing is lost, wherever it is cut off."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.secret_store import secret_store
from vclab.model.errors import NotFound
from vclab.secrets.references import API, Destination
from vclab.secrets.rotation import rotate, status
from vclab.secrets.store import SecretStore

THERE = Destination("https://vc.example.edu/sdk", "ab" * 32)
SITE = "site-default"


def where(reference: str) -> tuple[Destination | None, str]:
    """Of what lay here in plain text."""
    if reference == "endpoint/unknown":
        raise NotFound("there is no endpoint unknown")
    return (THERE if reference.startswith("endpoint/") else None), "default"


def filled(folder: Path) -> dict[str, str]:
    """Secrets of all kinds."""
    store = secret_store(folder)
    store.put("endpoint/vc", "battery-staple", THERE)
    store.put("tenure/vm01/1/login", "one-time")
    return {"tenure/vm01/1/root": store.generate("tenure/vm01/1/root"), "tenure/vm01/1/login": "one-time"}


def all_there(store: SecretStore, values: dict[str, str]) -> bool:
    """As they were."""
    return store.get("endpoint/vc", THERE) == "battery-staple" and all(store.get(r) == v for r, v in values.items())


def test_all_is_sealed_to_new_keys(tmp_path: Path) -> None:
    values, store = filled(tmp_path / "secrets"), secret_store(tmp_path / "secrets")
    (first,) = store.keys.ring(SITE)
    done = rotate(store, (SITE, API), where)
    assert (done.sealed, done.plain, done.left, done.failed, done.dropped) == (3, [], [], [], 0)
    second, before = store.keys.ring(SITE)
    assert before.id == first.id and store.keys.public(SITE).id == second.id
    assert all_there(store, values)
    assert {ring.reader: (ring.newest, ring.older, ring.lost) for ring in status(store).rings} == {
        API: (1, 0, 0),
        SITE: (3, 0, 0),
    }
    assert rotate(store, (), where).dropped == 2, "the key before stays until the next time"
    assert first.id not in [key.id for key in store.keys.ring(SITE)] and all_there(store, values)


def test_plain_files_are_sealed_by_it(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    for reference, value in {
        "endpoint/vc": "battery-staple",
        "endpoint/unknown": "x",
        "tenure/vm01/1/root": "r",
    }.items():
        (folder / reference).parent.mkdir(parents=True, exist_ok=True)
        (folder / reference).write_text(value)
    store = SecretStore(folder, tmp_path / "keys", "default")
    assert status(store).plain == ("endpoint/unknown", "endpoint/vc", "tenure/vm01/1/root")
    done = rotate(store, (SITE, API), where)
    assert done.plain == ["endpoint/vc", "tenure/vm01/1/root"]
    assert done.failed == ["endpoint/unknown: there is no endpoint unknown"]
    assert all_there(store, {"tenure/vm01/1/root": "r"})
    assert status(store).plain == ("endpoint/unknown",)


def test_what_others_have_the_keys_to_is_left(tmp_path: Path) -> None:
    values, root = filled(tmp_path / "secrets"), secret_store(tmp_path / "secrets")
    root.keys.make_missing(["site-berlin"])
    root.put("endpoint/berlin", "x", THERE, site="berlin")
    (tmp_path / "berlin.key").write_bytes((tmp_path / "keys/site-berlin.key").read_bytes())
    (tmp_path / "keys/site-berlin.key").unlink()
    done = rotate(root, (SITE, API), where)
    assert done.left == ["endpoint/berlin"] and not done.failed and all_there(root, values)
    (berlin,) = [ring for ring in status(root).rings if ring.reader == "site-berlin"]
    assert not berlin.private and berlin.newest == 1 and not berlin.lost


def test_a_secret_whose_key_is_lost_is_counted(tmp_path: Path) -> None:
    filled(tmp_path / "secrets")
    (tmp_path / "keys/site-default.key").unlink()
    (tmp_path / "keys/site-default.pub").unlink()
    store = secret_store(tmp_path / "secrets")  # another key of the same name
    (ring,) = [each for each in status(store).rings if each.reader == SITE]
    assert ring.lost == 3 and ring.newest == 0


def test_one_that_is_damaged_stops_no_other_and_keeps_old_keys(tmp_path: Path) -> None:
    values, store = filled(tmp_path / "secrets"), secret_store(tmp_path / "secrets")
    (tmp_path / "secrets/endpoint/bad").write_text('{"vclab-secret": 1}')
    for _ in range(3):
        done = rotate(store, (), where)
        assert done.sealed == 3 and done.dropped == 0 and "endpoint/bad" in done.failed[0]
    assert len(store.keys.ring(SITE)) == 4 and all_there(store, values)
    assert status(store).damaged == ("endpoint/bad",)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.secrets.test_rotation import where
from vclab.secrets.rotation import rotate
from vclab.secrets.store import SecretStore

left = int(sys.argv[2])

def counted(real):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return call

for name in ("rename", "fsync", "unlink", "fchmod"):
    setattr(os, name, counted(getattr(os, name)))
Path.rename = counted(Path.rename)
folder = Path(sys.argv[1])
for _ in range(int(sys.argv[3])):
    rotate(SecretStore(folder / "secrets", folder / "keys", "default"), ("site-default", "api"), where)
"""


@pytest.mark.timeout(300)
def test_it_is_killed_at_every_step_and_nothing_is_lost(tmp_path: Path) -> None:
    """At each rename, and at each other step of a write."""
    values, killed = filled(tmp_path / "secrets"), 0
    for step in range(200):
        ran = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path), str(step), "1"], capture_output=True, text=True
        )
        store = SecretStore(tmp_path / "secrets", tmp_path / "keys", "default")
        assert all_there(store, values), step
        if ran.returncode == 0:
            break
        assert ran.returncode == -9, ran.stderr
        killed += 1
    assert killed > 15, "it was cut off in each write of three secrets and two rings"
    assert rotate(store, (), where).sealed == 3
    assert all_there(store, values)
    assert not list((tmp_path / "keys").glob(".*")), "nothing is left of keys that were not written to their end"


def test_who_writes_meanwhile_loses_nothing(tmp_path: Path) -> None:
    """A worker's new secrets, while keys are turned again and again in another process."""
    filled(tmp_path / "secrets")
    turning = [sys.executable, "-c", KILLED, str(tmp_path), "1000000", "4"]
    with subprocess.Popen(turning, stderr=subprocess.PIPE, text=True) as other:
        store, written = secret_store(tmp_path / "secrets"), dict[str, str]()
        while other.poll() is None:
            reference = f"tenure/vm02/{len(written) + 1}/root"
            written[reference] = store.generate(reference)
            assert store.get(reference) == written[reference]
        assert other.returncode == 0, other.stderr and other.stderr.read()
    assert len(written) > 5 and all(store.get(reference) == value for reference, value in written.items())
