"""A computer is switched by hand: one that accepts SSH is on, one that does not is woken."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from temporalio.client import WorkflowHandle

from tests.histories.lives.catalog import life as lived
from tests.workflows.conftest import Life, add_lab_machine
from vclab.model.errors import Refused
from vclab.model.messages import power_workflow
from vclab.model.power import PowerAddress, PowerSeen, PowerVerb, Switch
from vclab.store import power, tenures

LAB01 = power_workflow("lab01")


def switched_at(life: Life, port: int) -> None:
    """There is a lab machine that is woken, and is on when it accepts a connection."""
    add_lab_machine(life)
    address = PowerAddress(f"wol://02-76-63-99-00-08@127.0.0.1:{port}/127.0.0.1:9")
    life.store.run(lambda s: power.set_address(s, "lab01", address))


@contextmanager
def listening() -> Iterator[int]:
    """Somebody accepts connections at this port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def is_free(life: Life) -> bool:
    with life.store.read() as session:
        return tenures.current(session, "lab01") is None


@lived("power")
async def one_that_is_on(life: Life) -> str:
    """It is on, and stays so."""
    with listening() as port:
        switched_at(life, port)
        assert await life.operator.switch(Switch("lab01", PowerVerb.ON)) == PowerSeen("on")
    assert is_free(life)
    return LAB01


@lived("power-status")
async def one_that_is_asked(life: Life) -> str:
    """Nobody holds it for that."""
    with listening() as port:
        switched_at(life, port)
        assert (await life.operator.switch(Switch("lab01", PowerVerb.STATUS))).power == "on"
    return LAB01


@lived("power-refused")
async def one_that_can_not_be_switched(life: Life) -> str:
    """Nothing says where."""
    add_lab_machine(life)
    with pytest.raises(Refused, match="nothing is known that could change the power of lab01"):
        await life.operator.switch(Switch("lab01", PowerVerb.ON))
    return LAB01


@lived("power-failed")
async def one_that_has_no_such_thing(life: Life) -> str:
    """It can't be reset; it is free again."""
    switched_at(life, 9)
    with pytest.raises(Refused, match="lab01 has no reset: its power is wol"):
        await life.operator.switch(Switch("lab01", PowerVerb.RESET))
    assert is_free(life)
    return LAB01


@lived("power-cancelled")
async def one_that_is_cancelled(life: Life) -> str:
    """It does not wake up, and is not waited for any more."""
    switched_at(life, 9)
    asking = asyncio.ensure_future(life.operator.switch(Switch("lab01", PowerVerb.ON)))
    await life.when(lambda: not is_free(life))
    handle: WorkflowHandle[object, object] = life.client.get_workflow_handle(LAB01)
    async with asyncio.timeout(30):
        while not (await handle.describe()).raw_description.pending_activities:
            await asyncio.sleep(0.02)
    await handle.cancel()
    with pytest.raises(Refused, match="it was cancelled"):
        await asking
    assert is_free(life)
    return LAB01
