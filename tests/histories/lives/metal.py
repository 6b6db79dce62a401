"""Captures of computers that are lent: sealed and tried on another one of the group, which is waited for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from tests.histories.lives.acts import end, help_needed, resolve, says
from tests.histories.lives.computers import on_metal
from tests.histories.lives.sealing import ask, begun, captured
from tests.workflows.conftest import QUEUE
from tests.workflows.test_load_workflow import Metal
from vclab.model.catalog import User
from vclab.model.errors import Refused
from vclab.model.life import Stage
from vclab.model.messages import Acknowledge, How, Resolve, capture_workflow
from vclab.model.reservations import Waits
from vclab.model.states import Purpose
from vclab.store import captures, catalog, maintenance, tenures
from vclab.store.models import LoadStep
from workflows.capture import Capture

OTHERS = "other"


async def in_use(life: Metal) -> None:
    """Its user may have it captured; the other computer of the group is somebody else's."""
    now = datetime.now(UTC)

    def fill(session: Session) -> None:
        catalog.put_user(session, User("alice", 20001))
        catalog.put_lab_computer(session, "metal2", endpoint="room", address="10.77.0.32")
        tenures.take(session, "metal2", OTHERS, Purpose.LOAD, now, now)

    life.store.run(fill)
    await life.reserve(imaging=True)
    await life.until("reserved")
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    await life.until("inuse")
    await life.settled()


async def waiting(life: Metal, capture: str) -> None:
    """It is taken, and waits for the other computer."""
    handle = life.client.get_workflow_handle(capture)
    await life.when(lambda: getattr(life.view(), "word", "") == "In use")
    text = ""
    while "another computer of room to be free, since " not in text:
        text = await handle.query(Capture.status)
    await life.settled(handle)
    await life.settled()


def free(life: Metal) -> None:
    """The other computer is nobody's any more."""
    life.store.run(lambda s: tenures.release(s, "metal2", 1, datetime.now(UTC)))


@on_metal("sealed-awaited", place_look=1)
async def what_waits_for_a_computer(life: Metal) -> None:
    """No other computer is free: it waits for one, while its user goes on, and is captured."""
    await in_use(life)
    await waiting(life, await ask(life))
    free(life)
    assert not (await captured(life)).origin.untried
    await life.when(lambda: life.computer("metal2").holder == "")
    assert life.computer("metal2").image == ""
    await end(life)


@on_metal("sealed-forgone")
async def one_that_is_given_up_while_it_waits(life: Metal) -> None:
    """An operator gives it up while it waits for a computer; nothing is left of it."""
    await in_use(life)
    await waiting(life, await ask(life))
    await life.operator.resolve(life.id, Resolve(How.GIVE_UP))
    await says(life, "hello/1 was given up: an operator gave it up")
    assert life.metal.disks("room") == []
    await end(life)


@on_metal("sealed-forgone-twice")
async def one_that_is_given_up_twice(life: Metal) -> None:
    """While what was taken is deleted, an operator gives it up once more, and asks for a retry: both are refused."""
    await in_use(life)
    await waiting(life, await ask(life))
    life.behaves(delays={"fake-metal.discard_capture": 300.0})
    await life.operator.resolve(life.id, Resolve(How.GIVE_UP))
    for how in How:
        try:
            await life.operator.resolve(life.id, Resolve(how))
        except Refused:
            continue
        raise AssertionError("it was not refused")
    life.behaves(delays={})
    await end(life)


@on_metal("sealing-elsewhere", help=7200)
async def a_capture_that_goes_on_elsewhere(life: Metal) -> str:
    """A further workflow: the other computer can't be loaded, and goes out of service; a third one is sealed."""
    await in_use(life)
    free(life)
    life.store.run(lambda s: catalog.put_lab_computer(s, "metal3", endpoint="room", address="10.77.0.33"))
    life.fails("fake-metal.begin_sealing")
    capture = await ask(life)
    await help_needed(life)
    assert life.computer("metal2").holder == capture
    life.store.run(lambda s: maintenance.take_out(s, "metal2", "its disk is too small", True, None))
    life.behaves(failures={})
    await resolve(life, How.RETRY)
    await captured(life)
    assert not life.computer("metal2").holder
    assert "fake.seal" in sealed_on(life, "metal3")
    return capture


def sealed_on(life: Metal, computer: str) -> list[str]:
    """The steps that were done there."""
    with life.store.read() as session:
        return [row.name for row in session.query(LoadStep).filter(LoadStep.computer == computer)]


@on_metal("sealing-awaited", place_look=1)
async def a_capture_that_waits(life: Metal) -> str:
    """The second workflow: it takes the other computer as soon as that is free."""
    await in_use(life)
    capture = await ask(life)
    await waiting(life, capture)
    free(life)
    await captured(life)
    return capture


@on_metal("sealing-in-vain")
async def a_capture_that_waits_in_vain(life: Metal) -> str:
    """The second workflow: no other computer is free for a week, and an operator is asked."""
    await in_use(life)
    given = replace(begun(life), waits=Waits(place_look=86_400))
    life.store.run(lambda s: captures.taken(s, given.becomes, given.facts, datetime.now(UTC)))
    given.progress.stage = Stage.SEAL
    id = capture_workflow(given.becomes.capture)
    handle = await life.client.start_workflow(Capture.run, given, id=id, task_queue=QUEUE)
    await life.settled(handle)
    await life.skipper.fast_forward(handle, timedelta(days=10))
    outcome = await handle.result()
    assert "no other computer of room is free" in outcome.why_not
    return id
