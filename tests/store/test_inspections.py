"""Inspections in the store: what becomes the record, who is fenced off, and what a lost workflow leaves."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.store.lab import NOW, RULES
from vclab.model.catalog import Endpoint
from vclab.model.errors import Fenced
from vclab.model.inspections import Inspected
from vclab.model.intents import Author
from vclab.model.messages import Inspect
from vclab.model.nodes import NodeReport
from vclab.model.plans import Target
from vclab.model.states import ComputerState
from vclab.store import catalog, inspections, maintenance, models, tenures, verification
from vclab.store.engine import Store

OLGA = Author("olga", operator=True, act="i1")
EIGHT, FOUR = (json.dumps(NodeReport(cpus=cpus).document()) for cpus in (8, 4))


@pytest.fixture
def node(lab: Store) -> Store:
    """A lab with one computer that can be inspected, and holds an image."""

    def fill(session: Session) -> None:
        catalog.put_endpoint(session, Endpoint("room", "fake-metal", "", "", "", ""))
        catalog.put_lab_computer(session, "m1", endpoint="room")
        row = session.get_one(models.Computer, "m1")
        row.image, row.revision = "debian-12", 1

    lab.run(fill)
    return lab


def begin(store: Store, now: datetime = NOW) -> Target:
    return store.run(lambda s: inspections.begin(s, Inspect("m1"), OLGA, RULES, now))


def end(store: Store, target: Target, hardware: str = "", **more: Any) -> Inspected:
    said = {"accept": False, "why_not": "", "not_back": "", **more}
    return store.run(lambda s: inspections.end(s, target, hardware, now=NOW, **said))


def row(store: Store) -> models.Computer:
    with store.read() as session:
        return session.get_one(models.Computer, "m1")


def test_a_record_that_is_repeated_changes_nothing(node: Store) -> None:
    target = begin(node)
    assert begin(node) == target
    first = end(node, target, EIGHT)
    assert (first.recorded, row(node).hardware, row(node).hardware_at) == (True, EIGHT, NOW)
    assert end(node, target, EIGHT) == first, "a repeat answers the same"
    target = begin(node)
    less = end(node, target, FOUR)
    assert end(node, target, FOUR) == less and less.out_of_service == "it has 4 CPUs, recorded are 8"
    assert row(node).hardware == EIGHT


def test_a_new_one_fences_off_one_whose_workflow_was_terminated(node: Store) -> None:
    lost = begin(node)
    again = begin(node, NOW + timedelta(minutes=5))
    assert again.generation == lost.generation + 1
    with pytest.raises(Fenced):
        node.run(lambda s: tenures.check(s, "m1", lost.generation))
    end(node, lost, FOUR)
    assert row(node).hardware == ""
    assert end(node, again, EIGHT).recorded and row(node).hardware == EIGHT


def test_one_that_is_out_of_service_keeps_its_reason(node: Store) -> None:
    end(node, begin(node), EIGHT)
    node.run(lambda s: maintenance.take_out(s, "m1", "its fan is loud", False, None))
    found = end(node, begin(node), FOUR)
    assert found.out_of_service == "it has 4 CPUs, recorded are 8"
    assert (row(node).state, row(node).why_out_of_service) == (ComputerState.MAINTENANCE, "its fan is loud")


def test_only_the_target_that_is_recorded_passes(node: Store) -> None:
    """What is written into a history by hand changes nothing."""
    target = begin(node)
    node.run(lambda s: verification.check_target(s, target))
    for forged in (
        replace(target, reservation="inspection-m2"),
        replace(target, private_mac="02:76:63:00:00:99"),
        replace(target, module="vsphere"),
        replace(target, image="debian-12", revision=1),
        replace(target, generation=target.generation + 1),
    ):
        with pytest.raises(Fenced):
            node.run(lambda s, forged=forged: verification.check_target(s, forged))  # type: ignore[misc]


def test_the_tenure_of_a_workflow_that_was_lost_ends(node: Store) -> None:
    """Nobody knows what the computer runs then."""
    begin(node)
    node.run(lambda s: inspections.release_lost(s, NOW + timedelta(hours=1)))
    with node.read() as session:
        assert tenures.current(session, "m1") is not None
    node.run(lambda s: inspections.release_lost(s, NOW + timedelta(days=1)))
    with node.read() as session:
        assert tenures.current(session, "m1") is None
    assert row(node).image == ""


def test_what_is_recorded_of_a_computer(node: Store) -> None:
    with node.read() as session:
        assert inspections.recorded(session, "m1") is None
        assert inspections.recorded(session, "nobody") is None
    end(node, begin(node), EIGHT)
    end(node, begin(node, NOW + timedelta(hours=1)), FOUR)  # which differs, and is not accepted
    with node.read() as session:
        assert inspections.recorded(session, "m1") == (NodeReport(cpus=8), NOW)
