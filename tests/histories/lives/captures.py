"""Captures: what a reservation's computer holds becomes a revision, or does not."""

from dataclasses import replace

from sqlalchemy.orm import Session

from tests.fakes import READ, WRITE
from tests.histories.lives.acts import end, go_on, help_needed, hold, over, refused, resolve, waits_for
from tests.histories.lives.catalog import life as lived
from tests.workflows.conftest import IMAGE, Life
from vclab.model import ids
from vclab.model.catalog import Endpoint, User
from vclab.model.errors import StepFailed
from vclab.model.inventory import HostFacts
from vclab.model.messages import Acknowledge, Capture, End, How, capture_workflow
from vclab.store import catalog, revisions

FULL = StepFailed("the text is too long")
CAPTURED = "text01 to be captured as hello/1"


async def handed_out(life: Life, imaging: bool = True) -> None:
    """A text is in use; it may be captured."""

    def fill(session: Session) -> None:
        catalog.put_user(session, User("alice", 20001))
        catalog.put_endpoint(session, Endpoint("texts", "text-file", "", "", "", ""))
        catalog.put_image(session, replace(IMAGE, name="text", module="text-file", guest="", ports=()))
        catalog.put_lab_computer(session, "text01", endpoint="texts")

    life.store.run(fill)
    life.world.hosts += (HostFacts("text01", 0, 0),)
    await life.reserve(image="text", imaging=imaging)
    await life.until("reserved")
    await life.reservations.acknowledge(life.id, Acknowledge(""))
    await life.until("inuse")
    await life.settled()


async def ask(life: Life) -> str:
    """Have it captured; the id of the capture's workflow."""
    wanted = Capture(ids.new_id(), "hello", "Hello")
    await life.reservations.capture(life.id, wanted)
    return capture_workflow(wanted.capture)


async def captured(life: Life) -> None:
    """The revision is there."""
    await life.when(lambda: number(life) == 1)
    await life.settled()


def number(life: Life) -> int:
    with life.store.read() as session:
        return catalog.newest_revision(session, "hello")


@lived("captured")
async def what_it_holds_becomes_a_revision(life: Life) -> None:
    """It is captured, and its user's again."""
    await handed_out(life)
    await ask(life)
    await captured(life)
    with life.store.read() as session:
        assert revisions.one(session, "hello", 1).origin.parent_image == "text"
    await end(life)


@lived("captured-refused")
async def what_was_not_reserved_for_imaging(life: Life) -> None:
    """It is not captured, and nothing is begun."""
    await handed_out(life, imaging=False)
    await refused(ask(life))
    await end(life)


@lived("captured-again")
async def a_capture_that_was_helped(life: Life) -> None:
    """A step fails; with an operator's help it goes on from there."""
    await handed_out(life)
    life.world.fail[READ.name] = FULL
    await ask(life)
    await help_needed(life)
    life.world.fail.clear()
    await resolve(life, How.RETRY)
    await captured(life)
    await end(life)


@lived("captured-not")
async def a_capture_that_is_given_up(life: Life) -> None:
    """An operator gives it up; what was done is put back, and the computer is its user's again."""
    await handed_out(life)
    life.world.fail[READ.name] = FULL
    await ask(life)
    await help_needed(life)
    life.world.done.clear()
    await resolve(life, How.GIVE_UP)
    await life.when(lambda: WRITE.name in life.world.done)
    await life.when(lambda: getattr(life.view(), "word", "") == "In use")
    assert number(life) == 0
    await end(life)


@lived("captured-helpless", help=0)
async def a_capture_that_nobody_helps(life: Life) -> None:
    """Nobody is asked: it is given up at once. That something could not be put back is told."""
    await handed_out(life)
    life.world.fail |= {READ.name: FULL, WRITE.name: FULL}
    await ask(life)
    await life.when(lambda: getattr(life.view(), "word", "") == "In use")
    life.world.fail.clear()
    await end(life)


@lived("captured-and-ended")
async def one_that_ends_while_it_is_captured(life: Life) -> None:
    """Its user ends it meanwhile: it is captured first, then taken back."""
    await handed_out(life)
    hold(life, READ.name)
    await ask(life)
    await waits_for(life, CAPTURED)
    await life.reservations.end(life.id, End())
    go_on(life, READ.name)
    await over(life)
    assert number(life) == 1


@lived("captured-not-and-ended")
async def one_that_ends_while_help_is_asked_for(life: Life) -> None:
    """Its user ends it while its capture needs help: that is given up."""
    await handed_out(life)
    life.world.fail[READ.name] = FULL
    await ask(life)
    await help_needed(life)
    await end(life)


@lived("captured-cancelled")
async def one_that_is_cancelled_while_it_is_captured(life: Life) -> None:
    """`workflow cancel` of the reservation: what has begun is done first, then it is taken back."""
    await handed_out(life)
    hold(life, READ.name)
    await ask(life)
    await waits_for(life, CAPTURED)
    await life.when(life.world.held.is_set)
    await life.handle.cancel()
    await life.settled()
    go_on(life, READ.name)
    await over(life)
    assert number(life) == 1


@lived("captured-not-cancelled")
async def one_that_is_cancelled_while_help_is_asked_for(life: Life) -> None:
    """`workflow cancel` of the reservation while its capture needs help: that is given up, then it is taken back."""
    await handed_out(life)
    life.world.fail[READ.name] = FULL
    await ask(life)
    await help_needed(life)
    life.world.fail.clear()
    await life.handle.cancel()
    await over(life)
    assert number(life) == 0


@lived("captured-terminated")
async def a_capture_that_is_terminated(life: Life) -> None:
    """Its workflow is terminated: help is asked for."""
    await handed_out(life)
    hold(life, READ.name)
    id = await ask(life)
    await waits_for(life, CAPTURED)
    await life.client.get_workflow_handle(id).terminate()
    life.world.hold.pop(READ.name).set()
    await help_needed(life)
    await resolve(life, How.RETRY)
    await captured(life)
    await end(life)


@lived("capture")
async def a_capture(life: Life) -> str:
    """The workflow that does it."""
    await handed_out(life)
    id = await ask(life)
    await captured(life)
    return id


@lived("capture-failed")
async def a_capture_that_fails(life: Life) -> str:
    """It tells its reservation which step has failed, and why."""
    await handed_out(life)
    life.world.fail[READ.name] = FULL
    id = await ask(life)
    await help_needed(life)
    return id


@lived("capture-unplanned")
async def a_capture_without_a_plan(life: Life) -> str:
    """It can't even be planned; given up, there is nothing to put back."""
    await handed_out(life)
    life.world.fail["capture"] = StepFailed("no such computer")
    id = await ask(life)
    await help_needed(life)
    await resolve(life, How.GIVE_UP)
    await life.when(lambda: getattr(life.view(), "word", "") == "In use")
    return id


@lived("capture-given-up", help=0)
async def a_capture_that_was_given_up(life: Life) -> str:
    """All is put back."""
    await handed_out(life)
    life.world.fail[READ.name] = FULL
    id = await ask(life)
    await life.when(lambda: getattr(life.view(), "word", "") == "In use")
    return id


@lived("capture-not-put-back", help=0)
async def a_capture_that_can_not_be_put_back(life: Life) -> str:
    """What is left is told."""
    await handed_out(life)
    life.world.fail |= {READ.name: FULL, WRITE.name: FULL}
    id = await ask(life)
    await life.when(lambda: getattr(life.view(), "word", "") == "In use")
    return id


@lived("capture-cancelled")
async def a_capture_that_is_cancelled(life: Life) -> str:
    """`workflow cancel`: its reservation asks for help, and it is captured after all."""
    await handed_out(life)
    hold(life, READ.name)
    id = await ask(life)
    await waits_for(life, CAPTURED)
    first = life.client.get_workflow_handle(id)
    await first.cancel()
    await help_needed(life)
    return id
