"""The database is restarted under a running worker: nothing is lost, nothing is done twice, people are told."""

import json
import time

import pytest

from tests.labfixture import eventually
from tests.node.conftest import MakeNode
from tests.node.harness import PATIENCE, Node
from tests.store import postgresql
from vclab.store import load_log

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

SLOW = """
fake.delays."fake.create_vm" = 3
fake.delays."fake.post_load" = 2
"""


async def test_postgresql_is_restarted_while_one_loads_and_one_is_used(
    make: MakeNode, database: postgresql.Server
) -> None:
    node = make(database=database.url(database.create()), settings=SLOW)
    node.start_server()
    await node.answers()
    node.start_worker()
    used = node.reserve()
    node.vclab("connect", used, "--print")
    eventually(lambda: node.states()[used] == "inuse", PATIENCE, 0.2)

    client = node.in_background("reserve", "fake-1", "--for", "1h", "--wait", "--json")
    eventually(lambda: len(node.states()) == 2, PATIENCE, 0.1)
    (loading,) = set(node.states()) - {used}
    watching = node.in_background("watch", loading)
    assert watching.stderr and watching.stderr.readline()
    in_step(node, loading, "fake.create_vm")
    database.stop()
    for words in (("list",), ("show", loading), ("extend", used, "--by", "15m"), ("reserve", "fake-1"), ("end", used)):
        line = node.one_line(*words)
        assert "the database does not answer" in line and postgresql.PASSWORD not in line, line
    time.sleep(4)  # the step ends meanwhile, and its record is to be written
    database.start()

    in_step(node, loading, "fake.post_load")
    database.stop(postgresql.IMMEDIATE_SHUTDOWN)
    time.sleep(3)
    database.start()
    out, err = client.communicate(timeout=PATIENCE)
    assert client.returncode == 0 and "Traceback" not in err, (out, err)
    assert json.loads(out)["state"] == "reserved"
    assert node.states() == {used: "inuse", loading: "reserved"}
    done_once(node, loading)

    before = node.show(used)["end"]
    node.vclab("extend", used, "--by", "15m")
    assert node.show(used)["end"] > before
    node.vclab("end", used)
    database.stop()  # while the computer is taken back, perhaps
    time.sleep(1)
    database.start()
    node.vclab("end", loading)
    eventually(lambda: set(node.states().values()) == {"complete"} and not node.machines(), PATIENCE, 0.2)
    out, err = watching.communicate(timeout=PATIENCE)
    assert watching.returncode == 0 and out.endswith("Ended: deleted before Connect\n"), (out, err)


def in_step(node: Node, reservation: str, step: str) -> None:
    """Wait until a load has begun that step."""

    def begun() -> bool:
        with node.store.read() as session:
            return step in [each.name for each in load_log.attempts(session, reservation)]

    eventually(begun, PATIENCE, 0.05)


def done_once(node: Node, reservation: str) -> None:
    """One machine of its first generation, and no step was done a second time."""
    (machine,) = [m for m in node.machines() if m["reservation"] == reservation]
    assert (machine["generation"], machine["boots"]) == (1, 1)
    with node.store.read() as session:
        log = load_log.attempts(session, reservation)
    done = [each.name for each in log if each.outcome == load_log.DONE]
    assert len(done) == len(set(done)) <= 8, log
