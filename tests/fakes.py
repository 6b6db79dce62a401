"""A scripted world for the tests of clocks and endings: same interfaces as the drivers, no outside world behind them.

What the drivers really do is tested against the real things in tests/provisioning, tests/guests and tests/lab.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from vclab.guests.base import Connections, Fence
from vclab.model.computer_checks import Inside
from vclab.model.errors import Interrupted, NotYet, Unreachable
from vclab.model.inventory import Answered, DatastoreFacts, HostFacts, Inventory, Machines
from vclab.model.plans import (
    Access,
    Evidence,
    Facts,
    NodeStatus,
    Plan,
    Profile,
    Status,
    Step,
    StepInput,
    Target,
    Whereabouts,
)
from vclab.model.revisions import Content, Copied, CopyJob
from vclab.model.sealing import EndState, SealedPart
from vclab.model.steps import AsyncStep, BlockingStep, StepContext
from vclab.model.traits import Operation, Traits
from vclab.provisioning import standalone, toy

STEPS = (
    Step("vsphere.remove_previous", "Remove what was there before"),
    Step("vsphere.copy_disk", "Copy the image's disk", Profile.LONG),
    Step("vsphere.create_vm", "Create the virtual machine"),
    Step("vsphere.power_on", "Power on"),
    Step("vsphere.find_address", "Wait for its address", Profile.LOOK, in_guest=True),
)
WRITE = Step("text-file.write", "Write the text")
READ = Step("text-file.read", "Read the text", blames_nobody=True, undo=WRITE.name)
ADOPT = Step("vsphere.adopt", "Take over a machine that is ready")
GUEST_STEPS = (
    Step("linux.wait_ssh", "Wait for SSH", Profile.LOOK, in_guest=True),
    Step("linux.post_load", "Prepare the operating system", in_guest=True),
    Step("linux.read_public_address", "Read the public address", in_guest=True),
)
CHECK = Step("vsphere.check_machine", "See whether it can be captured")
SHUT_DOWN = Step("linux.shut_down", "Shut it down")
COPY_RAW = Step("vsphere.copy_raw", "Copy its disk", Profile.LONG, undo="vsphere.discard_capture")
SEAL = Step("linux.seal", "Remove what belongs to one computer or person", in_guest=True)
COPY_SEALED = Step("vsphere.copy_sealed", "Make a disk of it", Profile.LONG)
TRY_LOGIN = Step("linux.try_login", "Log in as a user", in_guest=True)
PUBLISH = Step("vsphere.publish_copy", "Make it the revision's", undo="vsphere.withdraw_copy")
DISCARD_RAW = Step("vsphere.discard_raw", "Delete the raw copy")
LEARNED = {
    "vsphere.find_address": Facts(private_address="10.77.0.9"),
    "linux.wait_ssh": Facts(host_key="ssh-ed25519 AAAA"),
    "linux.read_public_address": Facts(public_address="203.0.113.9", boot_id="b1"),
    COPY_RAW.name: Facts(raw_sha256="aa"),
    COPY_SEALED.name: Facts(disk_sha256="bb", disk_size=1 << 30),
    PUBLISH.name: Facts(copy="[ds1] copies/published.vmdk"),
}
"""By step."""


@dataclass
class World:
    """What is so, and what happened."""

    done: list[str] = field(default_factory=list)  #: step names and guest acts, in order
    fail: dict[str, Exception] = field(default_factory=dict)  #: raise this in that step or act, each time
    not_yet: dict[str, int] = field(default_factory=dict)  #: so many times that look finds nothing yet
    hold: dict[str, threading.Event] = field(default_factory=dict)  #: that step runs until set or cancelled
    held: threading.Event = field(default_factory=threading.Event)  #: a held step has begun
    sessions: tuple[str, ...] | None = None  #: from where somebody is connected; None: as ``connected`` says
    connected: list[bool] = field(default_factory=lambda: [False])  #: answers of the looks; the last one stays
    visit: float | None = None  #: somebody came and went while nobody looked, so many seconds ago
    look_error: Exception | None = None
    answers_at: str = ""  #: looks are answered at this private address only; empty: wherever
    notices: list[str] = field(default_factory=list)
    granted: list[tuple[str, ...]] = field(default_factory=list)
    hosts: tuple[HostFacts, ...] = (HostFacts("esx1", 16, 16384, datastores=("ds1",)),)
    survey_error: str = ""
    boots: int = 1
    comes_back: bool = True  #: after a reset it is there again, whatever it was before
    whereabouts: Whereabouts = Whereabouts()
    opened_seconds: float = 0.0  #: how long ago access was opened, as the guest was told when it was asked for a taint
    tainted: str = ""  #: what the login records say after access was closed
    mistaken: bool = False  #: the module has a mistake: what it says of a computer that failed is no text
    content: Content = Content()  #: of a copy that is read
    status: Status = Status.READY  #: what a machine that is there says it is

    def wait(self, name: str, cancelled: Callable[[], bool] = lambda: False) -> None:
        """While it is held. Blocks. Raises ``Interrupted`` when it was cancelled meanwhile."""
        until = self.hold.get(name)
        if until is None:
            return
        self.held.set()
        while not until.wait(0.02):
            if cancelled():
                self.done.append(f"{name} stopped")
                raise Interrupted("stopped")

    def act(self, name: str) -> None:
        """Something is done, unless it is scripted to fail."""
        if name in self.fail:
            raise self.fail[name]
        if self.not_yet.get(name, 0) > 0:
            self.not_yet[name] -= 1
            raise NotYet(f"{name}: not yet", 60.0)
        self.done.append(name)


class FakeInventories:
    """Keeps nothing but the last answers."""

    def __init__(self) -> None:
        self.said: tuple[Inventory, ...] = ()

    def epochs(self) -> Mapping[str, int]:
        """All are in the first one."""
        return {}

    def keep(self, said: Iterable[Inventory], epochs: Mapping[str, int]) -> tuple[Answered, ...]:
        """Until the next ones."""
        self.said = tuple(said)
        return tuple(Answered(one.endpoint, 0, one.error) for one in self.said)


class FakeModule:
    """A provisioning module in which everything succeeds unless the world says otherwise."""

    name = "vsphere"
    traits = Traits(copies=True, seals=True, operations=(Operation.POWER_RESET, Operation.CAPTURE))

    def __init__(self, world: World) -> None:
        self.world = world

    def survey(self, endpoint: str) -> Inventory:
        """As the world has it."""
        self.world.wait("survey")
        if self.world.survey_error:
            return Inventory(endpoint, datetime.now(UTC), error=self.world.survey_error)
        return Inventory(endpoint, datetime.now(UTC), self.world.hosts, (DatastoreFacts("ds1", 500, 500),))

    def node_status(self, target: Target) -> NodeStatus:
        """Nothing there, but for a spare."""
        self.world.act("node_status")
        return NodeStatus(Status.POST_LOAD, "on") if target.spare else NodeStatus()

    def whereabouts(self, target: Target) -> Whereabouts:
        """As the world has it."""
        return self.world.whereabouts

    def load_plan(self, target: Target, status: NodeStatus) -> Plan:
        """The plan of the vSphere module."""
        guest = GUEST_STEPS if target.traits.guest else ()
        return Plan((ADOPT, *guest[1:]) if status.status is Status.READY else STEPS + guest, status)

    def evidence(self, target: Target) -> Evidence:
        """That it is on."""
        if self.world.mistaken:
            return Evidence("on", (1,))  # type: ignore[arg-type]
        return Evidence("on", (f"{target.machine_name} on {target.host}",))

    def steps(self) -> Mapping[str, BlockingStep]:
        """All do the same."""
        names = {s.name for s in (*STEPS, ADOPT, CHECK, COPY_RAW, COPY_SEALED, PUBLISH, DISCARD_RAW)}
        return dict.fromkeys((*names, COPY_RAW.undo, PUBLISH.undo), self._step)

    def _step(self, context: StepContext, given: StepInput) -> Facts:
        context.fence()
        self.world.wait(given.step, lambda: context.cancelled)
        self.world.act(given.step)
        return LEARNED.get(given.step, Facts())

    def capture(self, target: Target) -> Plan:
        """The disk is copied."""
        self.world.act("capture")
        return Plan((CHECK, SHUT_DOWN, COPY_RAW), NodeStatus(Status.READY))

    def hand_back(self, target: Target) -> Plan:
        """It is on again."""
        self.world.act("hand_back")
        return Plan((*STEPS[3:], GUEST_STEPS[0]), NodeStatus())

    def seal(self, target: Target) -> Plan:
        """On a machine of its own."""
        return Plan((STEPS[2], GUEST_STEPS[0], SEAL, COPY_SEALED), NodeStatus())

    def boot_test(self, target: Target) -> Plan:
        """As for a user."""
        return Plan((*STEPS, *GUEST_STEPS, TRY_LOGIN), NodeStatus())

    def publish(self, target: Target) -> Plan:
        """It gets its name."""
        return Plan((PUBLISH, DISCARD_RAW), NodeStatus())

    def captures(self, endpoint: str) -> tuple[str, ...]:
        """Nothing is left."""
        return ()

    def make_copy(self, context: StepContext, job: CopyJob) -> Copied:
        """There."""
        self.world.wait("make_copy", lambda: context.cancelled)
        self.world.act("make_copy")
        return Copied(f"[{job.wanted.place.storage}] copies/{job.wanted}.vmdk")

    def fetch_copy(self, context: StepContext, job: CopyJob) -> Content:
        """In the repository."""
        self.world.wait("fetch_copy", lambda: context.cancelled)
        self.world.act("fetch_copy")
        return self.world.content

    def remove_copy(self, context: StepContext, job: CopyJob) -> None:
        """Gone."""
        self.world.wait("remove_copy", lambda: context.cancelled)
        self.world.act("remove_copy")

    def verify_copy(self, context: StepContext, job: CopyJob) -> Content:
        """What the world says that it holds."""
        self.world.wait("verify_copy", lambda: context.cancelled)
        self.world.act("verify_copy")
        return self.world.content

    def remove(self, context: StepContext, target: Target) -> None:
        """Gone."""
        context.fence()
        self.world.wait("remove", lambda: context.cancelled)
        self.world.act("remove")

    def power_reset(self, context: StepContext, target: Target) -> None:
        """As if it had been restarted."""
        context.fence()
        self.world.act("power_reset")
        self.world.boots += 1
        if self.world.comes_back:
            self.world.whereabouts, self.world.look_error = Whereabouts(), None

    def machines(self, endpoint: str) -> Machines:
        """None."""
        return Machines(endpoint)

    def remove_machine(self, endpoint: str, instance_uuid: str) -> None:
        """Gone."""

    def close(self) -> None:
        """Nothing to leave."""


class FakeLent(FakeModule):
    """The same for computers that are lent: sanitized, not removed. Its steps are those of the other one."""

    name = standalone.NAME
    traits = standalone.TRAITS

    def steps(self) -> Mapping[str, BlockingStep]:
        """None of its own."""
        return {}


class FakeText(FakeModule):
    """A module whose computers can be captured, and have no guest. What its capture has done is put back by writing the
    text again."""

    name = toy.NAME
    traits = toy.TRAITS

    def load_plan(self, target: Target, status: NodeStatus) -> Plan:
        """The text is written."""
        return Plan((WRITE,), status)

    def capture(self, target: Target) -> Plan:
        """The text is read."""
        self.world.act("capture")
        return Plan((READ,), NodeStatus(Status.READY))

    def steps(self) -> Mapping[str, BlockingStep]:
        """Both do the same."""
        return {WRITE.name: self._step, READ.name: self._step}


class FakeGuest:
    """A guest that lets everybody in."""

    name = "linux"

    def __init__(self, world: World) -> None:
        self.world = world

    def steps(self) -> Mapping[str, AsyncStep]:
        """All do the same."""
        return {s.name: self._step for s in (*GUEST_STEPS, SHUT_DOWN, SEAL, TRY_LOGIN)}

    async def _step(self, context: StepContext, given: StepInput) -> Facts:
        self.world.act(given.step)
        return LEARNED.get(given.step, Facts())

    async def grant_access(self, target: Target, facts: Facts, access: Access, fence: Fence = None) -> Facts:
        """Noted."""
        self.world.act("grant_access")
        self.world.granted.append(access.addresses)
        return Facts()

    async def close_access(self, target: Target, facts: Facts, access: Access, fence: Fence = None) -> None:
        """Noted."""
        self.world.act("close_access")

    async def connections(self, target: Target, facts: Facts, access: Access, within: float = 0.0) -> Connections:
        """The next scripted answer."""
        if self.world.look_error:
            raise self.world.look_error
        if self.world.answers_at not in ("", facts.private_address):
            raise Unreachable(f"no route to {facts.private_address}")
        if self.world.sessions is not None:
            return Connections(self.world.sessions)
        answers = self.world.connected
        connected = answers.pop(0) if len(answers) > 1 else answers[0]
        connected = connected or (self.world.visit is not None and self.world.visit <= within)
        return Connections(access.addresses if connected else ())

    async def health(self, target: Target, facts: Facts) -> Inside:
        """Well."""
        self.world.act("health")
        return Inside(0.0)

    async def notify(self, target: Target, facts: Facts, text: str) -> None:
        """Noted."""
        if "notify" in self.world.fail:
            raise self.world.fail["notify"]
        self.world.notices.append(text)

    async def read_public_address(self, target: Target, facts: Facts) -> Facts:
        """Always the same."""
        return Facts(public_address="203.0.113.9", boot_id=f"b{self.world.boots}")

    async def reboot(self, target: Target, facts: Facts) -> None:
        """As if it had restarted itself."""
        self.world.act("reboot")
        self.world.boots += 1

    async def console(self, target: Target, facts: Facts) -> list[str]:
        """A panic."""
        return ["Kernel panic - not syncing: VFS: Unable to mount root fs", "token=s3cr3t"]

    async def taint(self, target: Target, facts: Facts, reason: str) -> None:
        """Noted."""
        self.world.act("taint")

    async def why_tainted(self, target: Target, facts: Facts, access: Access, opened_seconds: float) -> str:
        """As scripted."""
        self.world.act("why_tainted")
        self.world.opened_seconds = opened_seconds
        return self.world.tainted

    async def node_status(self, target: Target, facts: Facts) -> NodeStatus:
        """As scripted."""
        return NodeStatus(self.world.status, "on", True)

    async def sanitize(
        self,
        target: Target,
        facts: Facts,
        access: Access | None = None,
        opened: bool = True,
        fence: Fence = None,
    ) -> None:
        """Noted."""
        self.world.act("sanitize")

    async def pre_capture(
        self,
        target: Target,
        facts: Facts,
        access: Access,
        end_state: EndState,
        password_ref: str,
        fence: Fence = None,
    ) -> tuple[SealedPart, ...]:
        """Noted."""
        self.world.act("pre_capture")
        return (
            SealedPart("accounts", f"removed: {access.login}"),
            SealedPart("end", f"the computer is left {end_state}"),
        )
