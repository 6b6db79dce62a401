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
def scan() -> Scan:
    return Scan({"a password": SECRET})


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
@pytest.mark.parametrize("after", ["", "x", "xy"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_at_any_place(scan: Scan, before: str, after: str, encode: object) -> None:
    assert callable(encode)
    scan.look("log", "somewhere", b"..." + encode(f"{before}{SECRET}{after}".encode()) + b"...")
    assert scan.found and "base64" in scan.found[0]


@pytest.mark.parametrize(
    "text",
    [
        SECRET.encode(),
        SECRET.encode().hex().encode(),
        SECRET.encode().hex().upper().encode(),
        urllib.parse.quote(SECRET, safe="").encode(),
        SECRET.encode("utf-16-le"),
    ],
)
def test_other_forms(scan: Scan, text: bytes) -> None:
    scan.look("log", "somewhere", b"user=alice&password=" + text + b"\n")
    assert scan.found == [f"a password ({scan.found[0].split('(')[1].split(')')[0]}) in log: somewhere"]


def test_what_is_not_there_is_not_found(scan: Scan) -> None:
    scan.look("log", "somewhere", json.dumps({"password_ref": "endpoint/vc", "password": "**********"}).encode())
    assert not scan.found and scan.looked == {"log": 1}
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
    assert {found.split(" in ")[1].split(":")[0] for found in scan.found} == {"arguments", "environment"}


def test_rows_and_files(scan: Scan, tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE t (a TEXT, b BLOB)")
        connection.execute("INSERT INTO t VALUES ('x', ?)", (SECRET.encode(),))
    scan.database("rows", file)
    assert any("x.db: t" in found for found in scan.found)
    file.chmod(0o600)
    (tmp_path / "public").write_text(SECRET)
    (tmp_path / "public").chmod(0o644)
    assert readable_by_others(tmp_path) == [tmp_path / "public"]
    scan.found.clear()
    scan.files("readable by others", readable_by_others(tmp_path))
    assert scan.found == [f"a password (plain) in readable by others: {tmp_path}/public"]
    assert SECRET not in told([f"here: {SECRET}"], scan.secrets)
