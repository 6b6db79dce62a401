"""A host that rests is asked after by the reconciler, and comes back; nothing is placed on it before."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from activities.reconcile import Strays
from tests.store.test_failures import TARGET
from tests.workflows.conftest import Life
from vclab.model.errors import Refused
from vclab.model.health import Rest
from vclab.model.ids import new_id
from vclab.store import failures, rests
from vclab.store.models import HostRest
from vclab.temporal.client import QUEUE
from workflows.reconcile import Reconcile


async def reconcile(life: Life) -> Strays:
    """One round."""
    return await life.client.execute_workflow(Reconcile.run, id=f"reconcile-{new_id()}", task_queue=QUEUE)


def fail(life: Life) -> None:
    """Three loads of different images failed on esx1 just now."""
    for image in ("a", "b", "c"):
        target = replace(TARGET, reservation=f"r-{image}", endpoint="vc", image=image)
        life.store.run(
            lambda s, target=target: failures.note(s, target, "vsphere.power_on", "no power", False, datetime.now(UTC))  # type: ignore[misc]
        )


def due(life: Life) -> None:
    """The time of the next check has come."""
    life.store.run(lambda s: s.execute(sa.update(HostRest).values(next_check=datetime.now(UTC))))


def resting(life: Life) -> list[Rest]:
    with life.store.read() as session:
        return list(rests.resting(session).values())


async def test_a_host_rests_until_a_check_finds_that_it_can_be_used(life: Life) -> None:
    fail(life)
    with pytest.raises(Refused, match=r"vc/esx1: rests since .*3 loads of 3 different images failed"):
        await life.reserve()
    assert await reconcile(life) == Strays()  # it is too early
    assert [rest.checks for rest in resting(life)] == [0]

    due(life)
    world, hosts = life.world, life.world.hosts
    world.survey_error = "it does not answer"
    assert (await reconcile(life)).woken == ()
    due(life)
    world.survey_error, world.hosts = "", (replace(hosts[0], usable=False, why_not="in maintenance"),)
    assert (await reconcile(life)).woken == ()
    (rest,) = resting(life)
    assert (rest.checks, rest.last_check) == (2, "in maintenance")
    assert rest.next_check is not None
    assert rest.next_check > datetime.now(UTC) + timedelta(minutes=39)

    due(life)
    world.hosts = hosts
    assert (await reconcile(life)).woken == ("vc/esx1",)
    assert resting(life) == []
    life.id = new_id()
    await life.ready()
