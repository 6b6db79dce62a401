"""Which queues a worker polls, and for what: as the settings give it roles and a site."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from temporalio.client import Client

import worker
from activities.drivers import Drivers
from activities.exports import MARK
from tests.fakes import FakeGuest, FakeModule, World
from vclab.settings import Settings
from vclab.store.engine import open_store
from workflows import WORKFLOWS

DRIVERS = Drivers({"vsphere": FakeModule(World())}, {"linux": FakeGuest(World())})


async def polled(client: Client, folder: Path, **settings: object) -> dict[str, tuple[int, set[str]]]:
    """For each queue: the number of kinds of workflows, and the names of the activities."""
    store = open_store(f"sqlite:///{folder}/vclab.db")
    workers = worker.build(client, Settings(**settings), store, DRIVERS)  # type: ignore[arg-type]
    async with AsyncExitStack() as stack:  # one that was made must be ended, and that needs a start
        for one in workers:
            await stack.enter_async_context(one)
    queues = [one.task_queue for one in workers]
    assert len(queues) == len(set(queues)), "one queue, one worker: else nothing starts eagerly"
    store.close()
    return {
        one.task_queue: (
            len(one.config()["workflows"]),
            {str(getattr(each, MARK).name) for each in one.config()["activities"]},
        )
        for one in workers
    }


async def test_one_worker_polls_a_queue_that_is_both_the_workflows_and_the_sites(
    time_client: Client, tmp_path: Path
) -> None:
    found = await polled(time_client, tmp_path)
    assert set(found) == {"site-default", "site-default-long", "looks-default"}
    workflows, activities = found["site-default"]
    assert workflows == len(WORKFLOWS)
    assert {"place", "survey", "await_place", "vsphere.create_vm", "grant_access", "step_failed"} <= activities
    assert found["site-default-long"][1] >= {"vsphere.copy_disk"}


async def test_a_queue_of_its_own_for_the_workflows(time_client: Client, tmp_path: Path) -> None:
    found = await polled(time_client, tmp_path, temporal={"workflow_queue": "lives"})
    assert set(found) == {"lives", "site-default", "site-default-long", "looks-default"}
    assert found["site-default"][0] == 0
    assert "place" not in found["site-default"][1]
    assert "survey" in found["lives"][1] & found["site-default"][1]
    assert not {"remove_computer", "vsphere.create_vm"} & found["lives"][1]


@pytest.mark.parametrize(
    ("roles", "queues"), [(("workflows",), {"lives"}), (("site",), {"site-north", "site-north-long", "looks-north"})]
)
async def test_one_role(time_client: Client, tmp_path: Path, roles: tuple[str, ...], queues: set[str]) -> None:
    found = await polled(time_client, tmp_path, roles=roles, site="north", temporal={"workflow_queue": "lives"})
    assert set(found) == queues
