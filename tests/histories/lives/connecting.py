"""Ready: Connect, the first connection, and those who never come."""

import asyncio
from datetime import UTC, datetime

from tests.histories.lives.acts import (
    AWAY,
    HOME,
    OFFICE,
    TRAIN,
    busy,
    cancel,
    connect,
    doing,
    end,
    extend,
    over,
    ready,
    says,
    waits_for,
)
from tests.histories.lives.catalog import life as lived
from tests.workflows.conftest import Life
from vclab.model.errors import StepFailed, Unreachable
from vclab.model.messages import Acknowledge
from vclab.store import tenures


@lived("noack")
async def nobody_presses_connect(life: Life) -> None:
    """Nobody presses Connect in time."""
    await ready(life)
    await life.skip(minutes=18)
    await over(life)


@lived("EOR-unconnected", acknowledge=7200)
async def the_end_comes_before_connect(life: Life) -> None:
    """The end comes while Connect is waited for; it was extended meanwhile."""
    await ready(life)
    await extend(life, minutes=30)
    await life.skip(minutes=95)
    await over(life)


@lived("cancelled-ready")
async def cancelled_before_connect(life: Life) -> None:
    """`workflow cancel` while Connect is waited for."""
    await ready(life)
    await cancel(life)


@lived("nologin")
async def nobody_connects(life: Life) -> None:
    """Connect is pressed, and nobody connects in time."""
    await ready(life)
    await connect(life)
    await life.skip(minutes=18)
    await over(life)


@lived("nologin-unseen")
async def it_cannot_be_looked_at_before_the_first_connection(life: Life) -> None:
    """The computer can't be looked at when the time is over: the wait begins anew when it can; then nobody comes."""
    await ready(life, 4)
    await connect(life)
    life.world.look_error = AWAY
    await life.skip(minutes=20)
    await connect(life, HOME)
    life.world.look_error = None
    await life.skip(minutes=1)
    await waits_for(life, "the first connection")
    await life.skip(minutes=17)
    await over(life)


@lived("nologin-kept-look", looks={"kept": True}, first_connection=2, first_connection_look=0.2)
async def a_look_that_is_kept_cannot_see(life: Life) -> None:
    """As before, with a look that the worker keeps: its last heartbeat says that the computer can't be looked at."""
    await life.ready()
    life.world.look_error = AWAY
    await life.reservations.acknowledge(life.id, Acknowledge(OFFICE))
    async with asyncio.timeout(60):
        while "can't be looked at" not in (await life.reservations.status(life.id)).reason:
            await asyncio.sleep(0.05)
    life.world.look_error = None
    await over(life)


@lived("nologin-last-look")
async def the_last_look_cannot_look(life: Life) -> None:
    """It can't be looked at just at the last look: that is no word on who is there."""
    await ready(life, 4)
    await connect(life)
    await life.skip(minutes=14)
    life.world.look_error = AWAY
    await life.skip(minutes=3)
    life.world.look_error = None
    await life.skip(minutes=18)
    await over(life)


@lived("EOR-unseen")
async def it_is_never_seen_again(life: Life) -> None:
    """A computer that can't be looked at before the first connection, until the end."""
    await ready(life, 0.5)
    await connect(life)
    life.world.look_error = AWAY
    await life.skip(minutes=20)
    await life.skip(minutes=15)
    await over(life)


@lived("EOR-no-login", first_connection=7200, first_connection_look=600)
async def the_end_comes_before_the_first_connection(life: Life) -> None:
    """The end comes while the first connection is waited for."""
    await ready(life)
    await connect(life)
    await life.skip(minutes=65)
    await over(life)


@lived("released-connecting")
async def released_before_the_first_connection(life: Life) -> None:
    """A second address is let in before the first connection; then it is ended."""
    await ready(life)
    await connect(life)
    await connect(life, HOME)
    await end(life)


@lived("cancelled-connecting")
async def cancelled_before_the_first_connection(life: Life) -> None:
    """`workflow cancel` while the first connection is waited for."""
    await ready(life)
    await connect(life)
    await cancel(life)


@lived("released-visited")
async def the_first_connection_while_nobody_looked(life: Life) -> None:
    """Somebody came and went while nobody looked: the last look sees it, and it is in use."""
    await ready(life, 4)
    await connect(life)
    life.world.visit = 300
    await life.skip(minutes=18)
    await life.until("inuse")
    life.world.visit = None
    await end(life)


@lived("nologin-mistaken")
async def the_looks_fail_by_a_mistake(life: Life) -> None:
    """The last look is tried again and again; another address is let in meanwhile."""
    await ready(life, 4)
    await connect(life)
    life.world.look_error = ZeroDivisionError("a mistake")
    await life.skip(minutes=17)
    await doing(life, "last_look")
    await connect(life, HOME)
    life.world.look_error = None
    await life.skip(minutes=18)
    await over(life)


@lived("failed-unseen")
async def it_is_seen_and_is_another(life: Life) -> None:
    """It could not be looked at before the first connection, and is another computer when it can: that has failed."""
    await ready(life, 4)
    await connect(life)
    life.world.look_error = AWAY
    await life.skip(minutes=20)
    life.world.look_error = StepFailed("the host key is another one")
    await life.skip(minutes=2)
    await over(life)


@lived("cancelled-recording")
async def cancelled_while_a_record_is_written(life: Life) -> None:
    """`workflow cancel` while the database is slow: the record is written all the same before anything follows."""
    await ready(life)
    await connect(life)
    life.world.connected = [True]
    with busy(life):
        await life.skip(seconds=61)
        await asyncio.sleep(1)  # that somebody has connected is being recorded
        await life.handle.cancel()
        await asyncio.sleep(9)
    await over(life)


@lived("released-narrowed")
async def the_first_connection_narrows(life: Life) -> None:
    """Who was there while nobody looked was there; addresses without a session leave, at first and later."""
    life.world.sessions = ()
    await ready(life, 3)
    await connect(life)
    await connect(life, TRAIN)
    life.world.sessions = (TRAIN,)
    await life.skip(seconds=30)
    await life.until("inuse")
    await connect(life, HOME)
    life.world.sessions = (HOME,)
    await life.skip(minutes=11)
    await connect(life, HOME)  # it is the newest already
    await end(life)


@lived("released-not-let-in")
async def the_grant_fails(life: Life) -> None:
    """Who can't be let in is told; who pressed Connect meanwhile is tried next; then it goes well."""
    await ready(life)
    life.world.fail["grant_access"] = AWAY
    await life.reservations.acknowledge(life.id, Acknowledge(OFFICE))
    await doing(life, "grant_access")
    await connect(life, HOME)
    life.world.fail["grant_access"] = StepFailed("useradd: cannot lock /etc/passwd")
    await life.skip(minutes=1)
    await says(life, "could not be let in")
    life.world.fail.clear()
    life.world.connected = [True]
    await connect(life)
    await life.until("inuse")
    await end(life)


@lived("released-letting-in")
async def ended_while_the_grant_is_tried(life: Life) -> None:
    """Ended while the user is being let in: the firewall may be open, so it is shut."""
    await ready(life)
    life.world.fail["grant_access"] = AWAY
    await life.reservations.acknowledge(life.id, Acknowledge(OFFICE))
    await doing(life, "grant_access")
    await end(life)


@lived("cancelled-letting-in")
async def cancelled_while_the_grant_is_tried(life: Life) -> None:
    """`workflow cancel` while the user is being let in; and again in reclaim, which goes on."""
    await ready(life)
    life.world.fail = {"grant_access": AWAY, "remove": Unreachable("the vCenter is away")}
    await life.reservations.acknowledge(life.id, Acknowledge(OFFICE))
    await doing(life, "grant_access")
    await life.settled()
    await life.handle.cancel()
    await life.until("reclaim")
    await doing(life, "remove_computer")
    await life.settled()
    await life.handle.cancel()
    await life.settled()
    life.world.fail.clear()
    await life.skip(seconds=70)
    await over(life)


@lived("failed-fenced-connecting")
async def the_computer_is_lost_before_connect(life: Life) -> None:
    """Its tenure is lost before Connect is pressed: nobody is let in, and nothing can be mended."""
    await ready(life)
    life.store.run(lambda s: tenures.release(s, "vm01", 1, datetime.now(UTC)))
    await life.reservations.acknowledge(life.id, Acknowledge(OFFICE))


@lived("failed-look")
async def the_look_fails_before_the_first_connection(life: Life) -> None:
    """A look that fails for good before the first connection ends it as failed."""
    await ready(life)
    life.world.look_error = StepFailed("the host key is another one")
    await life.reservations.acknowledge(life.id, Acknowledge(OFFICE))
    await over(life)
