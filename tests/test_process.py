"""A process that holds secrets shows them to nobody: worker and API, as they are started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HOLDER = """
import ctypes, os, sys
from vclab.process import harden
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as after an exec by this account
if sys.argv[1] == "hardened":
    harden()
print("ready", flush=True)
sys.stdin.read(1)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another account")
@pytest.mark.parametrize("kind", ["hardened", "usual"])
def test_another_process_of_the_account_reads_nothing(kind: str) -> None:
    """Nor the environment, which may have the database's URL. Of a usual process it does: so the test can fail."""
    words, mark = [sys.executable, "-c", HOLDER, kind], {"MARK": "battery-staple"}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | mark) as child:
        assert child.stdout and child.stdout.readline() == b"ready\n"
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        look = subprocess.run([*as_nobody, "cat", f"/proc/{child.pid}/environ"], capture_output=True)
        limits = Path(f"/proc/{child.pid}/limits").read_text()
        child.communicate(b"x")
    assert (b"battery-staple" in look.stdout) is (kind == "usual")
    if kind == "hardened":
        assert limits.split("Max core file size")[1].split()[:2] == ["0", "0"]


@pytest.mark.parametrize(("module", "main"), [("worker", "main"), ("vclab.api.main", "main")])
def test_worker_and_api_do_so_before_they_read_the_settings(module: str, main: str) -> None:
    program = f"""
import {module} as entry
class Reached(Exception): pass
def harden(): raise Reached
entry.harden = harden
try:
    entry.{main}()
except Reached:
    print("hardened")
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, "VCLAB_CONFIG": "/nowhere"}
    )
    assert ran.stdout == "hardened\n", ran
