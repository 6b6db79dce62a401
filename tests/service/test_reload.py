"""Loading several computers anew: all or none, now or when they are free, and only what was asked for."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from tests.service.conftest import NOW, Lab
from tests.store.lab import HOUR, image
from vclab.contract.computers import Reload, Reloaded, WhichReload, preview_reload, reload
from vclab.contract.use_case import A, Q, UseCase
from vclab.model import messages
from vclab.model.catalog import Computer, Endpoint
from vclab.model.errors import Invalid, NotFound, Refused
from vclab.model.intents import Outcome, Verb
from vclab.model.states import Purpose
from vclab.service.actor import Actor, Authentication, Role
from vclab.service.use_case import perform
from vclab.store import catalog, intents, maintenance, tenures

OLGA = Actor("olga", frozenset({Role.OPERATOR}), Authentication.ACCOUNT, "olga")
METAL = replace(image("metal", 1024), module="fake-metal", module_data="")


def call(lab: Lab, use_case: UseCase[Q, A], question: Q) -> A:
    return asyncio.run(perform(use_case, lab.backend, OLGA, question))


def computer(lab: Lab, name: str) -> Computer:
    with lab.store.read() as session:
        return catalog.computer(session, name)


@pytest.fixture
def room(lab: Lab) -> Lab:
    """Three computers of a group, of which somebody has the second."""

    def fill(session: Session) -> None:
        catalog.put_endpoint(session, Endpoint("room", "fake-metal", "", "", "", ""))
        catalog.put_endpoint(session, Endpoint("labs", "standalone", "", "", "", ""))
        catalog.put_image(session, METAL)
        for number in (1, 2, 3):
            catalog.put_lab_computer(session, f"m{number}", "", "room", f"10.0.0.{number}")
        tenures.take(session, "m2", "r7", Purpose.RESERVATION, NOW + HOUR, NOW)

    lab.store.run(fill)
    return lab


def rows(found: tuple[Reloaded, ...]) -> list[tuple[str, str, str, str]]:
    return [(each.name, each.will_hold, each.holder, each.why_not) for each in found]


def test_a_preview_of_whom_it_hits(room: Lab) -> None:
    """Of a group and of single computers, each once; nothing is changed."""
    which = WhichReload(names=("m3", "m1"), group="room", image="metal")
    held = "m2 is held by r7"
    free = [("m1", "metal/1", "", ""), ("m3", "metal/1", "", "")]
    assert rows(call(room, preview_reload, which)) == [free[0], ("m2", "metal/1", "r7", held), free[1]]
    later = call(room, preview_reload, which.model_copy(update={"when_free": True}))
    assert rows(later) == [free[0], ("m2", "metal/1", "r7", ""), free[1]]
    assert later[1].until == NOW + HOUR
    (unknown,) = call(room, preview_reload, WhichReload(names=("m1",)))
    assert "nothing was ever loaded on m1" in unknown.why_not
    assert room.workflows.sent == [] and computer(room, "m1").load_intent == ""


def test_one_in_maintenance_is_named_or_left_out(room: Lab) -> None:
    """Somebody may have its case open. That a load brings it back to service is shown."""
    room.store.run(lambda s: maintenance.take_out(s, "m3", "a new fan", False, None))
    which = WhichReload(group="room", image="metal", when_free=True)
    assert [each.name for each in call(room, preview_reload, which)] == ["m1", "m2"]
    named = call(room, preview_reload, WhichReload(names=("m1", "m3"), image="metal"))
    assert [each.why_out_of_service for each in named] == ["", "a new fan"]
    with pytest.raises(Refused, match="labs is empty"):
        call(room, preview_reload, WhichReload(group="labs"))


@pytest.mark.parametrize(
    ("names", "error", "why"),
    [
        (("m1", "m2", "m3"), Refused, "m2 is held by r7; nothing was begun"),
        (("m1", "m9"), NotFound, "there is no computer 'm9'"),
        (("m1", "vm01"), Refused, "vm01 can't be loaded without a reservation"),
        ((), Invalid, "no computer is named"),
    ],
)
def test_all_or_none(room: Lab, names: tuple[str, ...], error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        call(room, reload, Reload(names=names, image="metal"))
    assert room.workflows.sent == []
    assert all(not computer(room, name).load_intent for name in ("m1", "m2", "m3"))


def test_those_that_are_free_at_once_and_the_others_later(room: Lab) -> None:
    """The messages carry the intent, which speaks of these computers and this image only."""
    found = call(room, reload, Reload(names=("m1", "m2"), image="metal", revision=1, when_free=True))
    assert [each.name for each in found] == ["m1", "m2"]
    ((name, message),) = room.workflows.sent
    assert (name, message) == ("m1", messages.Reload("m1", "metal", computer(room, "m1").load_intent, 1))
    waiting = computer(room, "m2")
    assert (waiting.load_intent, waiting.load_image, waiting.load_revision) == (message.intent, "metal", 1)
    with room.store.read() as session:
        assert intents.find(session, message.intent).outcome is Outcome.DONE
        for named in ("m1", "m2"):
            author = intents.author(session, message.intent, Verb.RELOAD, named, image="metal", revision=1)
            assert author.who == "olga"
        for named, what, revision in (("m3", "metal", 1), ("m1", "other", 1), ("m1", "metal", 2)):
            with pytest.raises(Refused, match="asks for something else"):
                intents.author(session, message.intent, Verb.RELOAD, named, image=what, revision=revision)


def test_one_that_is_being_loaded_follows(room: Lab) -> None:
    """Its workflow runs still: what is wanted stays written down."""

    def runs(message: object) -> None:
        raise Refused("m1 is being loaded already")

    room.workflows.does = runs
    call(room, reload, Reload(names=("m1", "m3"), image="metal"))
    assert [name for name, _ in room.workflows.sent] == ["m1", "m3"]
    assert computer(room, "m1").load_intent and computer(room, "m3").load_intent


def test_a_revision_belongs_to_an_image(room: Lab) -> None:
    with pytest.raises(Invalid, match="a revision belongs to an image"):
        call(room, preview_reload, WhichReload(names=("m1",), revision=1))
