"""Who has no key to an endpoint's password enters it, and has a worker of its site log in with it from then on."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.node.conftest import MakeNode
from tests.vcsim import VcsimProcess
from vclab.secrets.references import API, Destination, SecretSealed
from vclab.secrets.store import SecretStore

pytestmark = pytest.mark.timeout(300)


@pytest.mark.long
async def test_the_api_asks_an_endpoint_through_a_worker(make: MakeNode, tmp_path: Path) -> None:
    node = make()
    node.start_server()
    await node.answers()
    node.start_worker()
    keys = tmp_path / "keys-of-the-api"
    keys.mkdir()
    for file in (tmp_path / "keys").iterdir():
        if file.suffix == ".pub" or file.stem == API:
            shutil.copy(file, keys / file.name)
    node.environment["VCLAB_SECRET_KEYS"] = str(keys)
    vcenter = VcsimProcess(tmp_path / "vcenter", datastores={"ds1": 100}).start()

    def said(*words: str, code: int = 0) -> str:
        ran = node.vclab("--as", "olga", *words, check=False, typed=f"{vcenter.password}\n")
        assert ran.returncode == code and "Traceback" not in ran.stderr, ran
        return ran.stderr if code else ran.stdout

    try:
        login = "--url", vcenter.url, "--username", vcenter.user, "--fingerprint", vcenter.fingerprint
        added: Any = json.loads(said("endpoint", "add", "vc1", *login, "--json"))
        assert added["usable"]
        there = Destination(vcenter.url, vcenter.fingerprint)
        with pytest.raises(SecretSealed):
            SecretStore(tmp_path / "secrets", keys, "default").get("endpoint/vc1", there)
        checked: Any = json.loads(said("endpoint", "check", "vc1", "--json"))
        assert [host["name"] for host in checked["hosts"]] == [host["name"] for host in added["hosts"]]
        assert said("endpoint", "edit", "vc1", "--cpu-overcommit", "2", "--json")
        assert "has a network 'students'" in said("endpoint", "edit", "vc1", "--public-network", "students", code=3)
        vcenter.stop()
        assert "does not answer" in said("endpoint", "check", "vc1", code=5)
        node.kill("worker")
        assert "no worker of its site has answered" in said("endpoint", "check", "vc1", code=5)
    finally:
        vcenter.stop()
