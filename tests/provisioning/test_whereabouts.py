"""What vCenter knows of a machine that does not answer; machines that others move, switch off or delete."""

from tests.provisioning.bench import Bench, FakeContext
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.machines import Machine


def the(bench: Bench, computer: str) -> Machine:
    (machine,) = bench.machines(computer)
    return machine


def test_on_moved_off_and_deleted_by_hand(bench: Bench) -> None:
    target = bench.target()
    assert bench.module.whereabouts(target).gone
    bench.load(target)
    assert bench.module.whereabouts(target).address == "" and not bench.module.whereabouts(target).trouble
    ips = [{"mac": target.private_mac, "address": "10.77.3.9"}, {"mac": target.public_mac, "address": "203.0.113.9"}]
    report = {"uuid": target.instance_uuid, "ips": ips, "hostname": "x", "tools": "guestToolsRunning"}
    bench.simulator.control("POST", "/guest", report)
    assert bench.module.whereabouts(target).address == "10.77.3.9"

    site = bench.site()
    host = site.host("esx2")
    spec = vim.vm.RelocateSpec(host=host.ref, pool=host.pool)
    site.finish(the(bench, target.computer).ref.RelocateVM_Task(spec, "defaultPriority"))
    assert site.host_of(the(bench, target.computer).host)[0] == "esx2"
    for step in ("vsphere.create_vm", "vsphere.power_on"):  # again: it is where it is
        bench.run(step, target)
    assert bench.module.whereabouts(target).address == "10.77.3.9"

    site.finish(the(bench, target.computer).ref.PowerOffVM_Task())
    found = bench.module.whereabouts(target)
    assert found.trouble == f"{target.computer} is off" and found.off and not found.gone and not found.address
    site.finish(the(bench, target.computer).ref.Destroy_Task())
    found = bench.module.whereabouts(target)
    assert (
        found.gone
        and not found.off
        and f"{target.computer} is gone" in found.trouble
        and "lab-vcenter" in found.trouble
    )
    bench.module.remove(FakeContext(), target)  # what is gone is taken back
    assert bench.files(target) == [] and not bench.directory(target).exists()
