"""The folder for our machines: marked when we make it, adopted when it is free, and refused when it is somebody's."""

from typing import Any

import pytest

from tests.provisioning.bench import Bench, FakeContext
from vclab.model.catalog import Endpoint
from vclab.model.errors import NotOurs, Refused
from vclab.provisioning.enquiry import Answer
from vclab.provisioning.vsphere.data import EndpointData
from vclab.provisioning.vsphere.enquiry import ask
from vclab.provisioning.vsphere.folder import FIELD
from vclab.provisioning.vsphere.properties import read


def _data(folder: str) -> EndpointData:
    return EndpointData(folder=folder)


def _ask(bench: Bench, folder: str) -> Answer:
    endpoint = Endpoint(**{**bench.endpoint.__dict__, "module_data": _data(folder).encoded()})
    return ask(endpoint, bench.password, "vclab")


def _load(bench: Bench, folder: str) -> None:
    """All steps up to the machine itself."""
    target, module = bench.target(endpoint_data=_data(folder).encoded()), bench.new_module(data=_data(folder))
    for step in ("vsphere.copy_disk", "vsphere.create_vm"):
        bench.run(step, target, FakeContext(), module)


def _marks(bench: Bench, folder: Any) -> list[str]:
    values = read(bench.site().session, folder, ["customValue"]) or {}
    return [str(value.value) for value in values.get("customValue", [])]


def test_a_folder_with_machines_that_vclab_did_not_make(bench: Bench) -> None:
    folder = bench.site().vm_folder.CreateFolder("theirs")
    inner = folder.CreateFolder("web")
    bench.site().finish(inner.MoveIntoFolder_Task([bench.foreign("shop").ref]))
    text = r"the folder theirs on lab-vcenter holds machines that vclab did not make \(shop\); use another folder"
    with pytest.raises(Refused, match=text):
        _ask(bench, "theirs")
    before = len(bench.machines())
    with pytest.raises(NotOurs, match=text):
        _load(bench, "theirs")
    assert (len(bench.machines()), _marks(bench, folder)) == (before, [])


def test_a_folder_with_machines_of_another_installation(bench: Bench) -> None:
    folder = bench.site().vm_folder.CreateFolder("others")
    machine = bench.foreign("m1", marks={"vclab.installation": "north"})
    bench.site().finish(folder.MoveIntoFolder_Task([machine.ref]))
    with pytest.raises(Refused, match=r"holds machines of the installation north \(m1\); use another folder"):
        _ask(bench, "others")


def test_an_empty_folder_is_adopted_and_marked(bench: Bench) -> None:
    folder = bench.site().vm_folder.CreateFolder("empty")
    assert _ask(bench, "empty").inventory.hosts
    assert _marks(bench, folder) == [], "asking changes nothing"
    _load(bench, "empty")
    assert _marks(bench, folder) == ["vclab"]


def test_a_folder_that_lost_its_mark_is_ours_while_it_holds_only_our_machines(bench: Bench) -> None:
    _load(bench, "lost")
    site = bench.site()
    folder = next(ref for ref, values in bench.folders() if values["name"] == "lost")
    fields = (read(site.session, site.content.customFieldsManager, ["field"]) or {})["field"]
    key = next(field.key for field in fields if field.name == FIELD)
    site.content.customFieldsManager.SetField(folder, key, "")
    assert _ask(bench, "lost").inventory.hosts
    _load(bench, "lost")
    assert _marks(bench, folder)[-1] == "vclab"


def test_a_machine_that_somebody_puts_into_our_folder_does_not_shut_us_out(bench: Bench) -> None:
    _load(bench, "shared")
    folder = next(ref for ref, values in bench.folders() if values["name"] == "shared")
    bench.site().finish(folder.MoveIntoFolder_Task([bench.foreign("guest").ref]))
    assert _ask(bench, "shared").inventory.hosts
    _load(bench, "shared")
