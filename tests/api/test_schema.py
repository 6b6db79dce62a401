"""Schemathesis asks a running server as each kind of person: no answer outside of the description, no fault.

`make test-long` asks far more.
"""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy.orm import Session

from tests.api import running
from tests.api.running import Api
from tests.node.harness import Node
from vclab.model.access import Role, ToKind
from vclab.model.catalog import User
from vclab.store import catalog
from vclab.store.access_tables import Grant

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

MORE = """
[api.limits]
address_burst = 1000000
address_rate = 10000
person_burst = 1000000
person_rate = 10000
stranger_burst = 1000000
stranger_rate = 10000
"""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)
LEFT_OUT = r"/console$|/sign-out$|/tokens/\{id\}$|/repositories/\{name\}$|/events$"
"""What waits for minutes for a BMC that is not there, ends the token, makes folders where the example says, never ends.
One pattern: only the last counts."""
GRANTED = {
    "teacher1": Role.TEACHER,
    "maker1": Role.IMAGE_MAKER,
    "helper1": Role.HELP_DESK,
    "operator1": Role.OPERATOR,
    "admin1": Role.ADMINISTRATOR,
}
"""People with a role over everything. alice has none, and olga is an operator and administrator by the settings."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """With a worker on the pretended world."""
    folder = tmp_path_factory.mktemp("schema")
    made = Node(folder, folder, settings=MORE)
    made.store.run(_people)
    made.start_server()
    asyncio.run(made.answers())
    made.start_worker()
    yield made
    made.stop()


def _people(session: Session) -> None:
    """Their grants have numbers that are not guessed, else an administrator would take them back."""
    now = datetime.now(UTC)
    for number, (login, role) in enumerate(GRANTED.items(), 1):
        catalog.put_user(session, User(login, 31000 + number))
        session.flush()
        made = {"id": 9_000_000 + number, "made_at": now, "made_by": "root"}
        session.add(Grant(role=role, to_kind=ToKind.PERSON, to_name=login, on_group="", **made))


@pytest.fixture(scope="module")
def api(node: Node) -> Iterator[Api]:
    """One server."""
    made = running.start(node.settings_file)
    yield made
    made.kill()


def described(node: Node, api: Api) -> Path:
    """The description without the hosts of its examples: nothing beyond this machine is asked."""
    file = node.folder / "openapi.json"
    file.write_text(re.sub(r"(vcenter|bmc01)\.example\.org", "", httpx.get(f"{api.url}/openapi.json").text))
    return file


def asked(node: Node, api: Api, who: str, examples: int, phases: str) -> str:
    """What Schemathesis reports; empty when all is well."""
    token = running.token(node.store, who) if who else ""
    header = ["--header", f"Authorization: Bearer {token}"] if token else []
    program = Path(sys.executable).with_name("schemathesis")
    words = [
        *(str(program), "run", str(described(node, api)), "--url", api.url.removesuffix("/api/v1")),
        *(*header, "--exclude-path-regex", LEFT_OUT),
        *("--checks", ",".join(CHECKS), "--max-examples", str(examples), "--phases", phases),
        *("--suppress-health-check", "all", "--request-timeout", "120", "--no-color", "--seed", "1"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=node.folder)
    if token:
        own = {"Authorization": f"Bearer {token}"}
        me = httpx.get(f"{api.url}/me", headers=own)
        assert me.status_code == 200, f"it was not the one who asked all the time: {me.text}; {api.log[-2000:]}"
    return "" if done.returncode == 0 else done.stdout[-8000:] + done.stderr[-2000:]


@pytest.mark.parametrize("who", ["", "alice", "olga"])
def test_a_few_questions(node: Node, api: Api, who: str) -> None:
    report = asked(node, api, who, 1, "examples,fuzzing")
    assert not report, report
    assert "a fault, told as" not in api.log


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("who", ["", "alice", "olga", *GRANTED])
def test_many_questions(node: Node, api: Api, who: str) -> None:
    report = asked(node, api, who, 20, "examples,coverage,fuzzing")
    assert not report, report
    assert "a fault, told as" not in api.log
