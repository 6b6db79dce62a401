"""Computers of a module that must know something of each: checked before anything is written."""

from dataclasses import replace

import pytest

from tests.service.conftest import Lab
from vclab.contract import computers, lab_machines
from vclab.contract.retiring import Named
from vclab.model.catalog import Endpoint
from vclab.model.errors import Invalid, Refused
from vclab.provisioning import fake_metal, registry
from vclab.provisioning.bare_metal.data import NodeData
from vclab.store import catalog


@pytest.fixture(autouse=True)
def nodes(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of nodes, and one of lab machines of which nothing more is known."""
    kinds = [replace(kind, computer_data=NodeData) if kind is fake_metal.KIND else kind for kind in registry.KINDS]
    monkeypatch.setattr(registry, "KINDS", tuple(kinds))
    for name, module in (("metal", fake_metal.NAME), ("pcs", "standalone")):
        endpoint = Endpoint(name, module, "", "", "", "")
        lab.store.run(lambda s, endpoint=endpoint: catalog.put_endpoint(s, endpoint))  # type: ignore[misc]


def adding(group: str = "metal", **data: str) -> lab_machines.LabMachine:
    return lab_machines.LabMachine(
        name="m1", group=group, address="10.9.0.1", trust_first_contact=True, data=dict(data)
    )


async def test_what_is_given_is_kept_and_the_rest_stays(lab: Lab) -> None:
    root = lab.make_client()
    made = await root.call(lab_machines.add, adding(disk="size=480GB", keep="A1,B2"))
    assert (made.module, made.module_data) == (
        fake_metal.NAME,
        {"disk": "size=480GB", "keep": ["A1", "B2"], "firmware": ""},
    )
    await root.call(computers.edit, computers.Edit(name="m1", data={"firmware": "efi"}))
    again = await root.call(lab_machines.add, adding(keep=""))
    assert again.module_data == {"disk": "size=480GB", "keep": [], "firmware": "efi"}
    assert (await root.call(computers.show, Named(name="m1"))).module_data == again.module_data
    with lab.store.read() as session:
        (kept,) = catalog.group(session, "metal")
    assert NodeData.of(kept.module_data, "m1") == NodeData(disk="size=480GB", firmware="efi")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"disk": "sda"}, "the computer m1: disk: 'sda' is no rule for a disk"),
        ({"raid": "1"}, "--set raid=… is not for the module fake-metal; its fields are disk, keep, firmware"),
    ],
)
async def test_what_the_module_does_not_accept_is_refused_before_anything_is_written(
    lab: Lab, data: dict[str, str], why: str
) -> None:
    root = lab.make_client()
    with pytest.raises(Invalid) as error:
        await root.call(lab_machines.add, adding(**data))
    assert why in str(error.value)
    before = await root.call(lab_machines.add, adding(disk="serial=A1"))
    with pytest.raises(Invalid):
        await root.call(computers.edit, computers.Edit(name="m1", data=data, notes="x"))
    shown = await root.call(computers.show, Named(name="m1"))
    assert (shown.module_data, shown.notes) == (before.module_data, "")


async def test_only_a_module_that_has_data_takes_some(lab: Lab) -> None:
    root = lab.make_client()
    with pytest.raises(Invalid, match="is not for the module standalone; it has no fields of its own"):
        await root.call(lab_machines.add, adding("pcs", disk="serial=A1"))
    with pytest.raises(Refused, match="vm01 is a virtual machine's identity"):
        await root.call(computers.edit, computers.Edit(name="vm01", data={"disk": "serial=A1"}))
    vm = await root.call(computers.show, Named(name="vm01"))
    assert (vm.module, vm.module_data, vm.error) == ("", {}, None)


async def test_data_of_another_module_says_nothing_to_this_one(lab: Lab) -> None:
    root = lab.make_client()
    await root.call(lab_machines.add, adding(disk="serial=A1"))
    moved = await root.call(lab_machines.add, adding("pcs"))
    assert (moved.pool, moved.module_data) == ("pcs", {})
    back = await root.call(lab_machines.add, adding())
    assert back.module_data == {"disk": "", "keep": [], "firmware": ""}


async def test_data_that_can_not_be_read_is_said_and_can_be_entered_anew(lab: Lab) -> None:
    root = lab.make_client()
    await root.call(lab_machines.add, adding())
    lab.store.run(lambda s: catalog.put_lab_computer(s, "m1", module_data='{"version": 7}'))
    shown = await root.call(computers.show, Named(name="m1"))
    assert shown.module_data is None
    assert "the module's data of the computer m1 can't be read: version" in (shown.error or "")
    mended = await root.call(computers.edit, computers.Edit(name="m1", data={"disk": "serial=A1"}))
    assert (mended.module_data, mended.error) == ({"disk": "serial=A1", "keep": [], "firmware": ""}, None)
