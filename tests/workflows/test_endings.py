"""Every ending of a reservation, and what is left behind, on a real server whose clock is skipped."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowFailureError

from tests.workflows.conftest import Life, add_lab_machine
from vclab.model.catalog import User
from vclab.model.errors import Refused, StepFailed, Unreachable
from vclab.model.inventory import HostFacts
from vclab.model.messages import Acknowledge, End, Extend, Reboot
from vclab.model.states import ComputerState
from vclab.store import catalog, tenures

END = End()


def assert_taken_back(life: Life, computer: str) -> None:
    """Nothing holds the computer, and its removal came last."""
    assert life.world.done[-1] == "remove"
    with life.store.read() as session:
        assert tenures.current(session, computer) is None


async def test_a_whole_life_to_its_end(life: Life) -> None:
    """Loaded in order, let in, told twice, ended at its end, taken back."""
    await life.in_use(hours=1)
    view = life.view()
    assert view is not None
    assert (view.computer, view.host, view.public_address) == ("vm01", "esx1", "203.0.113.9")
    assert view.connected
    assert life.world.granted == [("203.0.113.101",)]
    await life.skip(minutes=45)
    assert life.world.notices == []
    await life.skip(minutes=16)
    view = await life.until("complete")
    assert view.ending == "EOR"
    assert ["10 min" in life.world.notices[0], "5 min" in life.world.notices[1]] == [True, True]
    assert len(life.world.notices) == 2
    assert life.world.done.index("taint") > life.world.done.index("grant_access")
    assert_taken_back(life, view.computer)


async def test_nobody_presses_connect(life: Life) -> None:
    """noack after 900 s, and not before."""
    await life.ready()
    await life.skip(seconds=890)
    assert (await life.until("reserved")).ending is None
    await life.skip(seconds=20)
    view = await life.until("complete")
    assert view.ending == "noack"
    assert "grant_access" not in life.world.done
    assert_taken_back(life, view.computer)


async def test_nobody_connects(life: Life) -> None:
    """nologin 900 s after Connect."""
    await life.ready()
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    await life.skip(seconds=930)
    view = await life.until("complete")
    assert view.ending == "nologin"
    assert_taken_back(life, view.computer)


async def test_the_first_connection_after_some_looks(life: Life) -> None:
    """A look every 15 s until the user is there."""
    await life.ready()
    life.world.connected = [False, False, False, True]
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    await life.skip(seconds=60)
    assert (await life.until("inuse")).connected


async def test_deleted_before_and_released_after_connect(life: Life) -> None:
    """The ending tells which."""
    await life.ready()
    done = await life.reservations.end(life.id, END)
    assert done.ending == "deleted"
    assert (await life.until("complete")).ending == "deleted"


async def test_released_by_an_operator(life: Life) -> None:
    """After Connect; ending it again changes nothing."""
    await life.in_use()
    assert (await life.operator.end(life.id, End())).ending == "released"
    view = await life.until("complete")
    assert (view.ending, view.reason) == ("released", "ended by olga")


async def test_deleted_while_a_step_runs(life: Life) -> None:
    """The user's view ends at once; the step is stopped and waited for before the computer is taken back."""
    life.world.hold["vsphere.copy_disk"] = threading.Event()
    await life.reserve()
    await life.when(life.world.held.is_set)
    assert (await life.reservations.end(life.id, END)).ending == "deleted"
    view = life.view()
    assert view is not None
    assert view.word == "Ended"
    view = await life.until("complete")
    assert life.world.done[-2:] == ["vsphere.copy_disk stopped", "remove"]
    assert_taken_back(life, view.computer)


async def test_a_real_cancellation_reclaims_too(life: Life) -> None:
    """`temporal workflow cancel` in the middle of a step."""
    life.world.hold["vsphere.copy_disk"] = threading.Event()
    await life.reserve()
    await life.when(life.world.held.is_set)
    await life.handle.cancel()
    view = await life.until("complete")
    assert view.ending == "deleted"
    assert life.world.done[-2:] == ["vsphere.copy_disk stopped", "remove"]


async def test_a_real_cancellation_while_it_is_taken_back(life: Life) -> None:
    """It is taken back all the same, and its ending stays."""
    await life.ready()
    life.world.fail["remove"] = Unreachable("the vCenter is away")
    await life.reservations.end(life.id, END)
    await life.settled()
    await life.handle.cancel()
    await life.settled()
    del life.world.fail["remove"]
    assert (await life.until("complete")).ending == "deleted"
    assert_taken_back(life, "vm01")
    await life.handle.result()  # raises when it ends as cancelled


AT_ONCE = {"help": 0}
"""A failed step is a failed reservation: what sites can choose, and all there was at first."""


@pytest.mark.parametrize("life", [AT_ONCE], indirect=True)
async def test_a_step_that_fails_for_good(life: Life) -> None:
    """The reason names the step and the cause; the workflow shows as failed; the computer is taken back."""
    life.world.fail["vsphere.power_on"] = StepFailed("esx1 refuses: InsufficientResourcesFault")
    await life.reserve()
    view = await life.until("failed")
    assert view.ending == "failed"
    assert "Power on" in view.reason
    assert "esx1 refuses" in view.reason
    assert_taken_back(life, view.computer)
    with pytest.raises(WorkflowFailureError):
        await life.handle.result()


@pytest.mark.parametrize("life", [AT_ONCE], indirect=True)
async def test_a_guest_that_never_answers(life: Life) -> None:
    """The step is given up at its ceiling, with what it last saw."""
    life.world.not_yet["linux.wait_ssh"] = 10_000
    await life.reserve()
    await life.until("new")
    await life.skip(minutes=30)
    view = await life.until("failed")
    assert "Wait for SSH" in view.reason
    assert "not yet" in view.reason


async def test_trouble_in_reclaim_never_changes_the_ending(life: Life) -> None:
    """Taking back is tried for ever."""
    await life.ready()
    life.world.fail["remove"] = Unreachable("the vCenter does not answer")
    await life.reservations.end(life.id, END)
    await life.skip(hours=3)
    assert (await life.until("reclaim")).ending == "deleted"
    del life.world.fail["remove"]
    await life.skip(minutes=2)
    assert (await life.until("complete")).ending == "deleted"


async def test_a_lab_machine_that_is_not_clean_goes_into_maintenance(life: Life) -> None:
    """The ending stays; its row says why, and nobody holds it."""
    add_lab_machine(life)
    await life.reserve(image="lab-debian")
    await life.until("reserved")
    life.world.fail["remove"] = StepFailed("lab01 is not clean: file /var/tmp/x of alice stays")
    await life.reservations.end(life.id, END)
    assert (await life.until("complete")).ending == "deleted"
    with life.store.read() as session:
        computer = catalog.computer(session, "lab01")
    assert (computer.state, computer.holder) == (ComputerState.MAINTENANCE, "")
    assert computer.why_out_of_service == f"after {life.id}: lab01 is not clean: file /var/tmp/x of alice stays"


async def test_disconnected_for_too_long(life: Life) -> None:
    """timeout: 900 s after the look that saw nobody."""
    await life.in_use(hours=3)
    life.world.connected = [False]
    await life.skip(minutes=22)
    assert (await life.until("complete")).ending == "timeout"


async def test_a_computer_that_cannot_be_looked_at_is_not_disconnected(life: Life) -> None:
    """In use, no fault of ours ends it: not before its end."""
    await life.in_use(hours=2)
    life.world.look_error = Unreachable("no route to host")
    await life.skip(minutes=100)
    assert (await life.until("inuse")).ending is None
    await life.skip(minutes=25)
    assert (await life.until("complete")).ending == "EOR"


async def test_a_day_is_not_timed_out(life: Life) -> None:
    """Reservations of 24 h and more need no connection (VCL ignore_connections_gte)."""
    await life.reserve(25, operator=True)
    await life.until("reserved")
    life.world.connected = [True, False]
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    await life.until("inuse")
    await life.skip(minutes=30)
    assert (await life.until("inuse")).ending is None


async def test_refused_names_every_host(life: Life) -> None:
    """Nothing is kept of a request that has no place."""
    life.world.hosts = (
        HostFacts("esx1", 16, 512, datastores=("ds1",)),
        HostFacts("esx2", 16, 16384, usable=False, why_not="in maintenance", datastores=("ds1",)),
    )
    with pytest.raises(Refused) as refused:
        await life.reserve()
    assert "esx1" in str(refused.value)
    assert "MiB memory" in str(refused.value)
    assert "esx2" in str(refused.value)
    assert "in maintenance" in str(refused.value)
    assert life.view() is None


async def test_extended(life: Life) -> None:
    """The end moves, the notices with it; the same message again changes nothing."""
    await life.in_use(hours=1)
    view = life.view()
    assert view is not None
    message = Extend(view.end + timedelta(hours=1), intent="x1")
    assert (await life.reservations.extend(life.id, message)).end == message.end
    assert (await life.reservations.extend(life.id, message)).end == message.end
    await life.skip(minutes=61)
    assert (await life.until("inuse")).end == message.end
    assert life.world.notices == []
    await life.skip(minutes=61)
    assert (await life.until("complete")).ending == "EOR"


async def test_extended_past_the_limit(life: Life) -> None:
    """Refused, with the latest end that is possible."""
    life.store.run(lambda s: catalog.put_user(s, User("alice", 20001, zone="Europe/Berlin")))
    await life.in_use(hours=1)
    for far in (datetime.now(UTC) + timedelta(hours=20), datetime(9999, 12, 31, 23, 30, tzinfo=UTC)):
        with pytest.raises(Refused, match="latest"):  # the second has no date in the user's zone
            await life.reservations.extend(life.id, Extend(far))
    assert (await life.until("inuse")).ending is None


@pytest.mark.parametrize(
    "args",
    [
        *([], ["1h", "2h"], [17], [None], ["soon"], [{"by": 3}], [{"to": "tomorrow"}], [["1h"]], [{}]),
        [{"to": "9999-12-31T23:59:59-01:00"}],  # no date in UTC
        [{"to": "0001-01-01T00:00:00+01:00"}],
    ],
)
async def test_a_bad_extend_signal_leaves_the_reservation_well(life: Life, args: list[object]) -> None:
    """A signal that can't be read is told, and harms nothing."""
    await life.in_use(hours=1)
    before = life.view()
    await life.handle.signal("extend", args=args)
    await life.when(lambda: bool(getattr(life.view(), "reason", "")))
    status = await life.reservations.status(life.id)
    assert "extend refused" in status.reason
    after = life.view()
    assert before is not None
    assert after is not None
    assert (after.state, after.end) == (before.state, before.end)
    await life.handle.signal("extend", "30m")
    done = await life.reservations.end(life.id, END)
    assert done.end == before.end + timedelta(minutes=30)


async def test_an_operators_cancel_signal(life: Life) -> None:
    """Whatever is sent along."""
    await life.in_use()
    await life.handle.signal("cancel", args=["because", {"x": 1}])
    assert (await life.until("complete")).ending == "released"


async def test_a_second_address_is_added(life: Life) -> None:
    """In use; the first one stays. One that can't be let in ends nothing."""
    await life.in_use()
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.102"))
    await life.when(lambda: len(life.world.granted) == 2)
    assert life.world.granted[-1] == ("203.0.113.101", "203.0.113.102")


async def test_connect_before_ready(life: Life) -> None:
    """Refused in the user's words."""
    life.world.hold["vsphere.copy_disk"] = threading.Event()
    await life.reserve()
    await life.when(life.world.held.is_set)
    with pytest.raises(Refused, match=r"not ready yet: Preparing \(2/8\)"):
        await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    status = await life.reservations.status(life.id)
    assert (status.step, status.steps, status.waits_for) == (2, 8, "Copy the image's disk")
    life.world.hold["vsphere.copy_disk"].set()
    await life.until("reserved")


async def test_an_address_that_cannot_be_let_in_ends_nothing(life: Life) -> None:
    """Nonsense is refused at once; what the computer refuses is told."""
    await life.ready()
    with pytest.raises(Refused, match="is not an IP address"):
        await life.reservations.acknowledge(life.id, Acknowledge("banana; rm -rf /"))
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    await life.when(lambda: len(life.world.granted) == 1)
    life.world.fail["grant_access"] = StepFailed("that prefix is too wide")
    await life.reservations.acknowledge(life.id, Acknowledge("0.0.0.0/0"))
    life.world.connected = [True]
    await life.skip(seconds=30)
    await life.until("inuse")
    assert "too wide" in (await life.reservations.status(life.id)).reason


async def test_the_same_id_twice_is_one_reservation(life: Life) -> None:
    """The id is the idempotency key, also after the end."""
    await life.reserve()
    await life.reserve()
    await life.until("reserved")
    await life.reservations.end(life.id, END)
    await life.until("complete")
    await life.when(lambda: life.world.done.count("vsphere.create_vm") == 1)
    await life.handle.result()
    with pytest.raises(Refused, match="ended already"):
        await life.reserve()


async def test_a_restart_by_the_user(life: Life) -> None:
    """Softly; the reservation goes on with what the computer is now."""
    await life.in_use()
    await life.reservations.reboot(life.id, Reboot())
    await life.when(lambda: "reboot" in life.world.done)
    await life.skip(seconds=30)
    await life.when(lambda: "wait" not in (life.world.done[-1]))
    view = await life.until("inuse")
    assert view.ending is None
    assert "power_reset" not in life.world.done


async def test_a_restart_that_fails_falls_back_to_force(life: Life) -> None:
    """And when even that fails, the user keeps the reservation."""
    await life.in_use(hours=2)
    life.world.fail["reboot"] = StepFailed("shutdown: command not found")
    await life.reservations.reboot(life.id, Reboot())
    await life.when(lambda: "power_reset" in life.world.done)
    life.world.fail["power_reset"] = StepFailed("the host refuses")
    await life.skip(seconds=30)
    await life.reservations.reboot(life.id, Reboot(hard=True))
    for _ in range(200):
        if "restart failed" in (await life.reservations.status(life.id)).reason:
            break
        await life.skip(seconds=1)
    assert "the host refuses" in (await life.reservations.status(life.id)).reason
    assert (await life.until("inuse")).ending is None


async def test_only_what_was_connected_to_is_restarted(life: Life) -> None:
    """Refused before Connect."""
    await life.ready()
    with pytest.raises(Refused, match="connected"):
        await life.reservations.reboot(life.id, Reboot())


async def test_a_long_reservation_is_told_days_before(life: Life) -> None:
    """Two days before the end; not a week, which was never left."""
    life.world.connected = [True]
    await life.reserve(49, operator=True)
    await life.until("reserved")
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    await life.until("inuse")
    await life.skip(hours=2)
    assert len(life.world.notices) == 1
    assert "2 d" in life.world.notices[0]
    status = life.view()
    assert status is not None
    assert status.word == "In use"
