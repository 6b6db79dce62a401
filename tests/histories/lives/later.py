"""Reservations for later: moved, preloaded, put back, handed over, and those that get no computer."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from tests.histories.lives.acts import (
    COPY,
    KEPT,
    POWER_ON,
    another,
    cancel,
    connect,
    crowded,
    doing,
    end,
    go_on,
    goes_away,
    help_needed,
    hold,
    host,
    later,
    leave_spares,
    over,
    refused,
    resolve,
    view,
    waits_for,
)
from tests.histories.lives.catalog import life as lived
from tests.workflows.conftest import IMAGE, Life
from vclab.model.errors import StepFailed, Unreachable
from vclab.model.inventory import HostFacts
from vclab.model.messages import End, Extend, How, Reschedule
from vclab.store import catalog, tenures

BROKEN = HostFacts("esx1", 16, 16384, False, "in maintenance", ("ds1",))


async def move(life: Life, start: datetime, intent: str = "") -> None:
    """Move the start."""
    await life.settled()
    await life.reservations.reschedule(life.id, Reschedule(start, intent=intent))
    await life.settled()


async def prepared(life: Life) -> datetime:
    """Loaded before its start, which is in six minutes."""
    start = await later(life, 0.1)
    await waits_for(life, "its start")
    return start


# --- before a computer is taken ---------------------------------------------------------------------------------------


@lived("deleted-scheduled")
async def deleted_before_its_time(life: Life) -> None:
    """Moved, moved once more by the same message, refused, extended; ended before it took a computer."""
    start = await later(life)
    await waits_for(life, "the time to prepare")
    await move(life, start + timedelta(hours=2), "again")
    await move(life, start + timedelta(hours=2), "again")
    await refused(life.reservations.reschedule(life.id, Reschedule(start - timedelta(hours=9))))
    await life.reservations.extend(life.id, Extend(start + timedelta(hours=4)))
    await end(life)


@lived("cancelled-scheduled")
async def cancelled_before_its_time(life: Life) -> None:
    """`workflow cancel` before it took a computer."""
    await later(life)
    await waits_for(life, "the time to prepare")
    await cancel(life)


@lived("deleted-moved-unasked")
async def moved_while_nobody_can_be_asked(life: Life) -> None:
    """The survey for a move fails: it is moved where it is."""
    start = await later(life)
    await waits_for(life, "the time to prepare")
    await unasked(life, move(life, start + timedelta(hours=2)))
    await end(life)


async def unasked(life: Life, act: Coroutine[Any, Any, None]) -> None:
    """Act while the survey itself fails, three times."""
    life.store.run(lambda s: s.execute(sa.text("ALTER TABLE endpoints RENAME TO gone")))
    acting = asyncio.ensure_future(act)
    await doing(life, "survey")
    await life.settled()
    await life.skip(seconds=10)
    life.store.run(lambda s: s.execute(sa.text("ALTER TABLE gone RENAME TO endpoints")))
    await acting


# --- taking a computer ------------------------------------------------------------------------------------------------


@lived("EOR-credited")
async def no_computer_for_a_while(life: Life) -> None:
    """None can be had until after the start; moved a little meanwhile; then one is, late, and the time is credited."""
    start = await later(life, 1)
    life.world.hosts = (BROKEN,)
    await life.skip(minutes=26)
    await waits_for(life, "a computer")
    await move(life, start + timedelta(minutes=5))
    await life.skip(minutes=46)
    life.world.hosts = (host("esx1"),)
    await life.skip(minutes=2)
    await life.until("reserved")
    life.world.connected = [True]
    await connect(life)
    await life.skip(minutes=85)
    await over(life)


@lived("failed-no-computer")
async def no_computer_at_all(life: Life) -> None:
    """None can be had until long after the start."""
    await later(life, 1, 3)
    life.world.survey_error = "the vCenter does not answer"
    await life.skip(minutes=26)
    await waits_for(life, "a computer")
    await life.skip(minutes=100)
    await over(life)


@lived("deleted-survey-fails")
async def the_survey_for_the_preload_fails(life: Life) -> None:
    """The survey itself fails when a computer is to be taken; the look for a place finds one later."""
    await later(life, 1)
    await waits_for(life, "the time to prepare")
    await unasked(life, life.skip(minutes=26))
    await life.skip(minutes=2)
    await waits_for(life, "its start")
    await end(life)


@lived("cancelled-taking")
async def cancelled_while_its_place_is_asked_for(life: Life) -> None:
    """`workflow cancel` while the endpoints are asked, at its time."""
    await later(life, 1)
    await waits_for(life, "the time to prepare")
    hold(life, "survey")
    skipping = asyncio.ensure_future(life.skip(minutes=26))
    await life.when(life.world.held.is_set)
    await cancel(life)
    await life.handle.result()
    go_on(life, "survey")
    await asyncio.wait([skipping])


@lived("deleted-no-computer")
async def deleted_while_no_computer_is_to_be_had(life: Life) -> None:
    """Ended while a place is looked for."""
    await later(life, 1)
    life.world.hosts = (BROKEN,)
    await life.skip(minutes=25, seconds=30)
    await waits_for(life, "a computer")
    await end(life)


@lived("cancelled-no-computer")
async def cancelled_while_no_computer_is_to_be_had(life: Life) -> None:
    """`workflow cancel` while a place is looked for."""
    await later(life, 1)
    life.world.hosts = (BROKEN,)
    await life.skip(minutes=25, seconds=30)
    await waits_for(life, "a computer")
    await cancel(life)


# --- the preload ------------------------------------------------------------------------------------------------------


@lived("noack-scheduled")
async def loaded_before_its_start(life: Life) -> None:
    """Loaded before its start, handed over then; nobody presses Connect."""
    await later(life)
    await waits_for(life, "the time to prepare")
    await life.skip(hours=4, minutes=26)
    await waits_for(life, "its start")
    await life.skip(minutes=35)
    await life.until("reserved")
    await life.skip(minutes=16)
    await over(life)


@lived("deleted-prepared")
async def deleted_when_it_is_ready(life: Life) -> None:
    """Loaded at once, for it starts soon; moved a little; ended before its start: what was made is removed."""
    start = await prepared(life)
    await move(life, start + timedelta(minutes=20))
    await end(life)


@lived("deleted-prepared-kept", **KEPT)
async def kept_when_it_is_deleted(life: Life) -> None:
    """Ended before its start: nobody was let in, so it is kept as a spare."""
    await prepared(life)
    await end(life)


@lived("cancelled-prepared")
async def cancelled_when_it_is_ready(life: Life) -> None:
    """`workflow cancel` while its start is waited for."""
    await prepared(life)
    await cancel(life)


@lived("deleted-put-back")
async def moved_far_away_when_it_is_ready(life: Life) -> None:
    """Its computer is given back, and removed; another is taken in time."""
    start = await prepared(life)
    await move(life, start + timedelta(hours=8))
    await waits_for(life, "the time to prepare")
    await life.skip(hours=8, minutes=7)
    await life.until("reserved")
    await end(life)


@lived("deleted-put-back-kept", **KEPT)
async def moved_far_away_and_kept(life: Life) -> None:
    """Its computer is given back, and kept as a spare."""
    start = await prepared(life)
    await move(life, start + timedelta(hours=8))
    await waits_for(life, "the time to prepare")
    await end(life)


@lived("deleted-put-back-old", **KEPT)
async def moved_far_away_and_of_an_old_revision(life: Life) -> None:
    """Its revision is no longer in production: it can't be kept, and is removed."""
    start = await prepared(life)
    life.store.run(lambda s: catalog.put_image(s, replace(IMAGE, revision=2)))
    await move(life, start + timedelta(hours=8))
    await waits_for(life, "the time to prepare")
    await end(life)


@lived("cancelled-putting-back", **KEPT)
async def cancelled_while_it_is_made_clean(life: Life) -> None:
    """`workflow cancel` while it is made clean to be kept: it ends, and does not wait for its start again."""
    start = await prepared(life)
    life.world.not_yet["sanitize"] = 1
    await life.reservations.reschedule(life.id, Reschedule(start + timedelta(hours=8)))
    await waits_for(life, "to be taken back")
    await cancel(life)


@lived("deleted-putting-back", **KEPT)
async def deleted_while_it_is_made_clean(life: Life) -> None:
    """Ended while it is made clean to be kept: its end takes it back, once."""
    start = await prepared(life)
    life.world.not_yet["sanitize"] = 1
    await life.reservations.reschedule(life.id, Reschedule(start + timedelta(hours=8)))
    await waits_for(life, "to be taken back")
    await life.reservations.end(life.id, End())
    await life.skip(minutes=2)
    await over(life)


@lived("deleted-put-back-late")
async def deleted_while_a_failed_preload_is_taken_back(life: Life) -> None:
    """Taking back what a failed preload made goes on until it is done; ended meanwhile, it ends."""
    life.world.fail = {POWER_ON: StepFailed("esx1 refuses"), "remove": Unreachable("the vCenter does not answer")}
    await later(life, 1)
    await life.skip(minutes=26)
    await waits_for(life, "vm01 to be taken back")
    await life.reservations.end(life.id, End())
    del life.world.fail["remove"]
    await life.skip(minutes=2)
    await over(life)


@lived("deleted-preloading")
async def deleted_while_it_is_preloaded(life: Life) -> None:
    """Ended in the middle of a step of its preload."""
    hold(life, COPY)
    await later(life, 0.5)
    await life.when(life.world.held.is_set)
    await life.reservations.end(life.id, End())
    await over(life)


@lived("cancelled-preloading")
async def cancelled_while_it_is_preloaded(life: Life) -> None:
    """`workflow cancel` in the middle of a step of its preload."""
    hold(life, COPY)
    await later(life, 0.5)
    await life.when(life.world.held.is_set)
    await cancel(life)


@lived("deleted-moved-preloading")
async def moved_far_away_while_it_is_preloaded(life: Life) -> None:
    """The load goes on to its end, and then the computer is given back."""
    hold(life, COPY)
    start = await later(life, 0.5)
    await life.when(life.world.held.is_set)
    await life.reservations.reschedule(life.id, Reschedule(start + timedelta(hours=8)))
    go_on(life, COPY)
    await waits_for(life, "the time to prepare")
    await end(life)


@lived("failed-preload-fenced")
async def the_computer_is_lost_in_its_preload(life: Life) -> None:
    """Its tenure is lost in the middle of its preload: nothing is touched, nothing can be mended."""
    hold(life, COPY)
    await later(life, 0.5)
    await life.when(life.world.held.is_set)
    life.store.run(lambda s: tenures.release(s, "vm01", 1, datetime.now(UTC)))
    go_on(life, COPY)


@lived("timeout-scheduled")
async def away_from_one_that_was_reserved_for_later(life: Life) -> None:
    """What counts as a day is from its start to its end."""
    await later(life, 0.1)
    await waits_for(life, "its start")
    await life.skip(minutes=7)
    await life.until("reserved")
    life.world.connected = [True]
    await connect(life)
    await goes_away(life)
    await life.skip(minutes=18)
    await over(life)


@lived("failed-again")
async def it_fails_again_at_the_start(life: Life) -> None:
    """The preload fails and is taken back; the start does it again, in vain; an operator gives up."""
    life.world.fail[POWER_ON] = StepFailed("esx1 refuses")
    await later(life, 1)
    await life.skip(minutes=26)
    await waits_for(life, "the time to prepare")
    await life.skip(minutes=36)
    await help_needed(life)
    await resolve(life, How.GIVE_UP)
    await over(life)


@lived("deleted-preload-evicting", **KEPT)
async def room_is_made_for_a_preload(life: Life) -> None:
    """Spares are removed before the preload; ended when it is ready."""
    await crowded(life)
    await later(life, 0.5, image="big")
    await waits_for(life, "its start")
    await end(life)


@lived("deleted-while-preload-evicts", **KEPT)
async def deleted_while_room_is_made_for_a_preload(life: Life) -> None:
    """Ended while a spare is removed for its preload."""
    await crowded(life)
    life.world.fail["remove"] = Unreachable("the vCenter does not answer")
    await later(life, 0.5, image="big")
    await doing(life, "remove_computer")
    await life.settled()
    life.world.fail.clear()
    await life.reservations.end(life.id, End())
    await over(life)


@lived("deleted-adopted", **KEPT)
async def a_spare_is_taken_over(life: Life) -> None:
    """A spare is handed out by the short plan, and kept again."""
    await leave_spares(life)
    another(life)
    await later(life, 0.3)
    await waits_for(life, "its start")
    await life.skip(minutes=20)
    await life.until("reserved")
    assert view(life).generation == 2
    await end(life)
