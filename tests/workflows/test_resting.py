"""Hosts that rest and come back, and revisions under suspicion, as reservations meet them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from activities.reconcile import Strays
from tests.store.test_failures import TARGET
from tests.workflows.conftest import IMAGE, QUEUE, Life
from vclab.model.errors import Refused, StepFailed
from vclab.model.health import Rest
from vclab.model.ids import new_id
from vclab.model.messages import How, Resolve, workflow_id
from vclab.model.reservations import ReserveRequest
from vclab.store import catalog, failures, host_rests
from vclab.store.models import HostRest, LoadFailure
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
        return list(host_rests.resting(session).values())


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


def suspects(life: Life) -> list[str]:
    with life.store.read() as session:
        return [f"{each.image}/{each.revision}" for each in failures.suspects(session)]


def word(life: Life) -> str:
    view = life.view()
    return view.word if view else ""


async def test_three_images_fail_on_a_host_and_it_rests_until_a_load_ends_well(life: Life) -> None:
    ids = [new_id() for _ in range(3)]
    life.world.fail["vsphere.power_on"] = StepFailed("esx1 refuses")
    for name, life.id in zip(("a", "b", "c"), ids, strict=True):
        life.store.run(lambda s, name=name: catalog.put_image(s, replace(IMAGE, name=name)))  # type: ignore[misc]
        assert resting(life) == []
        await life.operator.reserve(ReserveRequest(life.id, "alice", name, 3600))
        await life.when(lambda: word(life) == "Needs help")
    (rest,) = resting(life)
    assert (rest.host, suspects(life)) == ("esx1", [])
    life.world.fail.clear()
    await life.operator.resolve(life.id, Resolve(How.RETRY))
    await life.until("reserved")
    assert resting(life) == []
    for other in ids[:2]:
        await life.client.get_workflow_handle(workflow_id(other)).terminate("the test is over")


async def test_a_revision_that_fails_inside_in_two_places_is_suspect_until_it_loads_well(life: Life) -> None:
    life.world.hosts = tuple(replace(life.world.hosts[0], name=f"esx{n}") for n in (1, 2))
    life.world.fail["linux.post_load"] = StepFailed("there is no nft")
    await life.reserve()
    await life.when(lambda: word(life) == "Needs help")
    assert suspects(life) == ["debian-12/1"]
    with life.store.read() as session:
        failed = session.scalars(sa.select(LoadFailure)).all()
        assert [(row.host, row.step, row.against_host) for row in failed] == [
            ("esx1", "linux.post_load", False),
            ("esx2", "linux.post_load", False),
        ]
    life.world.fail.clear()
    await life.operator.resolve(life.id, Resolve(How.RETRY))
    await life.until("reserved")
    assert suspects(life) == []
