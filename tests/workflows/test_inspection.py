"""An operator has the hardware of a computer read: what becomes the record, what differs, and what it is afterwards."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.workflows.test_load_workflow import Metal, living_on_metal
from vclab.fake_world import Failure
from vclab.model.errors import Refused
from vclab.model.inspections import Inspected
from vclab.model.messages import Inspect, Reload, inspection_workflow
from vclab.model.plans import lasting_uuid
from vclab.model.states import ComputerState
from vclab.store import catalog, tenures

DISK = {"path": "/dev/sda", "size": 480 * 10**9, "serial": "metal1-disk"}
STEPS = ["fake-metal.boot_imaging", "fake-metal.inspect"]


@pytest.fixture
async def life(time_client: Client, tmp_path: Path) -> AsyncIterator[Metal]:
    """A life on one pretended computer."""
    async with living_on_metal(time_client, tmp_path, {}) as life:
        yield life


async def inspect(life: Metal, accept: bool = False) -> Inspected:
    """Ask for it, and wait."""
    await life.operator.inspect(Inspect("metal1", accept))
    return await found(life)


async def found(life: Metal) -> Inspected:
    """Wait for what the one that runs finds. Raises why it finds nothing."""
    async with asyncio.timeout(60):
        while (answer := await life.reservations.inspected("metal1")) is None:
            await asyncio.sleep(0.02)
    return answer


def is_on(life: Metal) -> bool:
    machine = life.metal.find(lasting_uuid("vclab", "metal1"))
    return machine is not None and machine.on


async def test_the_first_report_is_the_record_and_its_power_is_as_it_was(life: Metal) -> None:
    await life.load(image="os", by_hand=True)
    before = life.computer()
    first = await inspect(life)
    assert json.loads(first.hardware)["disks"][0]["serial"] == "metal1-disk"
    assert (first.recorded, first.differences, first.out_of_service) == (True, (), "")
    assert life.steps(inspection_workflow("metal1")) == [*STEPS, "fake-metal.on_again"]
    assert is_on(life)
    after = life.computer()
    assert (after.image, after.state, after.holder) == (before.image, before.state, "")
    again = await inspect(life)
    assert (again.recorded, again.differences) == (False, ())


async def test_what_differs_is_told_and_becomes_the_record_when_it_is_accepted(life: Metal) -> None:
    await inspect(life)
    life.behaves(hardware={"metal1": {"memory_mib": 32768}})
    larger = "it has 32768 MiB of memory, recorded are 16384 MiB"
    more = await inspect(life)
    assert (more.differences, more.recorded, more.out_of_service) == ((larger,), False, "")
    accepted = await inspect(life, accept=True)
    assert (accepted.differences, accepted.recorded) == ((larger,), True)
    assert (await inspect(life)).differences == ()
    assert life.computer().state is ComputerState.AVAILABLE


async def test_one_that_has_less_goes_into_maintenance_until_that_is_accepted(life: Metal) -> None:
    await inspect(life)
    life.behaves(hardware={"metal1": {"cpus": 4, "disks": [DISK, {**DISK, "path": "/dev/sdb", "serial": "new"}]}})
    less = await inspect(life)
    assert less.out_of_service == "it has 4 CPUs, recorded are 8"
    assert [text.split(" (")[0] for text in less.differences] == [less.out_of_service, "the disk /dev/sdb"]
    computer = life.computer()
    assert (computer.state, computer.why_out_of_service) == (ComputerState.MAINTENANCE, less.out_of_service)
    accepted = await inspect(life, accept=True)
    assert accepted.recorded and not accepted.out_of_service
    assert life.computer().state is ComputerState.MAINTENANCE, "an operator returns it to service"


async def test_one_that_can_not_be_read_stays_as_it_is(life: Metal) -> None:
    life.fails("fake-metal.inspect")
    with pytest.raises(Refused, match="metal1: step 2, Read its hardware: the disk is broken"):
        await inspect(life)
    assert life.steps(inspection_workflow("metal1")) == [STEPS[0], "fake-metal.off_again"]
    computer = life.computer()
    assert (computer.state, computer.holder, is_on(life)) == (ComputerState.AVAILABLE, "", False)


async def test_one_that_is_not_switched_back_goes_out_of_service_and_is_loaded_anew(life: Metal) -> None:
    await life.load(image="os", by_hand=True)
    life.fails("fake-metal.on_again")
    answer = await inspect(life)
    why = "after its inspection it could not be switched back: Undo: Start the imaging environment: the disk is broken"
    assert answer.recorded and answer.out_of_service == why
    computer = life.computer()
    assert (computer.state, computer.image, computer.why_out_of_service) == (ComputerState.MAINTENANCE, "", why)


async def test_one_that_is_held_is_not_touched(life: Metal) -> None:
    await life.ready()
    with pytest.raises(Refused, match=f"metal1 is held by {life.id}"):
        await inspect(life)
    assert is_on(life) and life.computer().holder == life.id


async def test_it_is_not_the_load_that_is_repeated(life: Metal) -> None:
    """What was loaded last is what is loaded again, though an inspection came after it."""
    await life.load(image="os", by_hand=True)
    await inspect(life)
    await life.reservations.reload(await life.operator.by_hand(Reload("metal1")))
    assert (await life.loaded()).image == "os"


async def test_two_at_once(life: Metal) -> None:
    """The second one is refused while the first one runs, and its computer is given to nobody meanwhile."""
    life.behaves(delays={"fake-metal.inspect": 300.0})
    await life.operator.inspect(Inspect("metal1"))
    with pytest.raises(Refused, match="metal1 is being inspected already"):
        await life.operator.inspect(Inspect("metal1"))
    await life.when(lambda: life.computer().holder == inspection_workflow("metal1"))
    with pytest.raises(Refused, match="inspection-metal1"):
        await life.reserve()
    life.behaves(delays={})
    await life.client.get_workflow_handle(inspection_workflow("metal1")).cancel()
    with pytest.raises(Refused, match="it was cancelled"):
        await found(life)
    with life.store.read() as session:
        assert tenures.current(session, "metal1") is None


async def test_one_that_a_load_finds_otherwise_goes_out_of_service_and_another_one_is_loaded(life: Metal) -> None:
    """As bare metal's ``find_disk`` fails: that speaks against the computer, and not against the image."""
    life.store.run(lambda s: catalog.put_lab_computer(s, "metal2", endpoint="room", address="10.77.0.32"))
    other = "it is not as it is recorded: it has 4 CPUs, recorded are 8"
    life.behaves(failures={"fake-metal.deploy": Failure("failed", times=1, text=other)})
    await life.ready()
    view = life.view()
    assert view is not None and view.computer in ("metal1", "metal2")
    found = life.computer({"metal1": "metal2", "metal2": "metal1"}[view.computer])
    why = f"after {life.id}: its load failed at fake-metal.deploy: {other}"
    assert (found.state, found.why_out_of_service, found.holder) == (ComputerState.MAINTENANCE, why, "")
    assert life.computer(view.computer).state is not ComputerState.MAINTENANCE


async def test_one_that_takes_too_long_is_switched_back_all_the_same(time_client: Client, tmp_path: Path) -> None:
    """What puts it back has time of its own."""
    async with living_on_metal(time_client, tmp_path, {"load_ceiling": 3}) as life:
        life.behaves(delays={"fake-metal.inspect": 300.0, "fake-metal.off_again": 1.5})
        with pytest.raises(Refused, match=r"Read its hardware: .*the load as a whole has reached its ceiling"):
            await inspect(life)
        assert life.computer().state is ComputerState.AVAILABLE
