"""Captures as they are recorded: one of a name at a time, nothing half made, and none is forgotten."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from tests.store.lab import NOW, RULES, image
from vclab.model.catalog import Endpoint
from vclab.model.errors import NotFound, Refused
from vclab.model.ids import new_id
from vclab.model.intents import Author
from vclab.model.inventory import HostFacts, Inventory
from vclab.model.messages import Capture
from vclab.model.plans import Becomes, Facts
from vclab.model.reservations import Placed, Refusal, ReserveRequest
from vclab.model.revisions import RevisionState
from vclab.model.states import Ending
from vclab.store import Store, captures, catalog, placement, reservations, revisions

ALICE = Author("alice")
KEEP = timedelta(days=30)
HEARD = Inventory("texts", NOW, (HostFacts("text01", 0, 0), HostFacts("text02", 0, 0)))


@pytest.fixture
def texts(lab: Store) -> Store:
    """Two computers whose text can be captured."""

    def fill(session: Session) -> None:
        catalog.put_endpoint(session, Endpoint("texts", "text-file", "", "", "", ""))
        made = replace(image("greeting", 1024), module="text-file", guest="", ports=(), module_data="old")
        catalog.put_image(session, made)
        for name in ("text01", "text02"):
            catalog.put_lab_computer(session, name, endpoint="texts")

    lab.run(fill)
    return lab


def placed(store: Store, user: str = "alice", imaging: bool = True) -> Placed | Refusal:
    request = ReserveRequest(new_id(), user, "greeting", 3600, imaging=imaging)
    return store.run(lambda s: placement.place(s, request, Author(user), (HEARD,), RULES, NOW))


def in_use(store: Store, user: str = "alice", imaging: bool = True) -> str:
    outcome = placed(store, user, imaging)
    assert isinstance(outcome, Placed), outcome
    id = outcome.reservation
    store.run(lambda s: reservations.ready(s, id, Facts(), NOW))
    store.run(lambda s: reservations.handed_out(s, id, NOW))
    return id


def begin(store: Store, id: str, name: str = "", capture: str = "") -> Becomes:
    wanted = Capture(capture or new_id(), name, "Hello", "much better")
    return store.run(lambda s: captures.begin(s, id, wanted, ALICE, NOW))


def test_it_is_a_revision_for_tests_when_it_is_done(texts: Store) -> None:
    id = in_use(texts)
    becomes = begin(texts, id)
    assert begin(texts, id, capture=becomes.capture) == becomes, "the same again"
    with texts.read() as session, pytest.raises(NotFound):
        revisions.one(session, "greeting", 2)
    for _ in range(2):
        texts.run(lambda s: captures.done(s, becomes, Facts(image_data="new"), KEEP, NOW))
    with texts.read() as session:
        found = revisions.one(session, "greeting", 2)
        assert (found.state, found.origin.parent, found.origin.notes) == (RevisionState.TEST, 1, "much better")
        assert catalog.revision(session, "greeting", 2).module_data == "new"
        assert catalog.image(session, "greeting").revision == 1
    texts.run(lambda s: captures.given_up(s, becomes, "too late", NOW))
    with texts.read() as session:
        assert revisions.one(session, "greeting", 2)


def test_of_one_name_one_runs(texts: Store) -> None:
    first, second = in_use(texts), in_use(texts, "carol")
    assert str(begin(texts, first, "hello")) == "hello/1"
    with pytest.raises(Refused, match="is being captured already, as hello/1"):
        begin(texts, first, "other")
    with pytest.raises(Refused, match="another computer is being captured as hello"):
        begin(texts, second, "hello")
    assert str(begin(texts, second)) == "greeting/2"


def test_what_can_not_be_captured(texts: Store) -> None:
    with pytest.raises(Refused, match="was not reserved for imaging"):
        begin(texts, in_use(texts, imaging=False))
    with pytest.raises(Refused, match="there is an image greeting already"):
        begin(texts, in_use(texts, "carol"), "greeting")


def test_one_whose_workflow_is_gone_is_given_up(texts: Store) -> None:
    id = in_use(texts)
    becomes = begin(texts, id)
    texts.run(lambda s: reservations.ended(s, id, Ending.DELETED, "", NOW))
    texts.run(lambda s: reservations.finished(s, id, NOW))
    texts.run(lambda s: captures.done(s, becomes, Facts(), KEEP, NOW))
    with texts.read() as session, pytest.raises(NotFound):
        revisions.one(session, "greeting", 2)
    again = in_use(texts)
    assert str(begin(texts, again)) == "greeting/2", "its number is free again"


def test_who_has_ended_reads_what_became_of_it(texts: Store) -> None:
    id = in_use(texts)
    becomes = begin(texts, id)
    texts.run(lambda s: reservations.ended(s, id, Ending.RELEASED, f"it is being captured as {becomes}", NOW))
    texts.run(lambda s: captures.done(s, becomes, Facts(image_data="new"), KEEP, NOW))
    with texts.read() as session:
        view = reservations.view(session, id)
    assert view is not None and view.reason == "captured: greeting/2"
