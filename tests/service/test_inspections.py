"""Inspections as people ask for them: what is refused before anything begins, and how one stands."""

import json
from datetime import UTC, datetime

import pytest

from tests.service.conftest import Lab
from vclab.contract import inspections
from vclab.contract.inspections import Begin
from vclab.contract.retiring import Named
from vclab.model.catalog import Endpoint
from vclab.model.errors import NotFound, Refused
from vclab.model.inspections import Inspected
from vclab.model.intents import Author
from vclab.model.messages import Inspect
from vclab.model.nodes import NodeReport
from vclab.model.plans import Facts, StepInput
from vclab.model.states import Purpose
from vclab.store import catalog, load_log, tenures
from vclab.store import inspections as store

M1 = Named(name="m1")


@pytest.fixture
def nodes(lab: Lab) -> Lab:
    """A node that can be inspected, and a lab machine that can't."""
    for group, module, name in (("room", "fake-metal", "m1"), ("pcs", "standalone", "pc1")):
        endpoint = Endpoint(group, module, "", "", "", "")
        lab.store.run(lambda s, endpoint=endpoint: catalog.put_endpoint(s, endpoint))  # type: ignore[misc]
        lab.store.run(lambda s, name=name, group=group: catalog.put_lab_computer(s, name, endpoint=group))  # type: ignore[misc]
    return lab


async def test_it_is_begun_by_a_message_that_carries_its_intent(nodes: Lab) -> None:
    begun = await nodes.make_client().call(inspections.inspect, Begin(name="m1", accept=True))
    assert (begun.computer, begun.ended, begun.step) == ("m1", False, 0)
    (intent,) = nodes.intents()
    assert (intent.verb, intent.subject, intent.arguments) == (
        "inspections.inspect",
        "m1",
        {"name": "m1", "accept": True},
    )
    assert nodes.workflows.sent == [("m1", Inspect("m1", True, intent.id))]


@pytest.mark.parametrize(
    ("name", "error", "why"),
    [
        ("m2", NotFound, "there is no computer 'm2'"),
        ("vm01", Refused, "vm01 is a virtual machine's identity"),
        ("pc1", Refused, "its module standalone does not read hardware"),
    ],
)
async def test_what_can_not_be_inspected_is_refused(nodes: Lab, name: str, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        await nodes.make_client().call(inspections.inspect, Begin(name=name))
    assert nodes.workflows.sent == []


async def test_one_that_is_held_is_refused(nodes: Lab) -> None:
    now = datetime.now(UTC)
    nodes.store.run(lambda s: tenures.take(s, "m1", "somebody", Purpose.RESERVATION, now, now))
    with pytest.raises(Refused, match="m1 is held by somebody"):
        await nodes.make_client().call(inspections.inspect, Begin(name="m1"))


async def test_one_that_runs_tells_its_step(nodes: Lab) -> None:
    client, now, rules = nodes.make_client(), datetime.now(UTC), nodes.backend.settings.rules()
    assert (await client.call(inspections.look, M1)).step == 0
    target = nodes.store.run(lambda s: store.begin(s, Inspect("m1"), Author("olga"), rules, now))
    given = StepInput("fake-metal.inspect", "Read its hardware", target, Facts(), 2, 2, part="inspection")
    nodes.store.run(lambda s: load_log.started(s, given, 1, now))
    seen = await client.call(inspections.look, M1)
    assert (seen.ended, seen.step, seen.steps, seen.step_title) == (False, 2, 2, "Read its hardware")
    nodes.store.run(lambda s: store.end(s, target, "", False, "it was cancelled", "", now))
    assert (await client.call(inspections.look, M1)).step == 0, "the next one has not begun a step yet"


async def test_what_was_found_is_told(nodes: Lab) -> None:
    report = json.dumps(NodeReport(cpus=4).document())
    nodes.workflows.inspection = Inspected(report, ("it has 4 CPUs, recorded are 8",), out_of_service="too few")
    seen = await nodes.make_client().call(inspections.look, M1)
    assert (seen.ended, seen.hardware["cpus"], seen.out_of_service) == (True, 4, "too few")
    assert seen.differences == ("it has 4 CPUs, recorded are 8",)
    nodes.workflows.inspection = Refused("m1: step 2: it does not answer")
    seen = await nodes.make_client().call(inspections.look, M1)
    assert (seen.ended, seen.why_not, seen.hardware) == (True, "m1: step 2: it does not answer", {})
