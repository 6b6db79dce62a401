"""Reservations for later, on a real server whose clock is skipped."""

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowFailureError

from tests.targets import target_of
from tests.workflows.conftest import IMAGE, QUEUE, Life
from vclab.model.errors import NotFound, Refused, StepFailed, Unreachable
from vclab.model.ids import new_id
from vclab.model.inventory import HostFacts
from vclab.model.messages import Acknowledge, End, Extend, How, Reschedule, Resolve, StatusView
from vclab.model.plans import Facts, StepInput
from vclab.model.reservations import ReservationView, ReserveRequest
from vclab.model.states import ComputerState
from vclab.store import catalog, load_log, reservations, tenures

USABLE = HostFacts("esx1", 16, 16384, datastores=("ds1",))
BROKEN = HostFacts("esx1", 16, 16384, False, "in maintenance", ("ds1",))


async def reserve(life: Life, hours_ahead: float = 5.0, hours: float = 1.0) -> datetime:
    """For later; returns the start."""
    start = datetime.now(UTC) + timedelta(hours=hours_ahead)
    await life.reserve(hours, start=start)
    return start


def seen(life: Life) -> ReservationView:
    view = life.view()
    assert view is not None
    return view


async def status(life: Life) -> StatusView:
    return await life.reservations.status(life.id)


async def waits_for(life: Life, text: str) -> StatusView:
    """Until the workflow says that it waits for this."""
    async with asyncio.timeout(60):
        while text not in (now := await status(life)).waits_for:
            await asyncio.sleep(0.05)
    return now


def holder(life: Life) -> str:
    with life.store.read() as session:
        return catalog.computer(session, "vm01").holder


async def test_loaded_before_its_start_and_handed_over_then(life: Life) -> None:
    """Nothing is touched until 35 minutes before; nobody is let in before the start; 900 s count from there."""
    start = await reserve(life)
    view = seen(life)
    assert (view.state, view.word, view.computer, view.start) == ("scheduled", "Scheduled", "", start)
    now = await waits_for(life, "the time to prepare the computer")
    assert now.until is not None
    assert abs((start - timedelta(minutes=35) - now.until).total_seconds()) < 1
    assert now.then == "a computer is taken and loaded"
    await life.skip(hours=4, minutes=20)
    assert (life.world.done, holder(life)) == ([], "")
    await life.skip(minutes=6)
    now = await waits_for(life, "its start; vm01 is ready")
    assert (now.word, now.until, holder(life)) == ("Scheduled", start, life.id)
    with pytest.raises(Refused, match="not ready yet: Scheduled: its start"):
        await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    await life.skip(minutes=30)
    assert seen(life).state == "scheduled"
    await life.skip(minutes=5)
    view = await life.until("reserved", seconds=60)
    assert (view.end, view.public_address) == (start + timedelta(hours=1), "203.0.113.9")
    assert life.world.done.count("vsphere.create_vm") == 1
    await life.skip(minutes=12)
    assert seen(life).state == "reserved"
    await life.skip(minutes=4)
    assert (await life.until("complete", seconds=60)).ending == "noack"
    assert holder(life) == ""


async def test_used_until_its_end(life: Life) -> None:
    """The end is the start and the duration, whatever the load took."""
    life.world.connected = [True]
    await reserve(life, 1)
    await life.skip(hours=1)
    await life.until("reserved", seconds=60)
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    await life.until("inuse", seconds=60)
    await life.skip(minutes=61)
    assert (await life.until("complete", seconds=60)).ending == "EOR"


async def test_what_starts_soon_is_loaded_at_once(life: Life) -> None:
    start = await reserve(life, 0.1)
    assert (await waits_for(life, "its start")).until == start


async def test_deleted_before_its_time(life: Life) -> None:
    """Nothing was touched and nothing is; the room is free at once."""
    await reserve(life)
    await waits_for(life, "the time")
    assert (await life.reservations.end(life.id, End())).ending == "deleted"
    view = await life.until("complete", seconds=60)
    assert (view.ending, view.computer, life.world.done) == ("deleted", "", [])
    with life.store.read() as session:
        held = reservations.tenures_held(session)
    assert held == []


async def test_a_real_cancellation_before_its_time(life: Life) -> None:
    await reserve(life)
    await waits_for(life, "the time")
    await life.handle.cancel()
    assert (await life.until("complete", seconds=60)).ending == "deleted"
    assert life.world.done == []


async def test_deleted_when_it_is_ready_before_its_start(life: Life) -> None:
    """What was made is taken back."""
    await reserve(life, 0.1)
    await waits_for(life, "its start")
    assert (await life.reservations.end(life.id, End())).ending == "deleted"
    await life.until("complete", seconds=60)
    assert life.world.done[-1] == "remove"
    assert holder(life) == ""


async def test_moved_and_extended_before_its_time(life: Life) -> None:
    """The preload goes along; the same message again changes nothing."""
    start = await reserve(life)
    message = Reschedule(start + timedelta(hours=2), intent="m1")
    assert (await life.reservations.reschedule(life.id, message)).end == start + timedelta(hours=3)
    await life.reservations.reschedule(life.id, Reschedule(start + timedelta(hours=1), intent="m2"))
    await life.reservations.reschedule(life.id, message)  # it was done before
    assert seen(life).start == start + timedelta(hours=1)
    await life.reservations.extend(life.id, Extend(start + timedelta(hours=3)))
    view = seen(life)
    assert (view.start, view.end) == (start + timedelta(hours=1), start + timedelta(hours=3))
    await life.skip(hours=5)
    assert (seen(life).state, life.world.done) == ("scheduled", [])
    await life.skip(minutes=30)
    await waits_for(life, "its start")


async def test_moves_that_are_refused(life: Life) -> None:
    """Into the past, and when it began at once; the reservation stays as it is."""
    start = await reserve(life)
    with pytest.raises(Refused, match="in the past"):
        await life.reservations.reschedule(life.id, Reschedule(start - timedelta(hours=6)))
    with pytest.raises(Refused, match="later than 730 d"):  # and adding to it would leave the calendar
        await life.reservations.reschedule(life.id, Reschedule(datetime(9999, 12, 31, 23, 30, tzinfo=UTC)))
    assert seen(life).start == start
    await life.reservations.end(life.id, End())
    with pytest.raises((Refused, NotFound), match="has ended"):
        await life.reservations.reschedule(life.id, Reschedule(start + timedelta(hours=6)))


async def test_moved_far_away_when_it_is_ready(life: Life) -> None:
    """The computer is given back, and another is taken in time."""
    start = await reserve(life, 0.1)
    await waits_for(life, "its start")
    await life.reservations.reschedule(life.id, Reschedule(start + timedelta(hours=8)))
    await waits_for(life, "the time to prepare")
    assert life.world.done[-1] == "remove"
    view = seen(life)
    assert (view.state, view.computer, holder(life)) == ("scheduled", "", "")
    await life.skip(hours=8, minutes=7)
    view = await life.until("reserved", seconds=60)
    assert view.generation == 2


KEEPING = pytest.mark.parametrize("life", [{"spare": 1800}], indirect=True)


@KEEPING
async def test_deleted_before_its_start_it_leaves_a_spare(life: Life) -> None:
    """Nobody could have logged in: it is sanitized, and the next one has it."""
    await reserve(life, 0.1)
    await waits_for(life, "its start")
    await life.reservations.end(life.id, End())
    assert (await life.until("complete")).ending == "deleted"
    assert life.world.done[-1] == "sanitize" and "remove" not in life.world.done
    life.id = new_id()
    life.world.done.clear()
    await life.ready()
    assert "vsphere.adopt" in life.world.done and "vsphere.create_vm" not in life.world.done


@KEEPING
async def test_moved_far_away_it_leaves_a_spare(life: Life) -> None:
    """The computer that it had is the next one's; it takes another in time."""
    start = await reserve(life, 0.1)
    await waits_for(life, "its start")
    await life.reservations.reschedule(life.id, Reschedule(start + timedelta(hours=8)))
    await waits_for(life, "the time to prepare")
    assert life.world.done[-1] == "sanitize" and "remove" not in life.world.done
    assert (seen(life).state, seen(life).computer, holder(life)) == ("scheduled", "", "")
    with life.store.read() as session:
        assert catalog.computer(session, "vm01").spare_until is not None
    await life.skip(hours=8, minutes=7)
    assert (await life.until("reserved")).state == "reserved"


@KEEPING
async def test_moved_far_away_and_it_can_not_be_kept(life: Life) -> None:
    """Its revision is no longer in production when it is clean: it is taken back as any other."""
    start = await reserve(life, 0.1)
    await waits_for(life, "its start")
    life.store.run(lambda s: catalog.put_image(s, replace(IMAGE, revision=2)))
    await life.reservations.reschedule(life.id, Reschedule(start + timedelta(hours=8)))
    await waits_for(life, "the time to prepare")
    assert life.world.done[-2:] == ["sanitize", "remove"]
    assert (seen(life).computer, holder(life)) == ("", "")


@KEEPING
async def test_ended_while_it_is_made_clean(life: Life) -> None:
    """Moved far away, and then deleted: taken back once, by its end."""
    start = await reserve(life, 0.1)
    await waits_for(life, "its start")
    life.world.not_yet["sanitize"] = 1
    await life.reservations.reschedule(life.id, Reschedule(start + timedelta(hours=8)))
    await waits_for(life, "vm01 to be taken back")
    await life.reservations.end(life.id, End())
    await life.skip(minutes=2)
    assert (await life.until("complete")).ending == "deleted"
    assert life.world.done[-1] == "sanitize" and "remove" not in life.world.done
    assert holder(life) == ""


async def test_moved_a_little_when_it_is_ready(life: Life) -> None:
    """It keeps its computer."""
    start = await reserve(life, 0.1)
    await waits_for(life, "its start")
    await life.reservations.reschedule(life.id, Reschedule(start + timedelta(minutes=20)))
    assert (await waits_for(life, "its start")).until == start + timedelta(minutes=20)
    await life.skip(minutes=27)
    assert (await life.until("reserved", seconds=60)).generation == 1
    assert life.world.done.count("vsphere.create_vm") == 1


async def test_a_failed_preload_is_done_again_at_the_start(life: Life) -> None:
    """What it made is taken back at once; the reason is told; at the start it is as if nothing had been."""
    life.world.fail["vsphere.power_on"] = StepFailed("esx1 refuses")
    start = await reserve(life, 1)
    await life.skip(minutes=26)
    now = await waits_for(life, "the time to prepare")
    assert "the preload failed: step 4, Power on: esx1 refuses" in now.reason
    assert (now.until, life.world.done[-1], holder(life)) == (start, "remove", "")
    assert "esx1 refuses" in seen(life).reason
    del life.world.fail["vsphere.power_on"]
    await life.skip(minutes=20)
    assert seen(life).state == "scheduled"
    await life.skip(minutes=15)
    view = await life.until("reserved", seconds=60)
    assert (view.generation, view.reason) == (2, "")


async def test_a_load_that_fails_at_the_start_too(life: Life) -> None:
    """Then it is a load like any other: another place is looked for, and an operator is asked."""
    life.world.fail["vsphere.power_on"] = StepFailed("esx1 refuses")
    await reserve(life, 1)
    await life.skip(minutes=26)
    await waits_for(life, "the time to prepare")
    await life.skip(minutes=36)
    await life.when(lambda: seen(life).word == "Needs help", 60)
    assert "esx1 refuses" in seen(life).reason
    assert seen(life).generation == 2


async def test_a_preload_under_way(life: Life) -> None:
    """A preload that is under way is shown as such, and the wait follows it."""
    life.world.hold["vsphere.copy_disk"] = threading.Event()
    await reserve(life, 1)
    await life.skip(minutes=24, seconds=58)  # no further: a step that runs keeps the clock
    await life.when(life.world.held.is_set, 60)
    assert seen(life).state == "new"
    life.world.hold["vsphere.copy_disk"].set()
    await waits_for(life, "its start")


async def test_no_computer_can_be_had_for_a_while(life: Life) -> None:
    """It says why, looks again, and takes one as soon as there is one."""
    await reserve(life, 1)
    life.world.hosts = (BROKEN,)
    await life.skip(minutes=26)
    now = await waits_for(life, "a computer")
    assert "no computer yet" in now.reason
    assert "esx1: in maintenance" in now.reason
    assert (now.word, now.then) == ("Scheduled", "it fails")
    life.world.hosts = (USABLE,)
    await life.skip(minutes=3)
    now = await waits_for(life, "its start")
    assert now.reason == ""


async def test_a_start_that_comes_late_is_credited(life: Life) -> None:
    """The fault is ours, and the time is theirs: the end moves as much; what a place that failed took counts once."""
    start = await reserve(life, 1)
    life.world.hosts = (BROKEN,)
    await life.skip(minutes=26)
    await waits_for(life, "a computer")
    await life.skip(minutes=44)
    assert seen(life).state == "scheduled"
    life.world.hosts = (USABLE,)
    life.world.fail["vsphere.power_on"] = StepFailed("esx1 refuses")
    await life.skip(minutes=2)
    await life.when(lambda: seen(life).word == "Needs help", 60)
    await life.skip(minutes=10)
    life.world.fail.clear()
    done = await life.operator.resolve(life.id, Resolve(How.RETRY))
    assert timedelta(minutes=10) <= done.end - (start + timedelta(hours=1)) < timedelta(minutes=14), "of the wait"
    view = await life.until("reserved")
    late = view.end - (start + timedelta(hours=1))
    assert timedelta(minutes=19) < late < timedelta(minutes=24), late
    assert "were lost through a fault of the lab; the end is now" in view.reason


async def test_no_computer_can_be_had_at_all(life: Life) -> None:
    """An hour after the start it fails, with the reason; nothing is left."""
    await reserve(life, 1, hours=3)
    life.world.survey_error = "the vCenter does not answer"
    await life.skip(minutes=26)
    await waits_for(life, "a computer")
    await life.skip(minutes=90)
    assert seen(life).state == "scheduled"
    await life.skip(minutes=10)
    view = await life.until("failed", seconds=60)
    assert "no computer" in view.reason
    assert "the vCenter does not answer" in view.reason
    with pytest.raises(WorkflowFailureError):
        await life.handle.result()


async def test_what_is_promised_is_not_given_away(life: Life) -> None:
    """Five identities: five for later leave none for who would stay until then, and one for who leaves before."""
    start, bob = datetime.now(UTC) + timedelta(hours=2), life.reservations.of("bob", operator=True)
    others = [ReserveRequest(new_id(), "bob", "debian-12", 3600, start=start) for n in range(5)]
    for other in others:
        await bob.reserve(other)
    try:
        with pytest.raises(Refused, match="no identity"):
            await life.reserve(hours=2)
        life.id = new_id()
        await life.reserve(hours=1)
    finally:
        for other in others:
            await bob.end(other.id, End())


async def test_terminated_before_its_time(life: Life) -> None:
    """As the reconciler does it: ended, the room free, and no machine to take back."""
    await reserve(life)
    await life.handle.terminate("by an operator")
    await life.client.execute_workflow("Reclaim", {"reservation": life.id}, id=f"reclaim-{life.id}", task_queue=QUEUE)
    view = await life.until("failed", seconds=60)
    assert view.reason == "its workflow was terminated or lost"
    assert life.world.done == []


async def test_trouble_when_a_preload_is_taken_back(life: Life) -> None:
    """Taking back goes on until it is done; deleted meanwhile, it ends."""
    life.world.fail["vsphere.power_on"] = StepFailed("esx1 refuses")
    life.world.fail["remove"] = Unreachable("the vCenter does not answer")
    await reserve(life, 1)
    await life.skip(minutes=26)
    await waits_for(life, "vm01 to be taken back")
    assert (await life.reservations.end(life.id, End())).ending == "deleted"
    del life.world.fail["remove"]
    await life.skip(minutes=2)
    assert (await life.until("complete", seconds=60)).ending == "deleted"
    assert holder(life) == ""


async def test_the_usual_load_makes_the_preload_earlier(life: Life) -> None:
    """35 minutes, or the usual load time and ten more."""
    target = target_of(reservation=life.id, image="debian-12")
    now = datetime.now(UTC)
    step = StepInput("vsphere.copy_disk", "Copy", target, Facts(), 1, 1)
    start = await reserve(life)  # the log refers to it
    life.store.run(lambda s: load_log.started(s, step, 1, now - timedelta(minutes=50)))
    life.store.run(lambda s: load_log.ended(s, step, 1, load_log.DONE, "", now))
    await life.reservations.reschedule(life.id, Reschedule(start + timedelta(hours=1)))
    view = seen(life)
    assert view.preload_at is not None
    assert view.start - view.preload_at == timedelta(minutes=60)
    with life.store.read() as session:
        assert tenures.current(session, "vm01") is None
        assert catalog.computer(session, "vm01").state is ComputerState.AVAILABLE
