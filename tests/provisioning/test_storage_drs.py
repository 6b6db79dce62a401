"""Storage DRS, which is told to leave our machines where they are."""

import pytest

from tests.provisioning.bench import Bench, FakeContext
from vclab.provisioning.vsphere.api import Ref, vim
from vclab.provisioning.vsphere.privileges import lacking
from vclab.provisioning.vsphere.properties import find_all, read


def cluster(bench: Bench, datastore: str = "ds1") -> Ref:
    """A datastore cluster of one datastore; storage DRS is enabled."""
    site = bench.site()
    stores = find_all(site.session, vim.Datastore, ["name"], site.datacenter)
    folder = (read(site.session, site.datacenter, ["datastoreFolder"]) or {})["datastoreFolder"]
    pod = folder.CreateStoragePod("pod1")
    site.finish(pod.MoveIntoFolder_Task([ref for ref, values in stores if values["name"] == datastore]))
    return pod


def configure(bench: Bench, pod: Ref, **spec: object) -> None:
    site = bench.site()
    change = vim.storageDrs.ConfigSpec(**spec)
    site.finish(site.content.storageResourceManager.ConfigureStorageDrsForPod_Task(pod, change, True))


def overrides(bench: Bench, pod: Ref) -> list[tuple[str, bool]]:
    """What the cluster says of single machines."""
    path = "podStorageDrsEntry.storageDrsConfig.vmConfig"
    return [(e.vm._moId, e.enabled) for e in (read(bench.site().session, pod, [path]) or {}).get(path, [])]


@pytest.mark.parametrize("dedicated", [True, False])
def test_a_machine_is_left_out(own_bench: Bench, dedicated: bool) -> None:
    pod, target = cluster(own_bench), own_bench.target(dedicated=dedicated)
    own_bench.load(target)
    [machine] = own_bench.machines(target.computer)
    assert overrides(own_bench, pod) == [(machine.ref._moId, False)]
    again = FakeContext()
    own_bench.run("vsphere.create_vm", target, again)
    assert (overrides(own_bench, pod), again.fences) == ([(machine.ref._moId, False)], 0), "nothing is left to do"


@pytest.mark.parametrize("by_hand", [None, True])
def test_a_machine_that_an_attempt_has_left_in_is_left_out_by_the_next(own_bench: Bench, by_hand: bool | None) -> None:
    """Also where there is an override that says otherwise."""
    target = own_bench.target(dedicated=False)
    own_bench.load(target)
    pod, [machine] = cluster(own_bench), own_bench.machines(target.computer)
    if by_hand is not None:
        info = vim.storageDrs.VmConfigInfo(vm=machine.ref, enabled=by_hand)
        configure(own_bench, pod, vmConfigSpec=[vim.storageDrs.VmConfigSpec(operation="add", info=info)])
    own_bench.run("vsphere.create_vm", target)
    assert overrides(own_bench, pod) == [(machine.ref._moId, False)]


def test_nothing_is_said_where_storage_drs_does_nothing(own_bench: Bench) -> None:
    pod = cluster(own_bench)
    configure(own_bench, pod, podConfigSpec=vim.storageDrs.PodConfigSpec(enabled=False))
    own_bench.simulator.control("POST", "/fault", {"kind": "deny", "task": "StoragePod.Config"})
    own_bench.load(own_bench.target())
    assert (overrides(own_bench, pod), lacking(own_bench.site())) == ([], ())


def test_a_login_that_may_not_say_so_makes_machines_all_the_same(
    own_bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    pod, target = cluster(own_bench), own_bench.target()
    own_bench.simulator.control("POST", "/fault", {"kind": "deny", "task": "StoragePod.Config"})
    own_bench.load(target)
    assert overrides(own_bench, pod) == []
    assert f"{target.machine_name} may be moved by storage DRS" in caplog.text
    assert lacking(own_bench.site()) == ("datastore cluster pod1: StoragePod.Config",)
