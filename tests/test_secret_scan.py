"""The scan for secrets finds what is planted: in each form, and in each place where it looks."""

import base64
import json
import sqlite3
import subprocess
import urllib.parse
from contextlib import closing
from pathlib import Path

import pytest

from tests.secret_scan import Processes, Scan, forms, readable_by_others, told

SECRET = "battery staple/ÿ?+"


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    return Scan({"a password": SECRET}, tmp_path / "spool")


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
@pytest.mark.parametrize("after", ["", "x", "xy"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_at_any_place(scan: Scan, before: str, after: str, encode: object) -> None:
    assert callable(encode)
    scan.look("log", "somewhere", b"..." + encode(f"{before}{SECRET}{after}".encode()) + b"...")
    (found,) = scan.found()
    assert "base64" in found


@pytest.mark.parametrize(
    "text",
    [
        SECRET.encode(),
        SECRET.encode().hex().encode(),
        SECRET.encode().hex().upper().encode(),
        urllib.parse.quote(SECRET, safe="").encode(),
    ],
)
def test_other_forms(scan: Scan, text: bytes) -> None:
    scan.look("log", "somewhere", b"user=alice&password=" + text + b"\n")
    (found,) = scan.found()
    assert found.startswith("a password (") and found.endswith(") in log: somewhere")


def test_utf_16(tmp_path: Path) -> None:
    scan = Scan({"a password": "battery-staple"}, tmp_path / "spool")
    scan.look("log", "somewhere", "the password is battery-staple".encode("utf-16-le"))
    assert scan.found() == ["a password (plain) in log: somewhere"]


def test_what_is_not_there_is_not_found(scan: Scan) -> None:
    scan.look("log", "somewhere", json.dumps({"password_ref": "endpoint/vc", "password": "**********"}).encode())
    assert not scan.found() and scan.looked == {"log": 1}
    assert all(len(form) > 10 for form in forms(SECRET).values()), "a form that is short would be found anywhere"


def test_arguments_and_environments(scan: Scan) -> None:
    """Of a process that lives for a moment."""
    notes = Processes()
    with notes.watched():
        for words, env in ((["sh", "-c", f"sleep 0.3; : {SECRET!r}"], {}), (["sleep", "0.3"], {"TOKEN": SECRET})):
            with subprocess.Popen(words, env=env, stderr=subprocess.DEVNULL) as child:
                notes.note()
                child.wait()
    scan.processes(notes)
    assert {found.split(" in ")[1].split(":")[0] for found in scan.found()} == {"arguments", "environment"}


def test_rows_and_files(scan: Scan, tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE t (a TEXT, b BLOB)")
        connection.execute("INSERT INTO t VALUES ('x', ?)", (SECRET.encode(),))
    scan.database("rows", file)
    assert any("x.db: t" in found for found in scan.found())
    file.chmod(0o600)
    (tmp_path / "public").write_text(SECRET)
    (tmp_path / "public").chmod(0o644)
    assert readable_by_others(tmp_path, skip=lambda folder: folder.name == "spool") == [tmp_path / "public"]
    scan.files("readable by others", [tmp_path / "public"])
    assert f"a password (plain) in readable by others: {tmp_path}/public" in scan.found()
    assert SECRET not in told([f"here: {SECRET}"], scan.secrets)
