"""The endpoint itself: login, pinned TLS, time-outs, expired sessions; what it can hold; what is ours on it."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from pyVmomi.SoapAdapter import SoapStubAdapter

from benchmarks.vsphere import counted
from tests.provisioning.bench import STEPS, Bench, FakeContext
from tests.vcsim import certificate
from vclab.model.catalog import Endpoint
from vclab.model.errors import NotOurs, Refused, StepFailed, Unreachable
from vclab.model.inventory import Policies, Policy
from vclab.provisioning.vsphere import session as sessions
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.data import EndpointData
from vclab.provisioning.vsphere.enquiry import ask
from vclab.provisioning.vsphere.privileges import lacking
from vclab.provisioning.vsphere.properties import find_all, read
from vclab.provisioning.vsphere.session import Session
from vclab.provisioning.vsphere.site import open_site


def test_a_wrong_password_is_told_and_not_repeated(bench: Bench) -> None:
    asked: list[str] = []

    def wrong(endpoint: Endpoint) -> str:
        asked.append(endpoint.password_ref)
        return "not it"

    session = Session(bench.endpoint, wrong, 4)
    for _ in range(3):
        with pytest.raises(
            Unreachable,
            match=r"vCenter lab-vcenter \(127.*\) refuses the password .*`vclab endpoint edit lab-vcenter",
        ):
            _ = session.content
    assert asked == ["endpoint/lab-vcenter"] * 3
    assert session.attempts == 1, "five wrong logins would lock the account"


def test_a_mended_password_is_used_at_once(bench: Bench) -> None:
    answers = iter(["not it", bench.password])
    session = Session(bench.endpoint, lambda ref: next(answers), 4)
    with pytest.raises(Unreachable, match="refuses the password"):
        _ = session.content
    assert session.content.about.apiVersion


def test_errors_and_logs_never_carry_the_password(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    session = Session(bench.endpoint, lambda ref: "s3cret-guess", 4)
    with pytest.raises(Unreachable) as caught:
        _ = session.content
    assert "s3cret" not in str(caught.value) + caplog.text


def test_another_certificate_gets_no_password(bench: Bench) -> None:
    asked: list[str] = []
    module = bench.new_module(fingerprint="ab" * 32)
    session = Session(bench.endpoint.__class__(**{**bench.endpoint.__dict__, "fingerprint": "ab" * 32}), _ask(asked), 4)
    with pytest.raises(
        Unreachable, match="another certificate than the pinned one: SHA-256 " + bench.endpoint.fingerprint
    ):
        _ = session.content
    with pytest.raises(Unreachable, match="another certificate"):
        module.survey("lab-vcenter")
    assert asked == []


def _ask(asked: list[str]) -> Any:
    def password(reference: str) -> str:
        asked.append(reference)
        return "p"

    return password


def test_a_fingerprint_may_be_written_with_colons(bench: Bench) -> None:
    pin = bench.endpoint.fingerprint.upper()
    module = bench.new_module(fingerprint=":".join(pin[i : i + 2] for i in range(0, 64, 2)))
    assert module.survey("lab-vcenter").hosts


def test_every_connection_is_checked_not_only_the_first(own_bench: Bench) -> None:
    assert own_bench.module.survey("lab-vcenter").hosts
    own_bench.simulator.stop()
    fresh = certificate(own_bench.simulator.folder / "cert.pem", own_bench.simulator.folder / "key.pem", "127.0.0.1")
    assert fresh != own_bench.endpoint.fingerprint
    own_bench.simulator.start()
    with pytest.raises(Unreachable, match="another certificate"):
        own_bench.module.survey("lab-vcenter")


def test_plain_http_is_refused(bench: Bench) -> None:
    with pytest.raises(Refused, match="must be https"):
        bench.new_module(url=bench.endpoint.url.replace("https", "http")).survey("lab-vcenter")


def test_an_endpoint_that_is_down(own_bench: Bench) -> None:
    target = own_bench.target()
    own_bench.load(target)
    own_bench.simulator.stop()
    for act in (
        lambda: own_bench.module.survey("lab-vcenter"),
        lambda: own_bench.module.machines("lab-vcenter"),
        lambda: own_bench.module.node_status(target),
        lambda: own_bench.module.remove(FakeContext(), target),
        lambda: own_bench.run("vsphere.power_on", target),
    ):
        with pytest.raises(Unreachable, match=r"vCenter lab-vcenter \(127.*\) does not answer: connection refused"):
            act()
    own_bench.simulator.start()
    assert own_bench.module.power_status(target) == "on"


def test_an_endpoint_that_hangs_is_given_up_by_all_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "CONNECT_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        module = bench.new_module(url=f"https://127.0.0.1:{silent.getsockname()[1]}/sdk")
        start = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            found = [pool.submit(module.survey, "lab-vcenter") for _ in range(8)]
        assert all("no answer in time" in str(f.exception()) for f in found)
        assert time.monotonic() - start < 6  # one after the other it takes 8


def test_an_expired_session_is_renewed(bench: Bench) -> None:
    module = bench.new_module()
    assert module.survey("lab-vcenter").hosts
    session = module._sessions.get("lab-vcenter")
    manager = session.content.sessionManager
    for _ in range(2):
        current = (read(session, manager, ["currentSession"]) or {})["currentSession"].key
        bench.site().content.sessionManager.TerminateSession([current])
        assert module.machines("lab-vcenter").endpoint == "lab-vcenter"
    assert session.logins == 3


def test_a_session_that_expires_during_a_wait(bench: Bench) -> None:
    target = bench.target()
    module = bench.new_module()
    bench.simulator.control("POST", "/fault", {"kind": "copy_delay", "ms": 2500})
    context = FakeContext()
    thread = threading.Thread(target=bench.run, args=("vsphere.copy_disk", target, context, module))
    thread.start()
    while not context.kept:
        time.sleep(0.01)
    session = module._sessions.get("lab-vcenter")
    current = (read(session, session.content.sessionManager, ["currentSession"]) or {})["currentSession"].key
    bench.site().content.sessionManager.TerminateSession([current])
    thread.join()
    assert bench.disks(target) == [f"{target.machine_name}.vmdk"]
    assert session.logins == 2


def test_a_changed_entry_gets_a_new_session(bench: Bench) -> None:
    entries = [bench.endpoint]
    module = sessions.Sessions(lambda name: entries[-1], lambda ref: bench.password, 4)
    first = module.get("lab-vcenter")
    assert module.get("lab-vcenter") is first
    entries.append(replace(bench.endpoint, module_data=EndpointData(folder="other").encoded()))
    assert module.get("lab-vcenter") is not first
    module.close()


def test_calls_at_once_are_limited_but_waits_are_not(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    under_way, most = [0], [0]
    original = SoapStubAdapter.InvokeMethod

    def watched(stub: Any, mo: Any, info: Any, args: Any, outer: Any = None) -> Any:
        if info.wsdlName == "WaitForUpdatesEx":
            return original(stub, mo, info, args, outer)  # type: ignore[no-untyped-call]
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        time.sleep(0.005)
        try:
            return original(stub, mo, info, args, outer)  # type: ignore[no-untyped-call]
        finally:
            under_way[0] -= 1

    monkeypatch.setattr(SoapStubAdapter, "InvokeMethod", watched)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: bench.module.machines("lab-vcenter"), range(24)))
    assert most[0] == 4


def test_twelve_loads_at_once_on_a_new_endpoint(own_bench: Bench) -> None:
    targets = [own_bench.target(host=f"esx{i % 2 + 1}") for i in range(12)]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(own_bench.load, targets))
    assert sorted(m.computer for m in own_bench.machines() if m.power == "on") == sorted(t.computer for t in targets)
    folders = [v["name"] for _, v in find_all(own_bench.site().session, vim.Folder, ["name"])]
    assert folders.count("vclab") == 1
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda t: own_bench.module.remove(FakeContext(), t), targets))
    assert own_bench.machines() == []
    assert list((own_bench.simulator.datastore("ds1") / "vclab").iterdir()) == []


def test_the_survey_counts_what_others_use(own_bench: Bench) -> None:
    earlier = own_bench.target()
    own_bench.load(earlier)
    own_bench.module.remove(FakeContext(), earlier)  # a datastore's free space is told anew after each operation
    empty = own_bench.module.survey("lab-vcenter")
    assert [(h.name, h.cpus, h.memory_mb, h.usable) for h in empty.hosts] == [
        ("esx1", 32, 15360, True),
        ("esx2", 32, 15360, True),
    ]
    assert empty.hosts[0].datastores == ("ds1", "ds2")
    before = {d.name: (d.disk_gb, d.free_gb) for d in empty.datastores}

    own_bench.foreign("theirs", on=True, numCPUs=6, memoryMB=4096)
    own_bench.foreign("theirs-off", numCPUs=6, memoryMB=4096)
    own_bench.load(own_bench.target())
    full = own_bench.module.survey("lab-vcenter")
    assert [(h.name, h.cpus, h.memory_mb) for h in full.hosts] == [("esx1", 26, 11264), ("esx2", 32, 15360)]
    after = {d.name: (d.disk_gb, d.free_gb) for d in full.datastores}
    assert after["ds1"][1] in (before["ds1"][1] - 8, before["ds1"][1] - 9), "free space has gone down"
    assert abs(after["ds1"][0] - before["ds1"][0]) <= 1, "but not the room for our machines"
    assert full.endpoint == "lab-vcenter" and full.taken_at.tzinfo is not None


def test_the_survey_says_why_a_host_is_not_usable(own_bench: Bench) -> None:
    site = own_bench.site()
    site.finish(site.host("esx2").ref.EnterMaintenanceMode_Task(0, False, None))
    hosts = {h.name: (h.usable, h.why_not) for h in own_bench.module.survey("lab-vcenter").hosts}
    assert hosts == {"esx1": (True, ""), "esx2": (False, "in maintenance")}
    module = own_bench.new_module(data=EndpointData(public_network="campus"))
    assert module.survey("lab-vcenter").hosts[0].why_not == "it has no network campus"


def test_machines_are_made_in_the_resource_pool_of_the_setting(own_bench: Bench) -> None:
    """One that a host lacks is told by the survey; one that all of them lack, before the endpoint is kept."""
    entry, shares = own_bench.endpoint, vim.SharesInfo(level="normal", shares=4000)
    unlimited = vim.ResourceAllocationInfo(reservation=0, limit=-1, expandableReservation=True, shares=shares)
    spec = vim.ResourceConfigSpec(cpuAllocation=unlimited, memoryAllocation=unlimited)
    students = own_bench.site().host("esx1").pool.CreateResourcePool("students", spec)
    students.CreateResourcePool("inner", spec)
    data = EndpointData(resource_pool="students", host_policy=Policy.SPREAD)
    module = own_bench.new_module(data=data)
    found = module.survey("lab-vcenter")
    assert {h.name: h.why_not for h in found.hosts} == {"esx1": "", "esx2": "it has no resource pool students"}
    assert found.policies == Policies(Policy.SPREAD, Policy.SPREAD)
    target = own_bench.target(endpoint_data=data.encoded())
    for step in STEPS:
        own_bench.run(step, target, module=module)
    [machine] = own_bench.machines(target.computer)
    assert machine.ref.resourcePool._moId == students._moId
    elsewhere = own_bench.target(host="esx2")
    own_bench.run("vsphere.copy_disk", elsewhere, module=module)
    with pytest.raises(StepFailed, match="host esx2 on lab-vcenter can't be used: it has no resource pool students"):
        own_bench.run("vsphere.create_vm", elsewhere, module=module)

    def mistakes(pool: str) -> tuple[str, ...]:
        entry_with = replace(entry, module_data=EndpointData(resource_pool=pool).encoded())
        return ask(entry_with, own_bench.password, "vclab").mistakes

    assert mistakes("inner") == mistakes("") == ()
    assert mistakes("staff") == (
        "no host of lab-vcenter has a resource pool 'staff' (resource_pool); there are: inner, students",
    )
    own_bench.simulator.control("POST", "/fault", {"kind": "deny", "task": "VApp.Import"})
    session = Session(replace(entry, module_data=data.encoded()), lambda _: own_bench.password, 2)
    assert lacking(open_site(session, "vclab")) == ("the resource pool of esx1: VApp.Import",)


def test_the_survey_says_which_hosts_are_full(own_bench: Bench) -> None:
    own_bench.foreign("theirs", on=True, numCPUs=32, memoryMB=1024)
    hosts = {h.name: (h.cpus, h.usable, h.why_not) for h in own_bench.module.survey("lab-vcenter").hosts}
    assert hosts["esx1"] == (0, False, "it has no CPU left for us: other machines use it")
    assert hosts["esx2"][1]
    hosts_of = own_bench.new_module(memory_reserve_mb=16384).survey("lab-vcenter").hosts
    assert hosts_of[1].why_not == "it has no memory left for us: see the endpoint's limits"


def test_a_datastore_that_fills_up_takes_no_more_and_says_what_takes_the_most(own_bench: Bench) -> None:
    """Children may grow to their whole size: so much is kept free for them."""
    target = own_bench.target()
    own_bench.load(target)
    roomy = {d.name: d for d in own_bench.module.survey("lab-vcenter").datastores}["ds1"]
    assert roomy.usable and abs(roomy.disk_gb - (2000 - 300 - 8)) <= 2, "15 % are not to be had"
    own_bench.simulator.master("ds1", "others/big.vmdk", 1900)
    deadline = time.monotonic() + 10
    while (full := {d.name: d for d in own_bench.module.survey("lab-vcenter").datastores}["ds1"]).usable:
        assert time.monotonic() < deadline, full
        time.sleep(0.2)
    assert full.filled and not roomy.filled
    assert full.why_not == (
        f"only 4 % of it are free, and 15 % are to stay so; the largest of ours: {target.machine_name} 8 GiB"
    )
    module = own_bench.new_module(data=EndpointData(free_floor=3))
    assert {d.name: d.usable for d in module.survey("lab-vcenter").datastores}["ds1"]


def test_privileges_that_are_missing_are_listed_object_by_object(own_bench: Bench) -> None:
    assert lacking(own_bench.site()) == ()
    for privilege in ("Datastore.Browse", "VirtualMachine.Config.AddNewDisk", "VApp.Import"):
        own_bench.simulator.control("POST", "/fault", {"kind": "deny", "task": privilege})
    assert lacking(own_bench.site()) == (
        "the datacenter: VirtualMachine.Config.AddNewDisk",
        "datastore ds1: Datastore.Browse",
        "datastore ds2: Datastore.Browse",
        "the resource pool of esx1: VApp.Import",
        "the resource pool of esx2: VApp.Import",
    )


def test_the_imaging_network_needs_its_privilege_too(own_bench: Bench) -> None:
    own_bench.simulator.control("POST", "/fault", {"kind": "deny", "task": "Network.Assign"})
    assert networks_lacking(own_bench, EndpointData()) == ["private", "public"]
    assert networks_lacking(own_bench, EndpointData(imaging_network="imaging")) == ["imaging", "private", "public"]


def networks_lacking(bench: Bench, data: EndpointData) -> list[str]:
    """The networks that the login may not give to machines."""
    entry = replace(bench.endpoint, module_data=data.encoded())
    session = Session(entry, lambda ref: bench.password, 4)
    try:
        lines = lacking(open_site(session, "vclab"))
    finally:
        session.close()
    return sorted(line.removeprefix("network ").removesuffix(": Network.Assign") for line in lines)


def test_a_wrong_datacenter_is_told(bench: Bench) -> None:
    with pytest.raises(StepFailed, match="no single datacenter"):
        bench.new_module(data=EndpointData(datacenter="nowhere")).survey("lab-vcenter")


def test_two_hundred_machines_are_listed_by_a_few_calls(own_bench: Bench) -> None:
    site = own_bench.site()
    host = site.host("esx1")
    for number in range(200):
        ours = number % 2 == 0
        owner, computer, uuid = "vclab" if ours else "other", f"vm{number}", f"00000000-0000-4000-8000-{number:012}"
        marks = {"installation": owner, "computer": computer, "generation": "1", "instance": uuid}
        extra = [vim.option.OptionValue(key=f"vclab.{k}", value=v) for k, v in marks.items()]
        files = vim.vm.FileInfo(vmPathName=f"[ds1] m{number:03}/m.vmx")
        site.vm_folder.CreateVM_Task(
            vim.vm.ConfigSpec(
                name=f"m{number:03}",
                files=files,
                extraConfig=extra,
                instanceUuid=uuid,
            ),
            host.pool,
            host.ref,
        )
    deadline = time.monotonic() + 20
    while len(own_bench.machines()) < 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    with counted() as calls:
        found = own_bench.module.machines("lab-vcenter")
    assert calls.total() < 20, calls
    assert [m.name for m in found.machines] == [f"m{n:03}" for n in range(0, 200, 2)]
    assert own_bench.new_module("other").machines("lab-vcenter").machines[0].name == "m001"


def test_an_orphan_is_removed_by_its_uuid(bench: Bench) -> None:
    target = bench.target()
    bench.load(target)
    facts = next(m for m in bench.module.machines("lab-vcenter").machines if m.computer == target.computer)
    assert (facts.reservation, facts.generation, facts.powered_on) == (target.reservation, 3, True)
    for _ in range(2):
        bench.module.remove_machine("lab-vcenter", facts.instance_uuid)
    assert bench.machines(target.computer) == []
    root = bench.directory(target).parent
    assert not [p for p in root.iterdir() if p.name.startswith(target.machine_name)]


def test_an_unmarked_machine_is_no_orphan(bench: Bench) -> None:
    foreign = bench.foreign("somebody", marks={"vclab.computer": "vm9"})
    with pytest.raises(NotOurs):
        bench.module.remove_machine("lab-vcenter", foreign.instance_uuid)
    assert foreign.instance_uuid not in [m.instance_uuid for m in bench.module.machines("lab-vcenter").machines]


def test_a_machine_on_a_disconnected_host_stays_until_it_is_back(own_bench: Bench) -> None:
    target = own_bench.target(host="esx2")
    own_bench.load(target)
    site = own_bench.site()
    esx2 = site.host("esx2").ref
    site.finish(esx2.DisconnectHost_Task())
    with pytest.raises(
        Unreachable, match=r"host esx2 on lab-vcenter is disconnected: .* can't be removed until it is back"
    ):
        own_bench.module.remove(FakeContext(), target)
    hosts = {h.name: h.why_not for h in own_bench.module.survey("lab-vcenter").hosts}
    assert hosts["esx2"] == "disconnected"
    again = own_bench.target(host="esx2")
    own_bench.run("vsphere.copy_disk", again)
    with pytest.raises(StepFailed, match="host esx2 on lab-vcenter is disconnected"):
        own_bench.run("vsphere.create_vm", again)
    site.finish(esx2.ReconnectHost_Task(None, None))
    own_bench.module.remove(FakeContext(), target)
    assert own_bench.machines(target.computer) == []


def test_close_logs_out(bench: Bench) -> None:
    module = bench.new_module()
    module.survey("lab-vcenter")
    module.close()
    module.close()
    assert module.survey("lab-vcenter").hosts, "and it can be used again"
