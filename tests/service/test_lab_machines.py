"""Lab machines as they are entered: all is checked before a BMC is asked, and before anything is written."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from tests.service.conftest import NOW, Lab
from tests.store.lab import HOUR
from vclab.client.protocol import Client
from vclab.contract import computers, lab_machines
from vclab.contract.computers import Computer
from vclab.contract.lab_machines import LabMachine
from vclab.contract.retiring import Named
from vclab.model.catalog import Endpoint
from vclab.model.errors import Invalid, NotFound, Refused, Unreachable, VclabError
from vclab.model.states import Purpose
from vclab.provisioning import fake_metal, registry
from vclab.provisioning.bare_metal.data import NodeData
from vclab.provisioning.kind import Need
from vclab.store import catalog, tenures

MAC, OTHER_MAC = "52:54:00:00:00:01", "52:54:00:00:00:02"
WAKE = "wol://52-54-00-00-00-01@127.0.0.1:9/127.255.255.255:9"
DEAD = "ipmi://vclab@127.9.9.9:6230"  # nobody listens there


@pytest.fixture(autouse=True)
def nodes(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of nodes, which need a MAC and an address, and one of lab machines."""
    metal = replace(fake_metal.KIND, computer_data=NodeData, computer_needs=(Need.MAC, Need.ADDRESS))
    monkeypatch.setattr(registry, "KINDS", tuple(metal if k is fake_metal.KIND else k for k in registry.KINDS))
    add_group(lab, "metal", fake_metal.NAME)
    add_group(lab, "pcs", "standalone")


def add_group(lab: Lab, name: str, module: str) -> None:
    lab.store.run(lambda session: catalog.put_endpoint(session, Endpoint(name, module, "", "", "", "")))


@pytest.fixture
def root(lab: Lab) -> Client:
    return lab.make_client()


def node(name: str = "m1", **given: str) -> LabMachine:
    last = int(name[1:])
    usual = {"module": fake_metal.NAME, "private_mac": f"52:54:00:00:00:{last:02x}", "address": f"10.9.0.{last}"}
    return LabMachine(name=name, **{**usual, **given})


async def add(root: Client, question: LabMachine) -> Computer:
    return await root.call(lab_machines.add, question)


async def known(root: Client, name: str) -> bool:
    try:
        await root.call(computers.show, Named(name=name))
    except NotFound:
        return False
    return True


async def test_the_only_group_of_a_module_need_not_be_named(lab: Lab, root: Client) -> None:
    made = await add(root, node())
    assert (made.pool, made.module, made.private_mac, made.host_key) == ("metal", fake_metal.NAME, MAC, "")
    add_group(lab, "annex", fake_metal.NAME)
    with pytest.raises(Invalid, match="several groups of the module fake-metal: annex, metal; use --group"):
        await add(root, node("m2"))
    assert (await add(root, node("m2", group="annex"))).pool == "annex"
    again = await add(root, node("m2", address="10.9.0.77"))
    assert (again.pool, again.private_address) == ("annex", "10.9.0.77"), "it stays where it is"
    assert (await add(root, LabMachine(name="m2", address="10.9.0.78"))).private_address == "10.9.0.78"


@pytest.mark.parametrize(
    ("given", "error", "why"),
    [
        (
            {"module": "text-file"},
            NotFound,
            "module text-file; add one with `vclab endpoint add NAME --module text-file`",
        ),
        ({"module": "vsphere"}, Invalid, "computers of the module vsphere are made, not added by name"),
        ({"module": "fake-meta"}, Invalid, "there is no provisioning module 'fake-meta'"),
        ({"group": "pcs"}, Invalid, "pcs is a group of the module standalone, not fake-metal"),
        ({"group": "meta"}, NotFound, "there is no group of lab machines 'meta' (did you mean metal?)"),
        ({"host_key": "ssh-ed25519 AAAA"}, Invalid, "damaged"),
        ({"public_mac": MAC}, Invalid, "two network cards of a computer need different MACs"),
        ({"name": "vm01"}, Refused, "there is already a virtual machine's identity vm01"),
        ({"private_mac": "02:76:63:00:00:01"}, Refused, "the MAC 02:76:63:00:00:01 of m1 belongs to vm01"),
        ({"bmc": "ipmi://10.9.0.11"}, Invalid, "the power address has no user"),
        ({"bmc": "ipmi://vclab:secret@10.9.0.11"}, Invalid, "a power address has no password"),
        ({"fingerprint": "ab"}, Invalid, "belong to a BMC"),
    ],
)
async def test_what_can_not_be_is_said_before_anything_is_written(
    lab: Lab, root: Client, given: dict[str, str], error: type[VclabError], why: str
) -> None:
    question = node("m1").model_copy(update=given)
    with pytest.raises(error) as found:
        await root.call(lab_machines.preview, question)
    assert why in str(found.value)
    with pytest.raises(error):
        await root.call(lab_machines.add, question)
    assert not await known(root, "m1")
    assert lab.backend.secrets.under("power", 1) == []


async def test_what_its_module_needs(root: Client) -> None:
    with pytest.raises(Invalid, match="a computer of metal needs --mac and --address"):
        await add(root, LabMachine(name="m1", module=fake_metal.NAME))
    with pytest.raises(Invalid, match=r"a computer of metal needs --mac$"):
        await add(root, LabMachine(name="m1", module=fake_metal.NAME, address="10.9.0.1"))
    await add(root, node())
    assert (await add(root, LabMachine(name="m1", data={"firmware": "efi"}))).private_mac == MAC


async def test_a_bmc_may_be_needed(lab: Lab, root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = [replace(k, computer_needs=(Need.BMC,)) if k.name == fake_metal.NAME else k for k in registry.KINDS]
    monkeypatch.setattr(registry, "KINDS", tuple(kinds))
    for bmc in ({}, {"bmc": "none"}, {"bmc": WAKE}):
        with pytest.raises(Invalid, match="a computer of metal needs --bmc"):
            await add(root, node(**bmc))
    with pytest.raises(Invalid, match="needs the password of vclab"):
        await add(root, node(bmc=DEAD))
    lab.store.run(lambda session: catalog.put_lab_computer(session, "m1", endpoint="metal"))
    with pytest.raises(Refused, match="a computer of metal needs a BMC: ipmi"):
        await root.call(computers.edit, computers.Edit(name="m1", bmc="none"))


async def test_a_group_that_is_known_no_more(lab: Lab, root: Client) -> None:
    """Its module is none of this release."""
    add_group(lab, "old", "blade-center")
    lab.store.run(lambda session: catalog.put_lab_computer(session, "m1", endpoint="old"))
    with pytest.raises(NotFound, match="there is no group of lab machines 'old'"):
        await add(root, LabMachine(name="m1", address="10.9.0.1"))
    assert (await add(root, node())).pool == "metal"


async def test_what_another_computer_has_is_refused(root: Client) -> None:
    await add(root, node("m1", bmc=WAKE))
    for given, why in (
        ({"private_mac": MAC}, f"the MAC {MAC} of m2 belongs to m1"),
        ({"public_mac": MAC}, f"the MAC {MAC} of m2 belongs to m1"),
        ({"address": "10.9.0.1"}, "the address 10.9.0.1 of m2 belongs to m1"),
        ({"bmc": WAKE}, f"the BMC {MAC} of m2 belongs to m1"),
    ):
        with pytest.raises(Refused, match=why):
            await add(root, node("m2", **given))
    await add(root, node("m2", bmc="none"))
    await add(root, node("m3", bmc="none"))


async def test_a_bmc_is_the_same_whoever_logs_in(lab: Lab, root: Client) -> None:
    from vclab.model.power import PowerAddress
    from vclab.store import power

    await add(root, node("m1"))
    address = PowerAddress("ipmi://admin@10.9.1.1:623", "power/m1/x")
    lab.store.run(lambda session: power.set_address(session, "m1", address))
    with pytest.raises(Refused, match=r"the BMC ipmi://10.9.1.1:623 of m2 belongs to m1"):
        await root.call(lab_machines.preview, node("m2", bmc="ipmi://vclab@10.9.1.1"))
    await add(root, node("m2"))
    for use_case in (computers.preview_edit, computers.edit):
        with pytest.raises(Refused, match=r"the BMC ipmi://10.9.1.1:623 of m2 belongs to m1"):
            await root.call(use_case, computers.Edit(name="m2", bmc="ipmi://vclab@10.9.1.1"))  # type: ignore[misc]
    with pytest.raises(Refused, match="vm01 is a virtual machine's identity: its endpoint switches it"):
        await root.call(computers.preview_edit, computers.Edit(name="vm01", bmc="ipmi://vclab@10.9.1.2"))


async def test_the_same_again_changes_nothing_and_asks_nobody(lab: Lab, root: Client) -> None:
    made = await add(root, node(bmc=WAKE))
    assert (await root.call(lab_machines.preview, node(bmc=WAKE))).url == ""
    assert await add(root, node(bmc=WAKE)) == made
    lab.store.run(lambda s: tenures.take(s, "m1", "r7", Purpose.RESERVATION, NOW + HOUR, NOW))
    assert (await add(root, node())).holder == "r7"
    with pytest.raises(Refused, match="m1 is held by r7"):
        await add(root, node(address="10.9.0.9"))


async def test_nothing_is_written_when_its_bmc_does_not_answer(lab: Lab, root: Client) -> None:
    with pytest.raises(Unreachable, match="m1: 'status' failed: its BMC"):
        await add(root, node(bmc=DEAD).model_copy(update={"password": SecretStr("correct-horse")}))
    assert not await known(root, "m1")
    assert lab.backend.secrets.under("power", 2) == []


async def test_no_password_stays_when_it_can_not_be_written(
    lab: Lab, root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else was quicker while its BMC was asked."""
    from vclab.model.power import PowerAddress
    from vclab.service import power

    async def tried(*_: object) -> power.Tried:
        lab.store.run(lambda s: catalog.put_lab_computer(s, "m9", endpoint="metal", private_mac=MAC))
        return power.Tried("m1", "metal", PowerAddress(DEAD, "power/m1/x"), "correct-horse")

    monkeypatch.setattr(power, "tried", tried)
    with pytest.raises(Refused, match=f"the MAC {MAC} of m1 belongs to m9"):
        await add(root, node(bmc=DEAD).model_copy(update={"password": SecretStr("correct-horse")}))
    assert not await known(root, "m1")
    assert lab.backend.secrets.under("power", 2) == []


async def test_hardware_that_was_removed_comes_back_by_another_name(lab: Lab, root: Client) -> None:
    await add(root, node("m1"))
    lab.store.run(lambda s: tenures.take(s, "m1", "r7", Purpose.RESERVATION, NOW + HOUR, NOW))
    lab.store.run(lambda s: tenures.release(s, "m1", 1, NOW))
    await root.call(computers.remove, Named(name="m1"))
    assert (await add(root, node("m2", private_mac=MAC))).private_mac == MAC
    with pytest.raises(Refused, match=f"the MAC {MAC} of m1 belongs to m2"):
        await add(root, node("m1"))
    assert (await add(root, node("m1", private_mac=OTHER_MAC))).private_mac == OTHER_MAC
