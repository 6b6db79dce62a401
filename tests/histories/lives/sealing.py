"""Captures of virtual machines: what they hold is taken, sealed and tried on throw-away computers, and published."""

from dataclasses import replace
from datetime import UTC, datetime

import sqlalchemy as sa

from tests.fakes import COPY_RAW, COPY_SEALED, PUBLISH, SEAL, SHUT_DOWN, TRY_LOGIN
from tests.histories.lives.acts import (
    AWAY,
    TWO_HOSTS,
    end,
    go_on,
    help_needed,
    hold,
    in_use,
    over,
    resolve,
    says,
    view,
    waits_for,
)
from tests.histories.lives.catalog import life as lived
from tests.workflows.conftest import QUEUE, Life
from vclab.model import ids
from vclab.model.captures import CaptureInput, CaptureOutcome
from vclab.model.catalog import User
from vclab.model.errors import StepFailed
from vclab.model.intents import Author
from vclab.model.inventory import PoolKind
from vclab.model.messages import Capture, End, How, capture_workflow
from vclab.model.plans import Whereabouts
from vclab.model.reservations import Waits
from vclab.model.revisions import RevisionState
from vclab.store import captures, catalog, computers, needs_help, revisions, targets, tenures
from vclab.store.models import Pool, Reservation
from workflows.capture import Capture as CaptureWorkflow

BROKEN = StepFailed("esx1 refuses")


async def used(life: Life, capture_at_end: bool = False) -> None:
    """A virtual machine is in use, on one of two hosts; it may be captured."""
    life.world.hosts = TWO_HOSTS
    life.store.run(lambda s: catalog.put_user(s, User("alice", 20001)))
    await in_use(life, imaging=True, capture_at_end=capture_at_end)


async def ask(life: Life, untried: bool = False, release: bool = False) -> str:
    """Have it captured; the id of the capture's workflow."""
    wanted = Capture(ids.new_id(), "hello", "Hello", untried=untried, release=release)
    await life.reservations.capture(life.id, wanted)
    return capture_workflow(wanted.capture)


async def taken(life: Life) -> None:
    """It is its user's again; what it held is being sealed."""
    await life.when(lambda: getattr(life.view(), "word", "") == "In use")
    await life.settled()


async def captured(life: Life) -> revisions.RevisionFacts:
    """The revision is there."""
    await life.when(lambda: _number(life) == 1)
    await life.settled()
    with life.store.read() as session:
        return revisions.one(session, "hello", 1)


def _number(life: Life) -> int:
    with life.store.read() as session:
        return catalog.newest_revision(session, "hello")


def _newest(life: Life) -> int:
    with life.store.read() as session:
        return catalog.newest_revision(session, "debian-12")


def held(life: Life) -> int:
    """How many computers are held."""
    with life.store.read() as session:
        return sum(tenures.current(session, f"vm0{number}") is not None for number in range(1, 6))


def waiting(life: Life) -> list[str]:
    """The reservations that wait for help."""
    with life.store.read() as session:
        return [id for id, _ in needs_help.waiting(session)]


@lived("sealed")
async def what_it_holds_is_sealed(life: Life) -> None:
    """It is taken, sealed, tried and published; its user goes on meanwhile."""
    await used(life)
    hold(life, COPY_RAW.name)
    await ask(life)
    await waits_for(life, "vm01 to be captured as hello/1")
    go_on(life, COPY_RAW.name)
    found = await captured(life)
    assert found.origin.sha256 == "bb"
    assert not found.origin.untried
    assert [copy.place.storage for copy in found.copies] == ["ds1"]
    assert held(life) == 1
    await end(life)


@lived("sealed-untried")
async def without_a_boot_test(life: Life) -> None:
    """It is published untried, and says so."""
    await used(life)
    await ask(life, untried=True)
    assert (await captured(life)).origin.untried
    assert TRY_LOGIN.name not in life.world.done
    await end(life)


@lived("sealed-released")
async def one_that_ends_when_it_is_taken(life: Life) -> None:
    """Its user wants it released as soon as what it holds is taken: it ends, and is captured."""
    await used(life)
    hold(life, PUBLISH.name)
    await ask(life, release=True)
    await life.until("reclaim")
    go_on(life, PUBLISH.name)
    await over(life)
    assert _number(life) == 1
    assert held(life) == 0


@lived("sealed-again")
async def a_copy_that_was_helped(life: Life) -> None:
    """Its disk can't be copied; with an operator's help it goes on from there."""
    await used(life)
    life.world.fail[COPY_RAW.name] = BROKEN
    await ask(life)
    await help_needed(life)
    life.world.fail.clear()
    await resolve(life, How.RETRY)
    await captured(life)
    assert life.world.done.count(SHUT_DOWN.name) == 1
    await end(life)


@lived("sealed-anew")
async def a_throw_away_computer_that_is_lost(life: Life) -> None:
    """It fails while it is sealed: that is begun anew from a fresh one, then an operator is asked for help, beside the
    reservation."""
    await used(life)
    life.world.fail[SEAL.name] = BROKEN
    await ask(life)
    await help_needed(life)
    assert life.world.done.count("vsphere.create_vm") == 3
    life.world.fail.clear()
    await resolve(life, How.RETRY)
    await captured(life)
    await end(life)


@lived("sealed-not")
async def one_that_does_not_boot(life: Life) -> None:
    """Nobody can log in to what was sealed: an operator gives it up, and nothing is left of it."""
    await used(life)
    life.world.fail[TRY_LOGIN.name] = StepFailed("it wants another password")
    await ask(life)
    await help_needed(life)
    await resolve(life, How.GIVE_UP)
    await says(life, "hello/1 was given up")
    assert COPY_RAW.undo in life.world.done
    assert held(life) == 1
    await end(life)
    assert _number(life) == 0


@lived("sealed-ended")
async def one_that_needs_help_after_its_end(life: Life) -> None:
    """Its reservation ends while it is sealed, and help is needed after that: it is captured all the same."""
    await used(life)
    life.world.fail[PUBLISH.name] = BROKEN
    hold(life, COPY_SEALED.name)
    await ask(life)
    await taken(life)
    await life.when(life.world.held.is_set)
    await life.reservations.end(life.id, End())
    await life.until("reclaim")
    go_on(life, COPY_SEALED.name)
    await life.when(lambda: waiting(life) == [life.id])
    await life.settled()
    life.world.fail.clear()
    await resolve(life, How.RETRY)
    await over(life)
    assert _number(life) == 1


@lived("sealed-helpless", help=600)
async def one_that_nobody_helps(life: Life) -> None:
    """Nobody comes in time: it is given up."""
    await used(life)
    life.world.fail[PUBLISH.name] = BROKEN
    await ask(life)
    await help_needed(life)
    await life.skip(seconds=601)
    await says(life, "hello/1 was given up")
    await end(life)


@lived("sealed-nowhere")
async def no_throw_away_computer(life: Life) -> None:
    """No host has room for a throw-away computer: an operator is asked."""
    await used(life)
    life.world.hosts = ()
    await ask(life)
    await help_needed(life)
    life.world.hosts = TWO_HOSTS
    await resolve(life, How.RETRY)
    await captured(life)
    await end(life)


@lived("sealed-lost")
async def one_that_does_not_come_back(life: Life) -> None:
    """The computer does not come up again: that is shown, and it is captured."""
    await used(life)
    life.world.fail["vsphere.power_on"] = BROKEN
    life.world.look_error, life.world.whereabouts = AWAY, Whereabouts(trouble="vm01 is off")
    hold(life, COPY_SEALED.name)
    await ask(life)
    await says(life, f"vm01 is off. If it is only off, `vclab reboot {life.id}` starts it")
    life.world.fail.clear()
    go_on(life, COPY_SEALED.name)
    await captured(life)
    await end(life)


@lived("sealed-cancelled")
async def one_that_is_cancelled_while_it_is_sealed(life: Life) -> None:
    """`workflow cancel` of the reservation: the computer is taken back, and it is captured."""
    await used(life)
    life.world.hosts = ()
    await ask(life)
    await help_needed(life)
    await life.handle.cancel()
    await life.until("reclaim")
    life.world.hosts = TWO_HOSTS
    await resolve(life, How.RETRY)
    await over(life)
    assert _number(life) == 1


@lived("sealing")
async def a_capture(life: Life) -> str:
    """The workflow that seals."""
    await used(life)
    id = await ask(life)
    await captured(life)
    return id


@lived("sealing-not")
async def a_capture_that_is_given_up(life: Life) -> str:
    """The workflow that puts back what was published, sealed and taken."""
    await used(life)
    life.world.fail[PUBLISH.name] = BROKEN
    id = await ask(life)
    await help_needed(life)
    await resolve(life, How.GIVE_UP)
    await says(life, "hello/1 was given up")
    return id


@lived("sealed-given-up", help=0)
async def one_that_nobody_is_asked_for(life: Life) -> None:
    """Nobody is asked for help: what was taken is given up at once."""
    await used(life)
    life.world.fail[PUBLISH.name] = BROKEN
    await ask(life)
    await says(life, "hello/1 was given up")
    await end(life)


@lived("sealed-at-end")
async def one_that_reaches_its_end(life: Life) -> None:
    """It is to be captured at its end, which its user is told: it shuts down then, and is captured."""
    await used(life, capture_at_end=True)
    await life.skip(minutes=56)
    await life.when(lambda: "It is captured at its end" in life.world.notices[-1])
    await life.skip(minutes=6)
    await over(life)
    with life.store.read() as session:
        found = revisions.one(session, "debian-12", 2)
    assert (found.origin.made_by, found.state) == ("vclab", RevisionState.TEST)


@lived("sealed-before-end")
async def one_that_was_captured_before(life: Life) -> None:
    """It was captured before its end: then it ends as any other."""
    await used(life, capture_at_end=True)
    await ask(life)
    await captured(life)
    await life.skip(minutes=62)
    await over(life)
    assert _newest(life) == 1


@lived("sealed-not-at-end")
async def one_that_can_not_be_captured_at_its_end(life: Life) -> None:
    """There is no room for its copies any more: it ends, and that is told."""
    await used(life, capture_at_end=True)
    life.store.run(lambda s: s.execute(sa.update(Pool).where(Pool.kind == PoolKind.DATASTORE).values(disk_gb=9)))
    await life.skip(minutes=62)
    await over(life)
    assert "it could not be captured" in view(life).reason


@lived("sealed-lost-at-end")
async def one_that_is_not_captured(life: Life) -> None:
    """Not captured, and not to be at its end: its user is told before."""
    life.world.hosts = TWO_HOSTS
    await used(life)
    await life.skip(minutes=56)
    await life.when(lambda: "It is not captured yet" in life.world.notices[-1])
    await end(life)


def begun(life: Life) -> CaptureInput:
    """A capture that has begun, for a workflow without a reservation's."""
    wanted, now = Capture(ids.new_id(), "hello", "Hello"), datetime.now(UTC)
    becomes = life.store.run(lambda s: captures.begin(s, life.id, wanted, Author("alice"), now))
    with life.store.read() as session:
        row = session.get_one(Reservation, life.id)
        return CaptureInput(targets.of(row), becomes, Waits(), computers.facts(row))


async def try_(life: Life, given: CaptureInput) -> tuple[str, CaptureOutcome]:
    """One run of its workflow: its id, and how it has ended."""
    id = capture_workflow(given.becomes.capture)
    handle = await life.client.start_workflow(CaptureWorkflow.run, given, id=id, task_queue=QUEUE)
    return id, await handle.result()


@lived("sealing-taken")
async def a_capture_that_has_taken(life: Life) -> str:
    """The first workflow: what the computer holds is taken, and it is its user's again."""
    await used(life)
    id, outcome = await try_(life, begun(life))
    assert outcome.taken
    assert outcome.handed_back.private_address == "10.77.0.9"
    return id


@lived("sealing-not-back")
async def a_capture_that_leaves_it_off(life: Life) -> str:
    """The first workflow: the computer does not come back, which ends nothing."""
    await used(life)
    life.world.fail["vsphere.power_on"] = BROKEN
    id, outcome = await try_(life, begun(life))
    assert outcome.taken
    assert "esx1 refuses" in outcome.not_handed_back
    return id


@lived("sealing-cancelled")
async def a_capture_that_is_cancelled(life: Life) -> str:
    """The first workflow, cancelled while the computer comes back: what was taken is kept."""
    await used(life)
    hold(life, "vsphere.power_on")
    given = begun(life)
    id = capture_workflow(given.becomes.capture)
    handle = await life.client.start_workflow(CaptureWorkflow.run, given, id=id, task_queue=QUEUE)
    await life.when(life.world.held.is_set)
    await handle.cancel()
    outcome = await handle.result()
    assert outcome.taken
    return id


@lived("sealing-nowhere")
async def a_capture_without_a_throw_away_computer(life: Life) -> str:
    """The second workflow: there is no room."""
    await used(life)
    given = begun(life)
    _, outcome = await try_(life, given)
    life.world.hosts = ()
    id, outcome = await try_(life, replace(given, progress=outcome.progress))
    assert outcome.failed == "a throw-away computer"
    return id


@lived("sealing-again")
async def a_capture_that_was_helped(life: Life) -> str:
    """A further workflow: an operator has mended what kept it from being sealed."""
    await used(life)
    given = begun(life)
    _, outcome = await try_(life, given)
    life.world.fail[SEAL.name] = BROKEN
    _, outcome = await try_(life, replace(given, progress=outcome.progress))
    assert "esx1 refuses" in outcome.why_not
    life.world.fail.clear()
    id, outcome = await try_(life, replace(given, progress=outcome.progress))
    assert not outcome.why_not
    return id


@lived("sealing-anew")
async def a_capture_on_a_lost_computer(life: Life) -> str:
    """The second workflow: it is begun anew by itself, once."""
    await used(life)
    given = begun(life)
    _, outcome = await try_(life, given)
    life.world.fail[SEAL.name] = BROKEN
    id, outcome = await try_(life, replace(given, progress=outcome.progress))
    assert outcome.progress.anew == 1
    return id


@lived("sealing-terminated")
async def a_capture_that_was_terminated(life: Life) -> str:
    """A further workflow: the one before was terminated while it tried what was sealed, so it seals anew."""
    await used(life)
    given = begun(life)
    _, outcome = await try_(life, given)
    hold(life, "vsphere.power_on")
    given = replace(given, progress=outcome.progress)
    id = capture_workflow(given.becomes.capture)
    life.world.done.clear()
    handle = await life.client.start_workflow(CaptureWorkflow.run, given, id=id, task_queue=QUEUE)
    await life.when(life.world.held.is_set)
    await handle.terminate()
    go_on(life, "vsphere.power_on")
    id, outcome = await try_(life, given)
    assert not outcome.why_not
    assert life.world.done.count(SEAL.name) == 2
    return id
