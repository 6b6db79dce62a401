"""What a local account without rights can do to the lab on its machine: nothing. All listens on loopback or in
namespaces, which keeps nobody out who is on the machine."""

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.labfixture import Lab, run
from vclab.lab.layout import API_PORT, TEMPORAL_PORT, UI_PORT

pytestmark = pytest.mark.lab

NOBODY = 65534
ATTACK = """
import asyncio, json, os, sys
from datetime import timedelta
from temporalio.client import Client
from temporalio.service import TLSConfig

async def tried(what):
    try:
        await what
    except Exception as error:
        return type(error).__name__
    return "done"

async def main(address, authority, workflow):
    found = {}
    for name, tls in (("plain", False), ("TLS", TLSConfig(server_root_ca_cert=authority.encode()))):
        client = await Client.connect(address, tls=tls, lazy=True)
        handle = client.get_workflow_handle(workflow)
        soon = {"rpc_timeout": timedelta(seconds=10)}
        calls = (
            client.start_workflow("Reservation", id="attack", task_queue="site-default", **soon),
            handle.signal("extend", "2027-06-01T00:00:00Z", **soon), handle.signal("cancel", **soon),
            handle.query("status", **soon), handle.execute_update("end", **soon), handle.describe(**soon),
            handle.terminate(**soon), client.count_workflows("", **soon),
        )
        found[name] = await asyncio.gather(*map(tried, calls))
    print(json.dumps(found), flush=True)
    os._exit(0)  # a connection that never came about can crash the SDK's core while Python ends

asyncio.run(main(*sys.argv[1:]))
"""


def as_nobody(*command: str) -> "subprocess.CompletedProcess[str]":
    """As an account of this machine that has no rights."""
    words = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs")
    return run("setpriv", *words, *command)


def test_temporal_on_loopback_does_nothing_for_a_stranger(lab: Lab) -> None:
    made: dict[str, Any] = lab.json("reserve", "debian-12", "--for", "1h", "--wait")
    try:
        authority = (lab.layout.tls / "ca.pem").read_text()
        address = f"{lab.layout.address}:{TEMPORAL_PORT}"
        ran = as_nobody(sys.executable, "-c", ATTACK, address, authority, f"reservation-{made['id']}")
        assert ran.returncode == 0, ran
        found = json.loads(ran.stdout)
        assert set(found) == {"plain", "TLS"} and all(len(each) == 8 for each in found.values())
        assert "done" not in {word for each in found.values() for word in each}
        now = lab.json("show", made["id"])
        assert (now["end"], now["ending"]) == (made["end"], None)
    finally:
        lab.vclab("end", made["id"])


def test_no_key_token_or_database_can_be_read(lab: Lab) -> None:
    """Not even their names matter: every file that holds a secret is its owner's."""
    folder = lab.layout.folder
    secret = [
        *folder.glob("tls/*.key"),
        *folder.glob("contexts/tokens/*"),
        *folder.rglob("id_ed25519"),
        *folder.rglob("key.pem"),
        lab.layout.database,
    ]
    assert len(secret) >= 10
    for file in (
        *secret,
        lab.layout.secrets,
        lab.layout.temporal_database.parent,
        lab.layout.vcenter,
    ):
        assert not stat.S_IMODE(file.stat().st_mode) & 0o077, file
    readable = as_nobody("cat", *map(str, secret))
    assert readable.returncode == 1 and not readable.stdout


def test_the_ui_is_reached_through_the_api_only(lab: Lab) -> None:
    """It does not answer outside the lab, and inside it wants the API's certificate."""
    ca, address = lab.layout.tls / "ca.pem", lab.layout.address
    asks = ("curl", "-s", "-m", "10", "--cacert", str(ca))
    assert run(*asks, f"https://{address}:{UI_PORT}/temporal/").returncode == 7  # nobody listens
    assert lab.manage(*asks, f"https://{address}:{UI_PORT}/temporal/").returncode in (35, 55, 56)
    refused = run(*asks, f"https://{address}:{API_PORT}/temporal/api/v1/namespaces")
    assert '"code":"unauthenticated"' in refused.stdout
    for login, shown in (("olga", "namespaceInfo"), ("alice", "is for operators")):
        token = (lab.layout.contexts / "tokens" / login).read_text().strip()
        said = run(
            *asks,
            "-H",
            "@-",
            f"https://{address}:{API_PORT}/temporal/api/v1/namespaces",
            typed=f"Authorization: Bearer {token}",
        )
        assert shown in said.stdout


def test_each_part_shows_temporal_its_own_certificate(lab: Lab) -> None:
    for part in ("api", "worker"):
        environment = Path(f"/proc/{lab.state.parts[part].pid}/environ").read_bytes().split(b"\0")
        assert f"VCLAB_TEMPORAL__TLS_KEY={lab.layout.tls}/{part}.key".encode() in environment
