"""What becomes of computers: kept, removed, loaded for nobody yet; and the workflows that look after them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import WorkflowFailureError

from tests.histories.lives.acts import (
    KEPT,
    OFFICE,
    add_site,
    begin,
    cancel,
    connect,
    doing,
    end,
    help_needed,
    in_use,
    leave_spares,
    needs_help,
    over,
    pending,
    ready,
    reboot,
    run,
    says,
    view,
    waits_for,
    worker_of_site,
)
from tests.histories.lives.catalog import Script
from tests.histories.lives.catalog import life as lived
from tests.workflows.conftest import IMAGE, Life, add_lab_machine
from tests.workflows.test_load_workflow import STILL, Metal, living_on_metal
from vclab.fake_world import Failure
from vclab.model import ids, messages
from vclab.model.catalog import User
from vclab.model.errors import StepFailed, Unreachable
from vclab.model.intents import Intent, Verb
from vclab.model.messages import Acknowledge, Dismiss, How, Reload, Resolve, computer_workflow
from vclab.model.plans import Evidence
from vclab.model.retention import Forget
from vclab.model.states import ComputerState, Purpose
from vclab.store import catalog, intents, tenures

LOAD = computer_workflow("metal1")


# --- after a reservation ----------------------------------------------------------------------------------------------


@lived("deleted-kept", **KEPT)
async def kept_as_a_spare(life: Life) -> None:
    """Nobody was let in: sanitized, and kept for the next one."""
    await ready(life)
    await end(life)


@lived("deleted-not-kept", **KEPT)
async def not_clean(life: Life) -> None:
    """It can't be sanitized, for it does not answer: removed."""
    life.world.fail["sanitize"] = Unreachable("it does not answer")
    await ready(life)
    await end(life)


@lived("deleted-old", **KEPT)
async def of_an_old_revision(life: Life) -> None:
    """Another revision is in production when it is clean: removed."""
    await ready(life)
    life.store.run(lambda s: catalog.put_image(s, replace(IMAGE, revision=2)))
    await end(life)


@lived("nologin-kept", **KEPT)
async def let_in_and_not_come(life: Life) -> None:
    """Somebody was let in and did not come, by the word of its records: kept."""
    await ready(life)
    await connect(life)
    await life.skip(minutes=16)
    await over(life)


@lived("released-tainted", **KEPT)
async def let_in_and_perhaps_come(life: Life) -> None:
    """Its records tell of a connection: shut, and removed; shutting it fails."""
    life.world.tainted = f"there was a connection from {OFFICE}"
    life.world.fail["close_access"] = StepFailed("nft: no such table")
    await ready(life)
    await connect(life)
    await end(life)


@lived("deleted-unclean")
async def a_lab_machine_that_is_not_clean(life: Life) -> None:
    """A lent computer that can't be made clean goes into maintenance."""
    add_lab_machine(life)
    await ready(life, image="lab-debian")
    life.world.fail["remove"] = StepFailed("lab01 is not clean: file /var/tmp/x of alice stays")
    await end(life)


@lived("released-lent")
async def a_lab_machine_that_does_not_restart(life: Life) -> None:
    """A lent computer can't be restarted by force: that is told, and ends nothing."""
    add_lab_machine(life)
    await in_use(life, image="lab-debian")
    life.world.fail["reboot"] = StepFailed("shutdown: command not found")
    await reboot(life)
    await says(life, "the restart failed")
    await end(life)


# --- those that nobody's reservation looks after ----------------------------------------------------------------------


@lived("reclaim")
async def terminated(life: Life) -> str:
    """The reservation's workflow was terminated: its computer is taken back."""
    await in_use(life)
    await life.handle.terminate("by an operator")
    await run(life, "Reclaim", {"reservation": life.id}, f"reclaim-{life.id}")
    return f"reclaim-{life.id}"


@lived("reclaim-nothing")
async def terminated_before_its_time(life: Life) -> str:
    """There is no computer to take back."""
    await life.reserve(start=datetime.now(UTC) + timedelta(hours=5))
    await life.settled()
    await life.handle.terminate("by an operator")
    await run(life, "Reclaim", {"reservation": life.id}, f"reclaim-{life.id}")
    return f"reclaim-{life.id}"


@lived("removal", **KEPT)
async def a_spare_is_removed(life: Life) -> str:
    """A spare of a revision that is no longer in production."""
    await leave_spares(life)
    life.store.run(lambda s: catalog.put_image(s, replace(IMAGE, revision=2)))
    await run(life, "Removal", {"computer": "vm01"}, computer_workflow("vm01"))
    return computer_workflow("vm01")


@lived("removal-nothing", **KEPT)
async def a_spare_is_not_to_go(life: Life) -> str:
    """There is nothing to remove."""
    await run(life, "Removal", {"computer": "vm01"}, computer_workflow("vm01"))
    return computer_workflow("vm01")


@lived("reconcile")
async def one_round(life: Life) -> str:
    """A round of the reconciler."""
    await run(life, "Reconcile", None, "reconcile")
    return "reconcile"


@lived("reconcile-sites")
async def two_sites(life: Life) -> str:
    """A round at two sites."""
    add_site(life)
    async with worker_of_site(life):
        await run(life, "Reconcile", None, "reconcile-sites")
    return "reconcile-sites"


@lived("reconcile-silent")
async def a_site_without_a_worker(life: Life) -> str:
    """A round that one site does not take up."""
    add_site(life)
    handle = await begin(life, "Reconcile", None, "reconcile-silent")
    await life.skipper.fast_forward(handle, timedelta(minutes=11))
    await handle.result()
    return "reconcile-silent"


@lived("reconcile-cancelled")
async def a_round_is_cancelled(life: Life) -> str:
    """`workflow cancel` while a site is waited for."""
    add_site(life)
    handle = await begin(life, "Reconcile", None, "reconcile-cancelled")
    async with asyncio.timeout(60):
        while len(await pending(handle)) != 1 or "site-north" not in await pending(handle):
            await asyncio.sleep(0.02)
    await handle.cancel()
    return "reconcile-cancelled"


@lived("retention")
async def too_old(life: Life) -> str:
    """A round of the retention, which finds nothing."""
    await run(life, "Retention", None, "retention")
    return "retention"


@lived("forgetting")
async def somebody_is_forgotten(life: Life) -> str:
    """An operator has a person forgotten."""
    life.store.run(lambda s: catalog.put_user(s, User("zoe", 3999)))
    asked = Intent("forget1", datetime.now(UTC), "olga", "account", ("operator",), Verb.FORGET, "zoe",
                   arguments={"name": "zoe"})  # fmt: skip
    life.store.run(lambda s: intents.write(s, asked))
    await run(life, messages.FORGETTING, Forget("forget1"), "forget-forget1")
    return "forget-forget1"


@lived("released-no-guest")
async def without_an_operating_system(life: Life) -> None:
    """What has no guest is in use as soon as it is handed out, and nobody looks into it."""
    life.store.run(lambda s: catalog.put_image(s, replace(IMAGE, name="appliance", guest="")))
    await ready(life, image="appliance")
    await connect(life)
    await life.until("inuse")
    await life.settled()
    await end(life)


@lived("noack-no-guest")
async def without_an_operating_system_and_not_wanted(life: Life) -> None:
    """The same; nobody presses Connect."""
    life.store.run(lambda s: catalog.put_image(s, replace(IMAGE, name="appliance", guest="")))
    await ready(life, image="appliance")
    await life.skip(minutes=16)
    await over(life)


@lived("EOR-no-guest")
async def without_an_operating_system_to_the_end(life: Life) -> None:
    """The same, restarted, and used to its end."""
    life.store.run(lambda s: catalog.put_image(s, replace(IMAGE, name="appliance", guest="")))
    await ready(life, image="appliance")
    await connect(life)
    await life.until("inuse")
    await reboot(life)
    await life.settled()
    await life.skip(minutes=65)
    await over(life)


@lived("dismissal")
async def dismissed(life: Life) -> str:
    """A reservation that failed is taken off the list."""
    await needs_help(life)
    await life.operator.resolve(life.id, Resolve(How.GIVE_UP))
    await over(life)
    await life.reservations.dismiss(Dismiss(life.id))
    return f"dismissal-{life.id}"


# --- loads that nobody waits for --------------------------------------------------------------------------------------


async def used(life: Metal) -> None:
    """Somebody has used it; it is loaded anew. The next acts are another reservation's."""
    await life.used()
    await life.loaded()
    await ended(life, LOAD)


async def ended(life: Life, workflow: str) -> None:
    """Wait until this workflow is over."""
    with suppress(WorkflowFailureError):
        await life.client.get_workflow_handle(workflow).result()


async def being_loaded(life: Metal) -> None:
    """It is being loaded, until ``life.behaves(delays={})``. The next acts are another reservation's."""
    await used(life)
    life.behaves(delays=STILL)
    await life.begin_load(image="os", by_hand=True)
    await doing(life, "fake.wait_ssh", life.client.get_workflow_handle(LOAD))
    life.id = ids.new_id()


def on_metal(name: str, **waits: Any) -> Callable[[Script], Script]:
    """Register a life on one pretended computer that stays."""
    return lived(name, living_on_metal, **waits)


@on_metal("released-reloaded")
async def loaded_anew_after_use(life: Metal) -> None:
    """A computer that stays is given back, and its load started as an abandoned child."""
    await used(life)


@on_metal("released-reload-runs")
async def its_load_runs_already(life: Metal) -> None:
    """Another workflow of the load's id runs: that is no failure of the reservation."""
    await life.ready()
    await life.client.start_workflow(messages.LOAD, Reload("metal1"), id=LOAD, task_queue="nobody")
    await life.reservations.acknowledge(life.id, Acknowledge(OFFICE))
    await life.until("inuse")
    await end(life)


@on_metal("deleted-place-lost", help=7200)
async def the_other_place_is_taken_meanwhile(life: Metal) -> None:
    """While what was made is removed, somebody else takes the computer of the other place: an operator is asked."""
    life.store.run(lambda s: catalog.put_lab_computer(s, "metal2", endpoint="room", address="10.77.0.32"))
    life.fails("fake-metal.power_on")
    life.behaves(delays={"remove": 2.0})
    await life.reserve()
    await doing(life, "clear_computer")
    now, others = datetime.now(UTC), {"metal1", "metal2"} - {view(life).computer}
    life.store.run(lambda s: tenures.take(s, others.pop(), "other", Purpose.LOAD, now, now))
    await help_needed(life)
    life.behaves(delays={})
    await end(life)


@on_metal("load")
async def loaded_by_an_operator(life: Metal) -> str:
    """Loaded with an image, by an operator."""
    await life.load(image="os", by_hand=True)
    return LOAD


@on_metal("load-refused")
async def not_to_be_loaded(life: Metal) -> str:
    """Nobody has said with what."""
    await life.load(by_hand=True)
    return LOAD


@on_metal("load-failed")
async def the_load_fails(life: Metal) -> str:
    """A step fails for good: evidence is kept, and the computer is out of use."""
    life.fails("fake-metal.power_on")
    await ended(life, (await life.begin_load(image="os", by_hand=True)).id)
    return LOAD


@on_metal("load-not-cleared")
async def it_cannot_be_cleared(life: Metal) -> str:
    """What it holds can't be cleared, and what can be seen of it can't be told: it is out of use."""
    life.fails("remove")
    life.module.evidence = lambda target: Evidence("on", (1,))  # type: ignore[method-assign, arg-type]
    await ended(life, (await life.begin_load(image="os", by_hand=True)).id)
    return LOAD


@on_metal("load-cancelled")
async def the_load_is_cancelled(life: Metal) -> str:
    """`workflow cancel` in the middle of a step."""
    life.behaves(delays={"fake-metal.deploy": 300.0})
    handle = await life.begin_load(image="os", by_hand=True)
    await doing(life, "fake-metal.deploy", handle)
    await handle.cancel()
    await ended(life, LOAD)
    return LOAD


@on_metal("load-cancelled-clearing")
async def the_load_is_cancelled_at_its_beginning(life: Metal) -> str:
    """`workflow cancel` while what the computer holds is cleared."""
    life.behaves(delays={"remove": 300.0})
    handle = await life.begin_load(image="os", by_hand=True)
    await doing(life, "clear_computer", handle)
    await handle.cancel()
    await ended(life, LOAD)
    return LOAD


@on_metal("load-waiters")
async def those_who_wait_are_told(life: Metal) -> str:
    """Who waits is signalled; so is one that is gone, and what is no name is left out."""
    await being_loaded(life)
    await life.reserve()
    handle = life.client.get_workflow_handle(LOAD)
    await handle.signal(messages.WAITER, "no-such-one")
    await handle.signal(messages.WAITER, args=[17, "x"])
    life.behaves(delays={})
    await ended(life, LOAD)
    return LOAD


@on_metal("deleted-waited")
async def it_waits_for_a_load(life: Metal) -> None:
    """It waits for a load that goes on, is signalled, and has the computer by the short plan."""
    await being_loaded(life)
    await life.reserve()
    await waits_for(life, "to be loaded")
    life.behaves(delays={})
    await life.until("reserved")
    await end(life)


@on_metal("deleted-waiting")
async def deleted_while_it_waits(life: Metal) -> None:
    """Ended while it waits for a load: it had no computer, and gives none back."""
    await being_loaded(life)
    await life.reserve()
    await waits_for(life, "to be loaded")
    await end(life)


@on_metal("cancelled-waiting")
async def cancelled_while_it_waits(life: Metal) -> None:
    """`workflow cancel` while it waits for a load."""
    await being_loaded(life)
    await life.reserve()
    await waits_for(life, "to be loaded")
    await cancel(life)


@on_metal("deleted-waited-scheduled")
async def one_for_later_waits_for_a_load(life: Metal) -> None:
    """Its time has come, and its computer is being loaded still: it is signalled too."""
    await being_loaded(life)
    await life.reserve(start=datetime.now(UTC) + timedelta(minutes=36))
    await life.skip(minutes=2)
    await waits_for(life, "a computer")
    life.behaves(delays={})
    await life.when(lambda: life.computer().holder == life.id)
    await waits_for(life, "its start")
    await end(life)


@on_metal("failed-waited")
async def the_load_that_it_waits_for_fails(life: Metal) -> None:
    """It is signalled, finds no computer, goes on looking, and fails when it is late."""
    await being_loaded(life)
    await life.reserve(4)
    await waits_for(life, "to be loaded")
    life.behaves(failures={"fake.post_load": Failure("failed", times=1000, text="the disk is broken")}, delays={})
    await life.when(lambda: life.computer().state is ComputerState.FAILED)
    await life.settled()
    await life.skip(minutes=62)
    await over(life)
