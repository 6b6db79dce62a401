"""Copies of images: made for those who wait, or for nobody any more."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session
from temporalio.client import WorkflowFailureError

from tests.histories.lives.acts import begin, end, go_on, help_needed, hold, resolve, run, waits_for
from tests.histories.lives.catalog import life as lived
from tests.workflows.conftest import IMAGE, Life
from vclab.model import messages
from vclab.model.errors import StepFailed
from vclab.model.messages import How, copy_removal_workflow, copy_verification_workflow, copy_workflow
from vclab.model.revisions import Content, Copied, Place, Wanted
from vclab.store import copies

WANTED = Wanted(IMAGE.name, IMAGE.revision, Place("vc", "ds1"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WAITS = "debian-12/1 to be copied to ds1 of vc"


def elsewhere(life: Life) -> None:
    """The image is on another datastore than the one that machines go to."""
    life.store.run(lambda s: copies.seen(s, IMAGE, "vc", ["ds0"], NOW))


async def waiting(life: Life) -> None:
    """A reservation waits for the copy, which is being made."""
    elsewhere(life)
    hold(life, "make_copy")
    await life.reserve()
    await waits_for(life, WAITS)
    await life.when(life.world.held.is_set)


@lived("copied-first")
async def the_image_is_brought(life: Life) -> None:
    """The image is copied to where the machine goes, then the machine is made from it."""
    await waiting(life)
    go_on(life, "make_copy")
    await life.until("reserved")
    await end(life)


@lived("copied-signal-lost")
async def the_signal_is_lost(life: Life) -> None:
    """The copy's workflow is terminated; it is looked anew after a minute, and goes on."""
    await waiting(life)
    await life.client.get_workflow_handle(copy_workflow(WANTED)).terminate()
    go_on(life, "make_copy")
    await life.skip(seconds=61)
    await life.until("reserved")
    await end(life)


@lived("copied-again")
async def a_copy_that_fails_is_tried_again(life: Life) -> None:
    """There is no room for the copy and no other place; an operator makes some."""
    elsewhere(life)
    life.world.fail["make_copy"] = StepFailed("datastore ds1 has no space")
    await life.reserve()
    await help_needed(life)
    life.world.fail.clear()
    await resolve(life, How.RETRY)
    await life.until("reserved")
    await end(life)


@lived("copied-too-late")
async def a_copy_that_is_not_made_in_time(life: Life) -> None:
    """The copy takes longer than a load may; an operator sees that it is there at last."""
    elsewhere(life)
    hold(life, "make_copy")
    # Of somebody else, who wants it too: time is not skipped for a workflow while a child of its own is at work.
    life.store.run(lambda s: copies.begin(s, WANTED, NOW, kept=True))
    await begin(life, messages.COPY, WANTED, copy_workflow(WANTED))
    await life.when(life.world.held.is_set)
    await life.reserve(hours=4)
    await waits_for(life, WAITS)
    await life.skip(hours=2, minutes=31)
    await help_needed(life)
    go_on(life, "make_copy")
    await life.client.get_workflow_handle(copy_workflow(WANTED)).result()
    await resolve(life, How.RETRY)
    await life.until("reserved")
    await end(life)


@lived("deleted-uncopied")
async def ended_while_it_waits_for_the_copy(life: Life) -> None:
    """Its user ends it; the copy is nobody's then."""
    await waiting(life)
    await end(life)
    go_on(life, "make_copy")


@lived("copy")
async def a_copy(life: Life) -> str:
    """The workflow that makes it, and tells who waits."""
    await waiting(life)
    go_on(life, "make_copy")
    await life.until("reserved")
    return copy_workflow(WANTED)


@lived("copy-unwanted")
async def a_copy_that_nobody_wants(life: Life) -> str:
    """It is stopped when its last waiter has ended."""
    await waiting(life)
    await end(life)
    assert "not wanted any more" in await life.client.get_workflow_handle(copy_workflow(WANTED)).result()
    return copy_workflow(WANTED)


@lived("copy-cancelled")
async def a_copy_that_is_cancelled(life: Life) -> str:
    """`workflow cancel`: those who wait are told that there is none."""
    await waiting(life)
    await life.client.get_workflow_handle(copy_workflow(WANTED)).cancel()
    await help_needed(life)
    return copy_workflow(WANTED)


@lived("copy-failed")
async def a_copy_that_fails(life: Life) -> str:
    """Those who wait are told why."""
    elsewhere(life)
    life.world.fail["make_copy"] = StepFailed("datastore ds1 has no space")
    await life.reserve()
    await help_needed(life)
    return copy_workflow(WANTED)


@lived("copy-needless")
async def a_copy_that_is_there(life: Life) -> str:
    """It is there already: nothing is done."""
    life.store.run(lambda s: copies.seen(s, IMAGE, "vc", ["ds1"], NOW))
    await run(life, messages.COPY, WANTED, copy_workflow(WANTED))
    return copy_workflow(WANTED)


@lived("copy-from-nothing")
async def a_copy_of_what_is_gone(life: Life) -> str:
    """Nothing is left that it could be made from."""
    life.store.run(lambda s: copies.begin(s, WANTED, NOW, kept=True))
    await run(life, messages.COPY, WANTED, copy_workflow(WANTED))
    return copy_workflow(WANTED)


@lived("copy-waiter-gone")
async def a_waiter_is_gone(life: Life) -> str:
    """Who waited was terminated: its signal finds nobody."""
    await waiting(life)
    await life.handle.terminate()
    go_on(life, "make_copy")
    await life.client.get_workflow_handle(copy_workflow(WANTED)).result()
    return copy_workflow(WANTED)


def retiring(life: Life) -> None:
    """A copy that vclab has made is to be deleted."""

    def change(session: Session) -> None:
        copies.begin(session, WANTED, NOW, kept=True)
        copies.made(session, WANTED, Copied("[ds1] copies/debian-12.1/disk.vmdk"), NOW)
        copies.leave_use(session, WANTED, NOW)

    life.store.run(change)


@lived("copy-removed")
async def a_copy_is_deleted(life: Life) -> str:
    """It is deleted, and its row goes."""
    retiring(life)
    await run(life, messages.COPY_REMOVAL, WANTED, copy_removal_workflow(WANTED))
    return copy_removal_workflow(WANTED)


@lived("copy-stays")
async def a_copy_that_is_needed(life: Life) -> str:
    """Its endpoint says that a machine's disk is made from it: it can be used as before."""
    retiring(life)
    life.world.fail["remove_copy"] = StepFailed("the disk of vm01 is made from it")
    await run(life, messages.COPY_REMOVAL, WANTED, copy_removal_workflow(WANTED))
    return copy_removal_workflow(WANTED)


@lived("copy-removal-cancelled")
async def a_removal_that_is_cancelled(life: Life) -> str:
    """`workflow cancel` of the removal: nobody knows what is left, so it is still to be deleted."""
    retiring(life)
    hold(life, "remove_copy")
    handle = await begin(life, messages.COPY_REMOVAL, WANTED, copy_removal_workflow(WANTED))
    await life.when(life.world.held.is_set)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    return copy_removal_workflow(WANTED)


@lived("copy-not-retiring")
async def a_copy_that_is_not_to_be_deleted(life: Life) -> str:
    """It is in use: nothing is done."""
    life.store.run(lambda s: copies.seen(s, IMAGE, "vc", ["ds1"], NOW))
    await run(life, messages.COPY_REMOVAL, WANTED, copy_removal_workflow(WANTED))
    return copy_removal_workflow(WANTED)


def there(life: Life) -> None:
    """A copy that can be read, of a revision whose content is not known."""
    life.store.run(lambda s: copies.seen(s, IMAGE, "vc", ["ds1"], NOW))


async def read(life: Life) -> str:
    """Read the copy back."""
    await run(life, messages.COPY_VERIFICATION, WANTED, copy_verification_workflow("default"))
    return copy_verification_workflow("default")


@lived("copy-read")
async def a_copy_that_is_right(life: Life) -> str:
    """All of its bytes are as they should be."""
    there(life)
    return await read(life)


@lived("copy-broken")
async def a_copy_that_has_other_bytes(life: Life) -> str:
    """It is broken from then on."""
    there(life)
    life.world.content = Content("b" * 64, 1)
    return await read(life)


@lived("copy-unread")
async def a_copy_that_can_not_be_read(life: Life) -> str:
    """Nothing is known of it then."""
    there(life)
    life.world.fail["verify_copy"] = StepFailed("no lease")
    return await read(life)


@lived("copy-unread-cancelled")
async def a_reading_that_is_cancelled(life: Life) -> str:
    """`workflow cancel`: the next one comes tomorrow."""
    there(life)
    hold(life, "verify_copy")
    handle = await begin(life, messages.COPY_VERIFICATION, WANTED, copy_verification_workflow("default"))
    await life.when(life.world.held.is_set)
    await handle.cancel()
    await handle.result()
    return copy_verification_workflow("default")


@lived("copy-not-read")
async def a_copy_that_is_not_to_be_read(life: Life) -> str:
    """It is being deleted: nothing is done."""
    retiring(life)
    return await read(life)
