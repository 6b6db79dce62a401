"""The hardware of a computer is read, by whoever asks for it; its power is put back as it was."""

from tests.histories.lives.acts import doing
from tests.histories.lives.computers import ended, on_metal
from tests.workflows.test_load_workflow import Metal
from vclab.model.messages import Inspect, inspection_workflow

METAL1 = inspection_workflow("metal1")


async def inspected(life: Metal, accept: bool = False) -> str:
    """One inspection, to its end."""
    await life.operator.inspect(Inspect("metal1", accept))
    await ended(life, METAL1)
    return METAL1


@on_metal("inspection")
async def one_that_is_on(life: Metal) -> str:
    """It holds an image and is on, and is so again."""
    await life.load(image="os", by_hand=True)
    return await inspected(life)


@on_metal("inspection-off")
async def one_that_is_off(life: Metal) -> str:
    """Nothing was ever loaded on it; it is off again."""
    return await inspected(life)


@on_metal("inspection-refused")
async def one_that_is_held(life: Metal) -> str:
    """Somebody has it."""
    await life.ready()
    return await inspected(life)


@on_metal("inspection-failed")
async def one_that_can_not_be_read(life: Metal) -> str:
    """A step fails for good: evidence is kept, and its power put back."""
    life.fails("fake-metal.inspect")
    return await inspected(life)


@on_metal("inspection-not-back")
async def one_that_can_not_be_switched_back(life: Metal) -> str:
    """What it is is known, but not what it runs now."""
    life.fails("fake-metal.off_again")
    return await inspected(life)


@on_metal("inspection-cancelled")
async def one_that_is_cancelled(life: Metal) -> str:
    """`workflow cancel` in the middle of a step: its power is put back all the same."""
    life.behaves(delays={"fake-metal.inspect": 300.0})
    await life.operator.inspect(Inspect("metal1"))
    handle = life.client.get_workflow_handle(METAL1)
    await doing(life, "fake-metal.inspect", handle)
    await handle.cancel()
    await ended(life, METAL1)
    return METAL1
