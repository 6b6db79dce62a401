"""Computers that nobody has are checked: what is found of them, and what follows."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowFailureError, WorkflowHandle

from tests.histories.lives.acts import doing
from tests.histories.lives.catalog import life as lived
from tests.histories.lives.computers import on_metal
from tests.workflows.conftest import Life, add_lab_machine
from tests.workflows.test_computer_checks import begin, change, never
from tests.workflows.test_load_workflow import Metal, after_use
from vclab.fake_world import Failure
from vclab.model.catalog import AfterUse
from vclab.model.errors import Unreachable
from vclab.model.messages import check_workflow
from vclab.store import locks

METAL1 = check_workflow("metal1")


async def ended(life: Life, computer: str = "metal1") -> None:
    """Check it, and wait until that is over."""
    await (await begin(life, computer)).result()


async def _tells(handle: WorkflowHandle[Any, str]) -> bool:
    """An activity is under way that lasts, and tells how far it is."""
    now = (await handle.describe()).raw_description
    return any(each.HasField("heartbeat_details") for each in now.pending_activities)


async def loaded(life: Metal) -> None:
    """It holds an image, and nobody has it."""
    await life.load(image="os", by_hand=True)


@on_metal("check")
async def all_well(life: Metal) -> str:
    """Its power, and what is inside, are as they should be."""
    await loaded(life)
    await ended(life)
    return METAL1


@on_metal("check-refused")
async def not_idle(life: Metal) -> str:
    """Nothing is known of what it holds: nothing is looked at."""
    await ended(life)
    return METAL1


@on_metal("check-switched-on")
async def off(life: Metal) -> str:
    """It is off, is switched on, and answers."""
    await loaded(life)
    change(life, powered_on_at=0.0)
    await ended(life)
    assert life.is_on()
    return METAL1


@on_metal("check-not-switched-on")
async def off_for_good(life: Metal) -> str:
    """It is off, and can't be switched on."""
    await loaded(life)
    change(life, powered_on_at=0.0)
    never(life, "power_on")
    await ended(life)
    return METAL1


@on_metal("check-dead")
async def on_and_dead(life: Metal) -> str:
    """It is switched on, and never answers."""
    await loaded(life)
    change(life, powered_on_at=0.0)
    life.behaves(failures={"health": Failure("unreachable", times=100_000, text="it does not answer")})
    handle = await begin(life)
    await doing(life, "await_computer", handle)
    await life.skipper.fast_forward(handle, timedelta(minutes=11))
    await handle.result()
    assert life.computer().check_repair == "reload"
    return METAL1


@on_metal("check-off")
async def off_as_it_may_be(life: Metal) -> str:
    """It was switched off since nobody needs it: only its power is asked for, and that can't be told."""
    await loaded(life)
    after_use(life, AfterUse.OFF)
    change(life, powered_on_at=0.0)
    life.store.run(lambda s: setattr(locks.computer(s, "metal1"), "off_since", life.computer().checked_at))

    def unreachable(target: object) -> str:
        raise Unreachable("its BMC does not answer")

    life.module.power_status = unreachable  # type: ignore[method-assign]
    await ended(life)
    return METAL1


@lived("check-by-hand")
async def not_to_be_switched(life: Life) -> str:
    """A lab machine of which nothing is known that could switch it."""
    add_lab_machine(life)
    life.store.run(lambda s: setattr(locks.computer(s, "lab01"), "host_key", "ssh-ed25519 AAAA"))
    await ended(life, "lab01")
    return check_workflow("lab01")


@on_metal("check-cancelled")
async def cancelled_while_it_is_looked_at(life: Metal) -> str:
    """`workflow cancel` in the middle of the look."""
    await loaded(life)
    life.behaves(delays={"health": 300.0})
    handle = await begin(life)
    await doing(life, "look_at_computer", handle)
    await handle.cancel()
    with suppress(WorkflowFailureError):
        await handle.result()
    return METAL1


@on_metal("check-cancelled-switching")
async def cancelled_while_it_is_switched_on(life: Metal) -> str:
    """`workflow cancel` while it is switched on."""
    await loaded(life)
    change(life, powered_on_at=0.0)
    life.behaves(delays={"power_on": 300.0})
    handle = await begin(life)
    async with asyncio.timeout(60):
        while not await _tells(handle):
            await asyncio.sleep(0.05)
    await handle.cancel()
    with suppress(WorkflowFailureError):
        await handle.result()
    return METAL1
