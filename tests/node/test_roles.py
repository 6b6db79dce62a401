"""A whole life on PostgreSQL in which the worker and whoever asks have no more than the rights of their roles."""

import pytest
import sqlalchemy as sa

from tests.labfixture import eventually
from tests.node.conftest import MakeNode
from tests.node.harness import PATIENCE
from tests.store import postgresql
from vclab.store import roles

pytestmark = pytest.mark.timeout(400)

ADMINISTRATION = (
    ("user", "add", "dora", "--uid", "20009"),
    ("user", "disable", "dora", "--why", "gone"),
    ("user", "remove", "dora"),
    ("computer", "disable", "fk19", "--why", "a look"),
    ("computer", "enable", "fk19"),
    ("image", "disable", "fake-1", "--why", "a look"),
    ("image", "enable", "fake-1"),
    ("endpoint", "disable", "fakes", "--why", "a look"),
    ("endpoint", "enable", "fakes"),
    ("list", "--all"),
    ("audit",),
)


@pytest.mark.long
async def test_a_whole_life_with_two_roles(make: MakeNode, database: postgresql.Server) -> None:
    owner = database.url(database.create())
    worker, api = (owner.replace("vclab:", f"vclab_{role}:") for role in ("worker", "api"))
    node = make(database=owner)
    node.store.run(roles.apply)
    node.start_server()
    await node.answers()
    node.environment["VCLAB_DATABASE"] = worker
    node.start_worker()

    node.environment["VCLAB_DATABASE"] = api
    used = node.reserve()
    node.vclab("connect", used, "--print")
    eventually(lambda: node.states()[used] == "inuse", PATIENCE, 0.2)
    node.vclab("extend", used, "--by", "15m")
    later = node.reserve("--at", "23:30")
    for words in ADMINISTRATION:
        node.vclab("--as", "olga", *words)
    node.vclab("end", later)
    node.vclab("end", used)
    eventually(lambda: set(node.states().values()) == {"complete"} and not node.machines(), PATIENCE, 0.2)
    assert "permission denied" not in node.log("worker")
    with node.store.read() as session:
        assert not session.execute(sa.text("SELECT verb, detail FROM intents WHERE outcome <> 'done'")).all()
