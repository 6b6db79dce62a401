"""In use: looks, notices, restarts, many runs, and how it all ends."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.histories.lives.acts import (
    AWAY,
    HOME,
    audited,
    busy,
    cancel,
    connect,
    doing,
    end,
    extend,
    goes_away,
    in_use,
    over,
    reboot,
    refused,
    runs,
    says,
    view,
)
from tests.histories.lives.catalog import life as lived
from tests.workflows.conftest import Life
from vclab.model.errors import StepFailed, Unreachable
from vclab.model.messages import Acknowledge, Extend
from vclab.model.plans import Whereabouts

FULL = 120
"""Events after which a new run is suggested, where runs are short."""
DAYS_LOOK: dict[str, Any] = {"inuse_look": 7 * 86_400}


@lived("EOR")
async def a_whole_life(life: Life) -> None:
    """Used until its end, with both notices."""
    await in_use(life)
    await life.skip(minutes=61)
    await over(life)


@lived("EOR-extended")
async def extended_by_all_means(life: Life) -> None:
    """Extended, asked twice, refused; by signals that are good, refused, and nonsense; the end moves, notices too."""
    await in_use(life)
    message = Extend(await extend(life, minutes=30), intent="again")
    await life.reservations.extend(life.id, message)
    await life.reservations.extend(life.id, message)
    await refused(life.reservations.extend(life.id, Extend(view(life).end.replace(year=2200))))
    for signal in ("10m", {"by": "10m"}, {"to": "9999-12-31T23:00:00Z"}, {"to": "2200-01-01T00:00:00"}, 17, "soon"):
        await life.settled()
        await life.handle.signal("extend", signal)
    await life.settled()
    await life.handle.signal("extend", args=[])
    await life.skip(minutes=125)
    await over(life)


@lived("EOR-notice-fails")
async def a_notice_fails(life: Life) -> None:
    """A notice that can't be shown ends nothing."""
    await in_use(life)
    life.world.fail["notify"] = StepFailed("wall: no such file")
    await life.skip(minutes=61)
    await over(life)


@lived("released-notice")
async def ended_while_a_notice_is_shown(life: Life) -> None:
    """Ended while a notice is tried again."""
    await in_use(life)
    life.world.fail["notify"] = AWAY
    await life.skip(seconds=(view(life).end - datetime.now(UTC)).total_seconds() - 605)
    await doing(life, "notify_user")
    await end(life)


@lived("released-overdue", disturbed=True, notices=(3590, 3588))
async def a_notice_is_overdue(life: Life) -> None:
    """Both notices come due while no worker runs: the second one is overdue when there is one again."""
    await in_use(life)
    await life.stop_worker()
    await life.when(lambda: (view(life).end - datetime.now(UTC)).total_seconds() < 3586)
    await life.start_worker()
    await life.when(lambda: len(life.world.notices) >= 2)
    await end(life)


@lived("released-signal")
async def an_operators_cancel_signal(life: Life) -> None:
    """Whatever is sent along; an extension is refused then, and a second signal changes nothing."""
    await in_use(life)
    life.world.fail["remove"] = Unreachable("the vCenter is away")
    await life.settled()
    await life.handle.signal("cancel", args=["because", {"x": 1}])
    await life.until("reclaim")
    await doing(life, "remove_computer")
    await life.settled()
    for signal, given in (("cancel", ""), ("extend", "1h"), ("loaded", "vm01")):
        await life.handle.signal(signal, given)
        await life.settled()
    life.world.fail.clear()
    await life.skip(seconds=70)
    await over(life)


@lived("cancelled-in-use")
async def cancelled_in_use(life: Life) -> None:
    """`workflow cancel` between two looks."""
    await in_use(life)
    await cancel(life)


@lived("timeout")
async def away_for_too_long(life: Life) -> None:
    """Away; back while nobody looked, which is as good; away again, and not back in time."""
    await in_use(life, 4)
    await goes_away(life)
    life.world.visit = 300
    await life.skip(minutes=16)
    await life.when(lambda: audited(life, "connected") == 2)
    life.world.visit = None
    await life.skip(minutes=22)
    await over(life)


@lived("released-back", disturbed=True, inuse_look=1, reconnect=3, first_connection_look=1)
async def back_while_no_worker_ran(life: Life) -> None:
    """The looks end with the last worker; who is back by the time there is one again is not timed out."""
    await in_use(life, 4)
    life.world.connected = [False]
    await life.when(lambda: audited(life, "disconnected") == 1)
    await life.stop_worker()
    await asyncio.sleep(6)
    life.world.connected = [True]
    await life.start_worker()
    await life.when(lambda: audited(life, "connected") == 2)
    await end(life)


@lived("timeout-unseen")
async def away_from_what_cannot_be_looked_at(life: Life) -> None:
    """Who is away from a computer that can't be looked at is not timed out; the time begins anew when it can be."""
    await in_use(life, 4)
    await goes_away(life)
    life.world.look_error = AWAY
    await life.skip(minutes=40)
    life.world.look_error = None
    await life.skip(minutes=10)
    await life.skip(minutes=21)
    await over(life)


@lived("timeout-last-look")
async def the_last_look_fails(life: Life) -> None:
    """The last look before a timeout fails by a mistake, and then for good: both are no word on who is there."""
    await in_use(life, 4)
    await goes_away(life)
    life.world.look_error = ZeroDivisionError("a mistake")
    await life.skip(minutes=17)
    await doing(life, "last_look")
    life.world.look_error = StepFailed("the host key is another one")
    await life.skip(seconds=61)
    life.world.look_error = None
    await life.skip(minutes=20)
    await over(life)


@lived("EOR-look-fails")
async def a_look_fails_in_use(life: Life) -> None:
    """A look that fails for good is told, and begun anew: no fault of ours ends it before its end."""
    await in_use(life)
    life.world.look_error = StepFailed("the host key is another one")
    await life.skip(minutes=7)
    await says(life, "can't be looked at")
    await connect(life, HOME)  # interrupts the pause
    await life.skip(minutes=60)
    await over(life)


@lived("released-off")
async def its_user_shut_it_down(life: Life) -> None:
    """Off, by the word of its endpoint: told, and no timeout; a restart is by force at once."""
    await in_use(life, 4)
    life.world.look_error, life.world.whereabouts = AWAY, Whereabouts(trouble="vm01 is off")
    await life.skip(minutes=6)
    await life.when(lambda: audited(life, "disconnected") == 1)
    await life.skip(hours=1)
    await reboot(life)
    await life.when(lambda: audited(life, "rebooted") == 1)
    await life.when(lambda: audited(life, "connected") == 2)
    await end(life)


@lived("released-again")
async def off_and_on_by_itself(life: Life) -> None:
    """Off, and seen again without us; then found at another address."""
    await in_use(life, 4)
    life.world.look_error, life.world.whereabouts = AWAY, Whereabouts(trouble="vm01 is off")
    await life.skip(minutes=6)
    await life.when(lambda: audited(life, "disconnected") == 1)
    life.world.look_error, life.world.whereabouts = None, Whereabouts()
    await life.skip(minutes=6)
    await life.when(lambda: audited(life, "connected") == 2)
    life.world.answers_at, life.world.whereabouts = "10.77.0.10", Whereabouts(address="10.77.0.10")
    await life.skip(minutes=6)
    await end(life)


@lived("released-restarted")
async def restarted(life: Life) -> None:
    """Softly; by force when that fails; and in vain, which is told and ends nothing."""
    await in_use(life, 4)
    await reboot(life)
    await life.when(lambda: audited(life, "rebooted") == 1)
    await life.settled()
    life.world.fail["reboot"] = StepFailed("shutdown: command not found")
    await reboot(life)
    await life.when(lambda: audited(life, "rebooted") == 2)
    await life.settled()
    life.world.fail["power_reset"] = StepFailed("the host refuses")
    await reboot(life, hard=True)
    await says(life, "the restart failed")
    await end(life)


@lived("released-restarting")
async def ended_while_it_restarts(life: Life) -> None:
    """Ended while a soft restart is tried."""
    await in_use(life)
    life.world.fail["reboot"] = AWAY
    await reboot(life)
    await doing(life, "reboot_guest")
    await end(life)


@lived("released-resetting")
async def ended_while_it_is_reset(life: Life) -> None:
    """Ended while a restart by force is tried."""
    await in_use(life)
    life.world.fail["power_reset"] = AWAY
    await reboot(life, hard=True)
    await doing(life, "reset_computer")
    await end(life)


@lived("cancelled-restarting")
async def cancelled_while_it_restarts(life: Life) -> None:
    """`workflow cancel` while a restart is tried."""
    await in_use(life)
    life.world.fail["power_reset"] = AWAY
    await reboot(life, hard=True)
    await doing(life, "reset_computer")
    await life.settled()
    await cancel(life)


@lived("released-not-let-in-further")
async def a_further_address_cannot_be_let_in(life: Life) -> None:
    """A grant that fails in use is told; a restart does not wait for one that is tried."""
    await in_use(life, 2)
    life.world.fail["grant_access"] = StepFailed("that prefix is too wide")
    await life.reservations.acknowledge(life.id, Acknowledge("0.0.0.0/0"))
    await says(life, "too wide")
    life.world.fail["grant_access"] = AWAY
    await life.reservations.acknowledge(life.id, Acknowledge(HOME))
    await doing(life, "grant_access")
    await reboot(life, hard=True)
    await life.when(lambda: audited(life, "rebooted") == 1)
    await doing(life, "grant_access")
    await end(life)


@lived("released-day")
async def a_day_is_not_timed_out(life: Life) -> None:
    """Reservations of 24 h and more need no connection."""
    await in_use(life, 25, operator=True)
    await goes_away(life)
    await life.skip(minutes=30)
    await end(life)


@lived("released-day-by-extension")
async def extended_beyond_a_day(life: Life) -> None:
    """Extended beyond a day while the user is away: no timeout any more."""
    await in_use(life, 23, operator=True)
    await goes_away(life)
    message = Extend(view(life).end + timedelta(hours=1))
    await life.operator.extend(life.id, message)
    await life.skip(minutes=30)
    await end(life)


# --- many runs --------------------------------------------------------------------------------------------------------


@lived("released-long", short_runs=True, **DAYS_LOOK)
async def many_runs(life: Life) -> None:
    """A new run begins again and again: with addresses, an act that is asked for twice, a computer that is off."""
    await in_use(life, 240, operator=True)
    message = Extend(view(life).end + timedelta(hours=1), intent="once")
    await life.operator.extend(life.id, message)
    await extend_until_run(life, 2)
    await life.operator.extend(life.id, message)
    await connect(life, HOME)
    await life.settled()
    await life.handle.signal("extend", "1h")
    life.world.look_error, life.world.whereabouts = AWAY, Whereabouts(trouble="vm01 is off")
    await life.skip(days=8)
    await life.when(lambda: audited(life, "disconnected") >= 1)
    await extend_until_run(life, 3)
    await reboot(life)
    await life.when(lambda: audited(life, "rebooted") == 1)
    await end(life)


@lived("cancelled-long", short_runs=True, **DAYS_LOOK)
async def cancelled_in_the_second_run(life: Life) -> None:
    """`workflow cancel` in a run that follows another."""
    await in_use(life, 48, operator=True)
    await extend_until_run(life, 2)
    await cancel(life)


@lived("released-long-ending", short_runs=True, **DAYS_LOOK)
async def ended_while_a_new_run_is_to_begin(life: Life) -> None:
    """The run is full, a message is being recorded, and it is ended before the next run begins: it ends in this one."""
    await in_use(life, 48, operator=True)
    while await length(life) < FULL - 3:
        await life.handle.signal("loaded", "nothing")
        await life.settled()
    with busy(life):
        await life.handle.signal("extend", "1m")
        await asyncio.sleep(9)  # until the look has ended
        await life.handle.signal("cancel")
        await asyncio.sleep(9)
    await over(life)


async def length(life: Life) -> int:
    """Events of this run."""
    return (await life.handle.describe()).raw_description.workflow_execution_info.history_length


async def extend_until_run(life: Life, number: int) -> None:
    """Extend it, a minute at a time, until this run of its workflow has begun."""
    while len(await runs(life.client, life.handle.id)) < number:
        message = Extend(view(life).end + timedelta(minutes=1))
        await life.operator.extend(life.id, message)
        await life.settled()
