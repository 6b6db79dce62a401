"""Other systems ask which operating systems a host can run, and have it run one."""

from typing import Any

import pytest

from tests.service.conftest import Lab
from vclab.contract import systems
from vclab.contract.systems import OnHost, Reprovision
from vclab.contract.use_case import Nothing
from vclab.model import catalog as model
from vclab.model.errors import NotFound, Refused
from vclab.store import catalog


@pytest.fixture
def metal(lab: Lab) -> Lab:
    """With bare metal that is pretended, and the hosts of a vCenter that has been heard."""

    def add(session: Any) -> None:
        catalog.put_endpoint(session, model.Endpoint("room", "fake-metal", "fake:", "", "", ""))
        catalog.put_lab_computer(session, "node1", endpoint="room", address="10.77.0.31")
        catalog.put_image(session, model.Image("metal-os", "OS", 1, "fake-metal", "fake", 1, 1024, 8))

    lab.store.run(add)
    lab.reserved()  # which asks the endpoint for its hosts
    return lab


async def test_which_hosts_there_are(metal: Lab) -> None:
    found = await metal.make_client("alice").call(systems.hosts, Nothing())
    assert ("node1", "computer", "room") in [(each.host, each.kind, each.endpoint) for each in found]
    assert ("esx1", "virtualization") in [(each.host, each.kind) for each in found]


async def test_what_a_host_can_run(metal: Lab) -> None:
    client = metal.make_client("alice")
    assert [each.image for each in await client.call(systems.of_host, OnHost(host="node1"))] == ["metal-os"]
    assert "debian-12" in [each.image for each in await client.call(systems.of_host, OnHost(host="esx1"))]
    assert {"debian-12", "metal-os"} <= {each.image for each in await client.call(systems.every, Nothing())}


async def test_an_unknown_host_is_added_elsewhere(metal: Lab) -> None:
    for question in (OnHost(host="esx99"), OnHost(host="node1", endpoint="vc1")):
        with pytest.raises(NotFound, match="through the virtualization software"):
            await metal.make_client("alice").call(systems.of_host, question)


async def test_a_host_runs_another_system(metal: Lab) -> None:
    done = await metal.make_client("olga").call(systems.reprovision, Reprovision(host="node1", image="metal-os"))
    assert (done.name, done.will_hold) == ("node1", "metal-os/1")
    [(computer, message)] = [each for each in metal.workflows.sent if each[0] == "node1"]
    assert (computer, message.image) == ("node1", "metal-os")
    outer, inner = [each for each in metal.intents() if each.verb in ("systems.reprovision", "computers.reload")]
    assert inner.id == message.intent and {outer.outcome, inner.outcome} == {"done"}


async def test_what_is_refused(metal: Lab) -> None:
    question = Reprovision(host="node1", image="metal-os")
    with pytest.raises(Refused, match="alice may not maintain computer node1"):
        await metal.make_client("alice").call(systems.reprovision, question)
    with pytest.raises(Refused, match="runs virtual machines"):
        await metal.make_client("olga").call(systems.reprovision, Reprovision(host="esx1", image="debian-12"))
    with pytest.raises(Refused, match="can't load the image debian-12"):
        await metal.make_client("olga").call(systems.reprovision, Reprovision(host="node1", image="debian-12"))
