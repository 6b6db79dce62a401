"""The vSphere provisioning module: virtual machines on a vCenter or an ESXi host, by pyvmomi."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vclab.model.catalog import Endpoint
from vclab.model.errors import NotOurs
from vclab.model.inventory import Inventory, MachineFacts, Machines
from vclab.model.plans import Evidence, Facts, NodeStatus, Status, StepInput, Target, Whereabouts
from vclab.model.revisions import Content, Copied, CopyJob
from vclab.model.steps import BlockingStep, StepContext, Unattended
from vclab.provisioning.virtual import VirtualMachines
from vclab.provisioning.vsphere import NAME, TRAITS, capturing, chains, images, loading, reading, removal
from vclab.provisioning.vsphere.address import find_address, leased, nobody_else, published_key, whereabouts
from vclab.provisioning.vsphere.chains import Disk
from vclab.provisioning.vsphere.copying import copy_disk
from vclab.provisioning.vsphere.evidence import evidence
from vclab.provisioning.vsphere.faults import explained
from vclab.provisioning.vsphere.machines import Machine, all_machines, image_mark, of_target, of_target_or_spare
from vclab.provisioning.vsphere.session import Sessions
from vclab.provisioning.vsphere.site import Site, open_site
from vclab.provisioning.vsphere.survey import survey

_STEPS = VirtualMachines(NAME)


class VSphere:
    """A ``ProvisioningModule``. Thread-safe; one per process.

    ``endpoints`` gives an endpoint's entry by name, ``password`` that of an entry; both are asked each
    time. ``calls_at_once`` limits the calls under way to one endpoint. ``dhcp_leases``: dnsmasq's lease file.
    """

    name = NAME
    traits = TRAITS
    load_plan = staticmethod(_STEPS.load_plan)
    capture = staticmethod(_STEPS.capture)
    hand_back = staticmethod(_STEPS.hand_back)
    seal = staticmethod(_STEPS.seal)
    boot_test = staticmethod(_STEPS.boot_test)
    publish = staticmethod(_STEPS.publish)

    def __init__(
        self,
        endpoints: Callable[[str], Endpoint],
        password: Callable[[Endpoint], str],
        installation: str,
        calls_at_once: int,
        dhcp_leases: Path | None = None,
    ) -> None:
        self._sessions = Sessions(endpoints, password, calls_at_once)
        self._installation = installation
        self._leases = dhcp_leases

    def close(self) -> None:
        """Log out of all endpoints."""
        self._sessions.close()

    def survey(self, endpoint: str) -> Inventory:
        """What the endpoint can hold now. Raises ``Unreachable``."""
        with explained(f"asking {endpoint} what it can hold"):
            return survey(self._site(endpoint))

    def node_status(self, target: Target) -> NodeStatus:
        """What the endpoint knows of the computer. Only the guest knows what is inside, so never READY: whoever asks
        both knows that."""
        with explained(f"asking {target.endpoint} for {target.machine_name}"):
            machine = of_target_or_spare(self._at(target), target)
        if machine is None:
            return NodeStatus(Status.RELOAD, "off", None, "", f"{target.machine_name} is not on {target.endpoint}")
        power = {"on": "on", "off": "off"}.get(machine.power, "unknown")
        if machine.image != image_mark(target):
            return NodeStatus(
                Status.RELOAD, power, None, machine.image, f"it was made from {machine.image or 'nothing'}"
            )
        if machine.power != "on":
            return NodeStatus(Status.RELOAD, power, None, machine.image, f"it is {machine.power}")
        return NodeStatus(Status.POST_LOAD, power, None, machine.image, "it is on; what is inside is not known yet")

    def whereabouts(self, target: Target) -> Whereabouts:
        """Its private address now, or that it is off, suspended, gone, or that its host is away."""
        with explained(f"asking {target.endpoint} for {target.machine_name}"):
            return whereabouts(self._at(target), target, self._leases)

    def captures(self, endpoint: str) -> Sequence[str]:
        """The captures that have disks there. Raises ``Unreachable``."""
        with explained(f"looking for captures on {endpoint}"):
            return capturing.there(self._site(endpoint))

    def forget_capture(self, endpoint: str, capture: str) -> None:
        """Delete the disks of a capture that is over. Raises ``StepFailed`` when something is made from one."""
        with explained(f"deleting what is left of capture {capture} on {endpoint}"):
            capturing.forget(self._site(endpoint), capture, Unattended())

    def steps(self) -> Mapping[str, BlockingStep]:
        """The module's steps by recorded name."""
        return {
            _STEPS.check.name: self._capture_step(capturing.check_capture),
            _STEPS.begin.name: self._capture_step(capturing.begin_sealing),
            _STEPS.off.name: self._capture_step(capturing.await_off),
            _STEPS.raw.name: self._capture_step(capturing.copier_of(capturing.RAW)),
            _STEPS.verify_raw.name: self._capture_step(capturing.verifier_of(capturing.RAW)),
            _STEPS.sealed.name: self._capture_step(capturing.copier_of(capturing.SEALED)),
            _STEPS.verify_sealed.name: self._capture_step(capturing.verifier_of(capturing.SEALED)),
            _STEPS.published.name: self._capture_step(capturing.publish),
            _STEPS.published.undo: self._capture_step(capturing.withdraw),
            _STEPS.discard_raw.name: self._capture_step(capturing.discard),
            _STEPS.raw.undo: self._capture_step(capturing.discard),
            _STEPS.remove.name: self._step(self._make_room),
            _STEPS.copy.name: self._step(copy_disk),
            _STEPS.create.name: self._step(loading.create_vm),
            _STEPS.adopt.name: self._step(loading.adopt),
            _STEPS.on.name: self._step(loading.power_on),
            _STEPS.find.name: self._find_address,
        }

    def make_copy(self, context: StepContext, job: CopyJob) -> Copied:
        """Have a copy of a revision on a datastore. Raises ``StepFailed``, ``Interrupted``, ``NotOurs``."""
        return images.make_copy(self._of(job, job.wanted.place.endpoint), job, context)

    def remove_copy(self, context: StepContext, job: CopyJob) -> None:
        """Delete a copy of ours. Raises ``StepFailed`` when a machine's disk is made from it, ``NotOurs``."""
        images.remove_copy(self._of(job, job.wanted.place.endpoint), job, context)

    def fetch_copy(self, context: StepContext, job: CopyJob) -> Content:
        """Have a copy from a datastore in a repository. Raises ``StepFailed``, ``Refused``, ``Interrupted``."""
        return reading.fetch_copy(self._of(job, reading.place_of(job).endpoint), job, context)

    def verify_copy(self, context: StepContext, job: CopyJob) -> Content:
        """Read a copy on a datastore. Raises ``StepFailed``, ``Refused``, ``Interrupted``."""
        return reading.verify_copy(self._of(job, reading.place_of(job).endpoint), job, context)

    def remove(self, context: StepContext, target: Target) -> None:
        """Remove the computer's machines and directories here, of this generation and older; verify it."""
        with explained(f"removing {target.machine_name} from {target.endpoint}"):
            removal.clear(self._at(target), target, context)

    def machines(self, endpoint: str) -> Machines:
        """All machines with our installation's mark. Raises ``Unreachable``."""
        with explained(f"listing the machines on {endpoint}"):
            site = self._site(endpoint)
            found = [m for m in all_machines(site) if m.ours(self._installation)]
            disks = chains.disks(site, found)
        facts = (_facts(endpoint, machine, disks.get(machine.ref._moId, Disk())) for machine in found)
        return Machines(endpoint, tuple(sorted(facts, key=lambda f: f.name)))

    def remove_machine(self, endpoint: str, instance_uuid: str) -> None:
        """Remove one machine of ours, an orphan. Raises ``NotOurs`` without our mark; harmless when it is gone."""
        with explained(f"removing machine {instance_uuid} from {endpoint}"):
            removal.destroy_orphan(self._site(endpoint), instance_uuid, Unattended())

    def evidence(self, target: Target) -> Evidence:
        """What the endpoint knows of the computer: state, guest tools, tasks, events. Raises ``Unreachable``."""
        with explained(f"asking {target.endpoint} what became of {target.machine_name}"):
            return evidence(self._at(target), target)

    def power_status(self, target: Target) -> str:
        """ "on", "off" or "unknown" (suspended, or there is no such machine)."""
        with explained(f"asking for the power of {target.machine_name}"):
            machine = of_target(self._at(target), target)
        return machine.power if machine and machine.power in ("on", "off") else "unknown"

    def power_on(self, context: StepContext, target: Target) -> None:
        """Power the computer on and verify it. Raises ``StepFailed``."""
        with explained(f"powering on {target.machine_name}"):
            loading.power_on(self._at(target), target, context)

    def power_off(self, context: StepContext, target: Target) -> None:
        """Power the computer off, hard; harmless when it is off or gone."""
        with explained(f"powering off {target.machine_name}"):
            loading.power_off(self._at(target), target, context)

    def power_reset(self, context: StepContext, target: Target) -> None:
        """Reset the computer, hard; one that is off is powered on. Raises ``StepFailed``."""
        with explained(f"resetting {target.machine_name}"):
            loading.power_reset(self._at(target), target, context)

    def _site(self, endpoint: str) -> Site:
        return open_site(self._sessions.get(endpoint), self._installation)

    def _of(self, job: CopyJob, endpoint: str) -> Site:
        if job.installation != self._installation:
            raise NotOurs(f"{job.wanted} is of the installation {job.installation}; this one is {self._installation}")
        return self._site(endpoint)

    def _at(self, target: Target) -> Site:
        if target.installation != self._installation:
            raise NotOurs(
                f"{target.machine_name} is of the installation {target.installation}; this one is {self._installation}"
            )
        return self._site(target.endpoint)

    def _step(self, work: Callable[[Site, Target, StepContext], None]) -> BlockingStep:
        def run(context: StepContext, given: StepInput) -> Facts:
            target = replace(given.target, copy=capturing.made_from(given))
            with explained(f"{given.title} ({target.machine_name} on {target.endpoint})"):
                work(self._at(target), target, context)
            return Facts()

        return run

    def _capture_step(self, work: Callable[[Site, StepInput, StepContext], Facts]) -> BlockingStep:
        def run(context: StepContext, given: StepInput) -> Facts:
            with explained(f"{given.title} ({given.target.machine_name} on {given.target.endpoint})"):
                return work(self._at(given.target), given, context)

        return run

    def _make_room(self, site: Site, target: Target, context: StepContext) -> None:
        """What was there goes. Whoever has the address after that, which DHCP keeps for the computer, is another."""
        address = leased(self._leases, target.private_mac) if self._leases and not target.isolated else ""
        with nobody_else(address, target):
            removal.make_room(site, target, context)

    def _find_address(self, context: StepContext, given: StepInput) -> Facts:
        with explained(f"looking for the address of {given.target.machine_name}"):
            site = self._at(given.target)
            address = find_address(site, given.target, self._leases, given.becomes)
            return Facts(private_address=address, published_key=published_key(site, given.target))


def _facts(endpoint: str, machine: Machine, disk: Disk) -> MachineFacts:
    return MachineFacts(
        endpoint=endpoint,
        name=machine.name,
        instance_uuid=machine.instance_uuid,
        reservation=machine.reservation,
        computer=machine.computer,
        generation=machine.generation,
        powered_on=machine.power == "on",
        storage=disk.storage,
        parent=disk.parent,
    )
