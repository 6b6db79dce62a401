"""Placing and loading: refusals, failures, another place, an operator's help."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from tests.histories.lives.acts import (
    COPY,
    KEPT,
    OFFICE,
    POWER_ON,
    TWO_HOSTS,
    add_site,
    another,
    broken,
    cancel,
    crowded,
    doing,
    end,
    extend,
    go_on,
    held_at,
    help_needed,
    hold,
    host,
    leave_spares,
    needs_help,
    over,
    ready,
    refused,
    resolve,
    says,
    started,
    view,
    worker_of_site,
)
from tests.histories.lives.catalog import life as lived
from tests.workflows.conftest import IMAGE, Life
from vclab.model.errors import NotFound, StepFailed, Unreachable
from vclab.model.messages import Acknowledge, End, Extend, How, Resolve
from vclab.store import catalog, extension, reservations, tenures
from vclab.store import needs_help as needs_help_store

# --- placing ----------------------------------------------------------------------------------------------------------


@lived("refused")
async def no_room(life: Life) -> None:
    """A request that has no place is answered with the reasons, and its workflow is over."""
    life.world.hosts = (host("esx1", 512),)
    await refused(life.reserve())
    await life.handle.result()


@lived("refused-unasked")
async def nobody_can_be_asked(life: Life) -> None:
    """The survey itself fails, three times: the request is refused, and nothing is left."""
    life.store.run(lambda s: s.execute(sa.text("ALTER TABLE endpoints RENAME TO gone")))
    placing = asyncio.ensure_future(refused(life.reserve()))
    await started(life)
    await doing(life, "survey")
    await life.skip(seconds=10)
    await placing


@lived("cancelled-placing")
async def cancelled_while_it_is_placed(life: Life) -> None:
    """`workflow cancel` before there is a place."""
    hold(life, "survey")
    placing = asyncio.ensure_future(refused(life.reserve()))
    await life.when(life.world.held.is_set)
    await life.handle.cancel()
    await placing
    go_on(life, "survey")


@lived("deleted-placing")
async def ended_while_it_is_placed(life: Life) -> None:
    """Ended before there is a place: nothing is claimed."""
    hold(life, "survey")
    placing = asyncio.ensure_future(refused(life.reserve()))
    await life.when(life.world.held.is_set)
    await life.reservations.end(life.id, End())
    go_on(life, "survey")
    await placing


@lived("deleted-other-site")
async def another_site_answers(life: Life) -> None:
    """The endpoints of another site are asked by that site's worker."""
    add_site(life)
    async with worker_of_site(life):
        await ready(life)
        await end(life)


@lived("deleted-other-site-silent")
async def another_site_does_not_answer(life: Life) -> None:
    """A site without a worker is left out."""
    add_site(life)
    await ready(life)
    await end(life)


@lived("cancelled-asking-sites")
async def cancelled_while_another_site_is_asked(life: Life) -> None:
    """`workflow cancel` while another site is asked."""
    add_site(life)
    placing = asyncio.ensure_future(refused(life.reserve()))
    await started(life)
    await doing(life, "survey", queue="site-north")
    await life.handle.cancel()
    await placing


# --- loading ----------------------------------------------------------------------------------------------------------


@lived("deleted")
async def deleted(life: Life) -> None:
    """The plainest life: loaded, and ended before Connect."""
    await ready(life)
    await end(life)


@lived("deleted-loading")
async def deleted_while_a_step_runs(life: Life) -> None:
    """The step is stopped and waited for before the computer is taken back."""
    await held_at(life, COPY)
    await life.reservations.end(life.id, End())
    await over(life)


@lived("cancelled-loading")
async def cancelled_while_a_step_runs(life: Life) -> None:
    """`workflow cancel` in the middle of a step."""
    await held_at(life, COPY)
    await cancel(life)


@lived("deleted-worker-lost", disturbed=True)
async def the_worker_is_lost(life: Life) -> None:
    """No worker while messages arrive; the next one knows only what is in the history."""
    await ready(life)
    await life.stop_worker()
    await life.handle.signal("extend", "30m")
    await asyncio.sleep(6)  # the server gives up the queue of the worker that is gone, and takes the common one
    await life.start_worker()
    await says(life, "")
    await end(life)


@lived("failed-no-help", help=0)
async def another_place_but_no_help(life: Life) -> None:
    """Another place is looked for in vain, and nobody is asked."""
    life.world.fail[POWER_ON] = StepFailed("esx1 refuses")
    await life.reserve()
    await over(life)


@lived("failed-fenced")
async def the_computer_is_not_ours_any_more(life: Life) -> None:
    """Its tenure is lost in the middle of a load: nothing is touched, nothing can be mended."""
    await held_at(life, COPY)
    life.store.run(lambda s: tenures.release(s, "vm01", 1, datetime.now(UTC)))
    go_on(life, COPY)
    await life.until("failed", "reclaim")


# --- mending ----------------------------------------------------------------------------------------------------------


@lived("deleted-relocated")
async def in_one_other_place(life: Life) -> None:
    """A step fails; what was made is removed, and the load goes well on the other host."""
    life.world.hosts = TWO_HOSTS
    life.world.fail["linux.post_load"] = StepFailed("there is no nft")
    life.world.not_yet["vsphere.find_address"] = 2
    hold(life, "remove")
    await life.reserve()
    await doing(life, "vsphere.find_address")
    await life.skip(minutes=3)  # of these some are credited
    await life.when(life.world.held.is_set)
    life.world.fail.clear()
    go_on(life, "remove")
    await life.until("reserved")
    await end(life)


@lived("deleted-resolved")
async def resolved_by_an_operator(life: Life) -> None:
    """Fails in both places; tried again in vain; no other place is free; then one is, and it goes well there."""
    life.world.hosts = TWO_HOSTS
    await needs_help(life)
    await resolve(life, How.RETRY)
    await help_needed(life)
    life.world.hosts = TWO_HOSTS[1:]
    await resolve(life, How.ELSEWHERE)
    await help_needed(life)
    life.world.hosts, life.world.fail = TWO_HOSTS, {}
    await resolve(life, How.ELSEWHERE)
    await life.until("reserved")
    await end(life)


@lived("failed-given-up")
async def given_up(life: Life) -> None:
    """An operator gives it up; what failed takes more words than a memo should have."""
    life.world.fail[POWER_ON] = StepFailed("esx1 refuses " + 200 * "again ")
    await life.reserve()
    await help_needed(life)
    await resolve(life, How.GIVE_UP)
    await over(life)


@lived("failed")
async def nobody_helps(life: Life) -> None:
    """Nobody helps until the site's limit."""
    await needs_help(life, hours=4)
    await life.skip(minutes=125)
    await over(life)


@lived("failed-at-the-end")
async def the_end_comes_first(life: Life) -> None:
    """Extended while it needs help; the end comes before anybody helps."""
    await needs_help(life)
    await extend(life, minutes=30)
    await life.skip(minutes=95)
    await over(life)


@lived("deleted-helpless")
async def deleted_while_it_needs_help(life: Life) -> None:
    """Ended by its user while an operator is asked."""
    await needs_help(life)
    await end(life)


@lived("cancelled-helpless")
async def cancelled_while_it_needs_help(life: Life) -> None:
    """`workflow cancel` while an operator is asked."""
    await needs_help(life)
    await cancel(life)


@lived("deleted-unplanned")
async def it_cannot_be_looked_at(life: Life) -> None:
    """The look before the first step fails; the plan is made when an operator has mended it."""
    await needs_help(life, "node_status")
    life.world.fail.clear()
    await resolve(life, How.RETRY)
    await life.until("reserved")
    await end(life)


@lived("deleted-planning")
async def deleted_before_there_is_a_plan(life: Life) -> None:
    """Ended while the look before the first step is tried again and again."""
    life.world.fail["node_status"] = Unreachable("the vCenter does not answer")
    await life.reserve()
    await doing(life, "make_plan")
    await end(life)


@lived("deleted-no-evidence")
async def the_evidence_fails(life: Life) -> None:
    """What can be seen of the failed load can't be told, by a mistake: it is mended all the same."""
    life.world.mistaken = True
    life.world.fail[POWER_ON] = StepFailed("esx1 refuses")
    await life.reserve()
    await doing(life, "gather_evidence")
    await life.skip(seconds=10)
    await help_needed(life)
    life.world.fail.clear()
    await resolve(life, How.RETRY)
    await life.until("reserved")
    await end(life)


@lived("deleted-unseen")
async def deleted_while_evidence_is_gathered(life: Life) -> None:
    """It ends before anybody has looked at what failed."""
    life.world.mistaken = True
    life.world.fail[POWER_ON] = StepFailed("esx1 refuses")
    await life.reserve()
    await doing(life, "gather_evidence")
    await life.settled()
    await life.reservations.end(life.id, End())
    await over(life)


@lived("cancelled-unseen")
async def cancelled_while_evidence_is_gathered(life: Life) -> None:
    """`workflow cancel` before anybody has looked at what failed."""
    life.world.mistaken = True
    life.world.fail[POWER_ON] = StepFailed("esx1 refuses")
    await life.reserve()
    await doing(life, "gather_evidence")
    await life.settled()
    await cancel(life)


@lived("deleted-not-removed")
async def what_was_made_cannot_be_removed(life: Life) -> None:
    """Then no other place is taken: it needs help where it is."""
    life.world.hosts = TWO_HOSTS
    life.world.fail = {POWER_ON: StepFailed("esx1 refuses"), "remove": StepFailed("a foreign snapshot is in the way")}
    await life.reserve()
    await doing(life, "clear_computer")
    await life.skip(minutes=11)
    await help_needed(life)
    life.world.fail.clear()
    await resolve(life, How.RETRY)
    await life.until("reserved")
    await end(life)


@lived("cancelled-relocating")
async def cancelled_while_what_was_made_is_removed(life: Life) -> None:
    """`workflow cancel` on the way to the other place."""
    life.world.hosts = TWO_HOSTS
    life.world.fail[POWER_ON] = StepFailed("esx1 refuses")
    hold(life, "remove")
    await life.reserve()
    await life.when(life.world.held.is_set)
    life.world.hold.clear()
    await cancel(life)


@lived("deleted-relocating")
async def deleted_while_what_was_made_is_removed(life: Life) -> None:
    """Ended on the way to the other place."""
    life.world.hosts = TWO_HOSTS
    life.world.fail[POWER_ON] = StepFailed("esx1 refuses")
    hold(life, "remove")
    await life.reserve()
    await life.when(life.world.held.is_set)
    life.world.hold.clear()
    await life.reservations.end(life.id, End())
    await over(life)


@lived("failed-fenced-relocating")
async def the_computer_is_lost_while_it_is_removed(life: Life) -> None:
    """Its tenure is lost while what was made is removed: nothing can be mended."""
    life.world.hosts = TWO_HOSTS
    life.world.fail = {POWER_ON: StepFailed("esx1 refuses"), "remove": Unreachable("the vCenter does not answer")}
    await life.reserve()
    await doing(life, "clear_computer")
    life.store.run(lambda s: tenures.release(s, "vm01", 1, datetime.now(UTC)))


@lived("deleted-asking")
async def deleted_while_another_place_is_asked_for(life: Life) -> None:
    """Ended while the endpoints are asked for another place."""
    await held_at(life, POWER_ON)
    life.world.fail[POWER_ON] = StepFailed("esx1 refuses")
    held = life.world.hold.pop(POWER_ON)
    hold(life, "survey")
    held.set()
    await life.when(life.world.held.is_set)
    await life.reservations.end(life.id, End())
    await over(life)
    await life.handle.result()
    go_on(life, "survey")


@lived("deleted-act-fails")
async def the_record_of_an_act_fails(life: Life) -> None:
    """An operator's word can't be recorded, by a mistake: it is answered with the error, and can be said again."""
    await needs_help(life)
    with broken(life, needs_help_store, "resolved"):
        await refused(life.operator.resolve(life.id, Resolve(How.RETRY)))
    life.world.fail.clear()
    await resolve(life, How.RETRY)
    await life.until("reserved")
    await life.settled()
    with broken(life, reservations, "acknowledged"):
        await refused(life.reservations.acknowledge(life.id, Acknowledge(OFFICE)))
    with broken(life, extension, "extend"):
        await life.handle.signal("extend", "1h")
        await says(life, "extend refused")
    await end(life)


@lived("failed-ceiling", load_ceiling=700)
async def the_load_as_a_whole_takes_too_long(life: Life) -> None:
    """The step at which it stands gets what is left of the whole load's time."""
    life.world.not_yet = {"vsphere.find_address": 8, "linux.wait_ssh": 10_000}
    await life.reserve()
    await doing(life, "vsphere.find_address")
    await life.skip(minutes=9)
    await doing(life, "linux.wait_ssh")
    await life.skip(minutes=4)
    await help_needed(life)
    await resolve(life, How.GIVE_UP)
    await over(life)


@lived("deleted-extended")
async def extended_while_it_is_loaded(life: Life) -> None:
    """An extension during a load; a second one is refused, and so is one of a signal that can't be read."""
    await held_at(life, COPY)
    await life.reservations.extend(life.id, Extend(view(life).end + timedelta(minutes=30)))
    await refused(life.reservations.extend(life.id, Extend(view(life).end.replace(year=2200))))
    await life.handle.signal("extend", {"to": "tomorrow"})
    await says(life, "extend refused")
    go_on(life, COPY)
    await life.until("reserved")
    await end(life)


# --- room that spares take --------------------------------------------------------------------------------------------


@lived("deleted-evicting", **KEPT)
async def room_is_made(life: Life) -> None:
    """Spares are removed before anything is loaded."""
    await crowded(life)
    await life.reserve(image="big")
    await life.until("reserved")
    await end(life)


@lived("deleted-while-evicting", **KEPT)
async def deleted_while_room_is_made(life: Life) -> None:
    """Ended while a spare is removed: what is not gone is the reconciler's."""
    await crowded(life)
    life.world.fail["remove"] = Unreachable("the vCenter does not answer")
    await life.reserve(image="big")
    await doing(life, "remove_computer")
    await life.settled()
    life.world.fail.clear()
    await life.reservations.end(life.id, End())
    await over(life)


@lived("cancelled-evicting", **KEPT)
async def cancelled_while_room_is_made(life: Life) -> None:
    """`workflow cancel` while a spare is removed."""
    await crowded(life)
    life.world.fail["remove"] = Unreachable("the vCenter does not answer")
    await life.reserve(image="big")
    await doing(life, "remove_computer")
    await life.settled()
    life.world.fail.clear()
    await cancel(life)


@lived("deleted-evicted-already", **KEPT)
async def the_spare_is_gone_already(life: Life) -> None:
    """The reconciler has removed the spare meanwhile: its removal is fenced off, which is as well."""
    await crowded(life)
    life.world.fail["remove"] = Unreachable("the vCenter does not answer")
    await life.reserve(image="big")
    await doing(life, "remove_computer")
    await life.settled()
    with life.store.read() as session:
        held = [t for n in ("vm01", "vm02", "vm03") if (t := tenures.current(session, n)) is not None]
    for tenure in held:
        if tenure.purpose == "removal":
            life.store.run(lambda s, t=tenure: tenures.release(s, t.computer, t.generation, datetime.now(UTC)))  # type: ignore[misc]
    life.world.fail.clear()
    await life.skip(seconds=5)
    await life.until("reserved")
    await end(life)


@lived("failed-evicting", **KEPT)
async def room_is_made_in_the_other_place(life: Life) -> None:
    """The other host is full of a spare: it goes after what failed; then an operator gives up."""
    life.world.hosts = (host("esx1", 3072), host("esx2", 3072))
    life.store.run(lambda s: catalog.put_image(s, replace(IMAGE, name="big", memory_mb=3072)))
    await leave_spares(life)
    another(life)
    life.world.fail[POWER_ON] = StepFailed("it refuses")
    await life.reserve(image="big")
    await help_needed(life)
    await resolve(life, How.GIVE_UP)
    await over(life)


@lived("failed-making-room", **KEPT)
async def room_cannot_be_made(life: Life) -> None:
    """The removal of a spare fails for good, and so does that of its own computer."""
    await crowded(life)
    life.world.fail["remove"] = NotFound("there is no such endpoint any more")
    await life.reserve(image="big")
