"""The guest ``fake``: the inside of the pretended world's machines, with adjustable delays and failures."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress

from vclab.fake_world import Machine, World, now
from vclab.guests import capture
from vclab.guests.base import Connections, Fence
from vclab.model.computer_checks import Inside
from vclab.model.errors import NotYet, StepFailed, Unreachable
from vclab.model.plans import Access, Facts, NodeStatus, Status, StepInput, Target
from vclab.model.sealing import EndState, SealedPart
from vclab.model.steps import AsyncStep, StepContext

_LONGEST_PAUSE = 1.0  # seconds between two looks


class FakeGuest:
    """A ``Guest``."""

    name = "fake"

    def __init__(self, world: World) -> None:
        self._world = world

    def steps(self) -> Mapping[str, AsyncStep]:
        """The guest's load steps by recorded name."""
        return {
            "fake.wait_ssh": self._wait_ssh,
            "fake.post_load": self._post_load,
            "fake.read_public_address": self._read_public_address,
            "fake.check_capture": self._check_capture,
            "fake.shut_down": self._shut_down,
            "fake.seal": self._seal,
            "fake.try_login": self._try_login,
        }

    async def grant_access(self, target: Target, facts: Facts, access: Access, fence: Fence = None) -> Facts:
        """Make the account; let in the addresses and no others."""
        machine = await self._acted("grant_access", target)
        self._world.change(
            machine.uuid,
            accounts=(access.login,),
            let_in=access.addresses,
            access_since=machine.access_since or now(),
        )
        return Facts()

    async def close_access(self, target: Target, facts: Facts, access: Access, fence: Fence = None) -> None:
        """Let nobody in any more."""
        machine = await self._acted("close_access", target)
        self._world.change(machine.uuid, let_in=(), access_since=0.0)

    async def connections(self, target: Target, facts: Facts, access: Access, within: float = 0.0) -> Connections:
        """Who is connected, as the settings say: some time after access was given, for some time."""
        machine = await self._acted("connections", target)
        behaviour = self._world.behaviour
        if behaviour.connects_after < 0 or not machine.let_in:
            return Connections()
        came = machine.access_since + behaviour.connects_after
        left = came + behaviour.stays if behaviour.stays >= 0 else float("inf")
        there = came <= now() and left > now() - within
        return Connections(machine.let_in if there else ())

    async def notify(self, target: Target, facts: Facts, text: str) -> None:
        """Nobody reads it."""
        await self._acted("notify", target)

    async def read_public_address(self, target: Target, facts: Facts) -> Facts:
        """The public address and the boot id."""
        machine = await self._acted("read_public_address", target)
        return Facts(public_address=_tail(facts.private_address, "198.18"), boot_id=_boot_id(machine))

    async def reboot(self, target: Target, facts: Facts) -> None:
        """Restart at once."""
        machine = await self._acted("reboot", target)
        self._world.change(machine.uuid, powered_on_at=now(), boots=machine.boots + 1)

    async def console(self, target: Target, facts: Facts) -> Sequence[str]:
        """How often it was booted."""
        machine = await self._acted("console", target)
        return [f"{machine.computer}: boot {machine.boots} of {machine.image}/{machine.revision}"]

    async def health(self, target: Target, facts: Facts) -> Inside:
        """As the pretended world has it."""
        machine = await self._acted("health", target)
        return Inside(machine.clock, machine.disk_errors)

    async def taint(self, target: Target, facts: Facts, reason: str) -> None:
        """Remember that a user may have logged in."""
        machine = await self._acted("taint", target)
        self._world.change(machine.uuid, tainted=machine.tainted or reason)

    async def why_tainted(self, target: Target, facts: Facts, access: Access, opened_seconds: float) -> str:
        """Let nobody in any more; whether a pretended user was there."""
        machine = await self._acted("why_tainted", target)
        came = machine.access_since + self._world.behaviour.connects_after
        self._world.change(machine.uuid, let_in=())
        if machine.tainted:
            return machine.tainted
        was_there = machine.let_in and self._world.behaviour.connects_after >= 0 and came <= now()
        return f"{access.login} was connected" if was_there else ""

    async def node_status(self, target: Target, facts: Facts) -> NodeStatus:
        """As the pretended world has it."""
        try:
            machine = await self._acted("node_status", target)
        except (StepFailed, Unreachable) as error:
            return NodeStatus(Status.RELOAD, why=str(error))
        image = f"{machine.image}/{machine.revision}"
        if image != f"{target.image}/{target.revision}" or machine.tainted:
            return NodeStatus(Status.RELOAD, "on", True, image, machine.tainted or f"it holds {image}")
        return NodeStatus(Status.READY if machine.prepared else Status.POST_LOAD, "on", True, image)

    async def sanitize(
        self,
        target: Target,
        facts: Facts,
        access: Access | None = None,
        opened: bool = True,
        fence: Fence = None,
    ) -> None:
        """Remove the accounts, let nobody in. Raises ``StepFailed`` when a user had root rights."""
        machine = await self._acted("sanitize", target)
        if opened and access is not None and access.sudo:
            raise StepFailed(f"{access.login} had root rights on {machine.computer}: only a load cleans it")
        self._world.change(machine.uuid, accounts=(), let_in=(), access_since=0.0)

    async def pre_capture(
        self,
        target: Target,
        facts: Facts,
        access: Access,
        end_state: EndState,
        password_ref: str,
        fence: Fence = None,
    ) -> tuple[SealedPart, ...]:
        """Forget accounts, taint and preparation; then off, on, or booted once more."""
        machine = await self._acted("pre_capture", target)
        self._world.change(machine.uuid, accounts=(), let_in=(), access_since=0.0, tainted="", prepared=False)
        if end_state is EndState.OFF:
            self._world.change(machine.uuid, powered_on_at=0.0)
        elif end_state is EndState.REBOOT:
            self._world.change(machine.uuid, powered_on_at=now(), boots=machine.boots + 1)
        removed = f"removed: {', '.join(machine.accounts)}" if machine.accounts else "there are none"
        return (SealedPart("accounts", removed), SealedPart("end", f"the computer is left {end_state}"))

    # --- the steps ------------------------------------------------------------------------------------------------

    async def _wait_ssh(self, context: StepContext, given: StepInput) -> Facts:
        self._may_fail(given.step, given.target)
        machine = self._running(given.target)
        left = machine.powered_on_at + self._world.behaviour.seconds(given.step) - now()
        if left > 0:
            raise NotYet(f"{machine.computer} does not answer SSH yet", min(left, _LONGEST_PAUSE))
        return Facts(host_key=_host_key(machine))

    async def _post_load(self, context: StepContext, given: StepInput) -> Facts:
        machine = await self._acted(given.step, given.target)
        if not machine.prepared:
            self._world.change(machine.uuid, prepared=True)
        return Facts()

    async def _read_public_address(self, context: StepContext, given: StepInput) -> Facts:
        await self._acted(given.step, given.target)
        return await self.read_public_address(given.target, given.facts)

    async def _check_capture(self, context: StepContext, given: StepInput) -> Facts:
        """What the computer is known by. Raises ``Unreachable`` when it is off."""
        capture.becomes(given)
        machine = await self._acted(given.step, given.target)
        return Facts(unlike=tuple(value for _, value in _identity(machine, given.facts)))

    async def _shut_down(self, context: StepContext, given: StepInput) -> Facts:
        """Off at once; harmless when it is off."""
        capture.becomes(given)
        with suppress(Unreachable):
            machine = await self._acted(given.step, given.target)
            context.fence()
            self._world.change(machine.uuid, powered_on_at=0.0)
        return Facts()

    async def _seal(self, context: StepContext, given: StepInput) -> Facts:
        """Forget what belongs to one computer or user, then off. Raises ``StepFailed`` for the source itself."""
        capture.refuse_unless_throw_away(given)
        machine = await self._acted(given.step, given.target)
        capture.refuse_source(given, _boot_id(machine))
        context.fence()
        fresh = {"accounts": (), "let_in": (), "access_since": 0.0, "tainted": "", "prepared": False}
        self._world.change(machine.uuid, powered_on_at=0.0, **fresh)
        return Facts()

    async def _try_login(self, context: StepContext, given: StepInput) -> Facts:
        """Raises ``StepFailed`` for a computer that is like its source, or has the users of that."""
        made, target = capture.becomes(given), given.target
        machine = await self._acted(given.step, target)
        capture.refuse_likeness(given.facts, target.computer, _identity(machine, given.facts))
        if made.access is not None and made.access.login in machine.accounts:
            raise StepFailed(f"{target.computer} is not clean: the account {made.access.login} is in the sealed copy")
        return Facts()

    # --- what they have in common ---------------------------------------------------------------------------------

    async def _acted(self, name: str, target: Target) -> Machine:
        """The machine, after as long as the settings say. Raises what they say, and ``Unreachable`` when it is off."""
        seconds = self._world.behaviour.seconds(name)
        if seconds:
            await asyncio.sleep(seconds)
        self._may_fail(name, target)
        return self._running(target)

    def _may_fail(self, name: str, target: Target) -> None:
        problem = self._world.misfortune(name, target)
        if problem:
            raise problem

    def _running(self, target: Target) -> Machine:
        machine = self._world.find(target.instance_uuid)
        if machine is None or not machine.on:
            raise Unreachable(f"{target.computer} does not answer")
        return machine


def _host_key(machine: Machine) -> str:
    return f"ssh-ed25519 {hashlib.sha256(machine.uuid.encode()).hexdigest()}"


def _boot_id(machine: Machine) -> str:
    return f"{machine.uuid}-{machine.boots}"


def _identity(machine: Machine, facts: Facts) -> list[tuple[str, str]]:
    """What a machine is known by, as (what, value)."""
    found = [("host key", _host_key(machine)), ("host name", machine.computer), ("boot id", _boot_id(machine))]
    found += [("private address", facts.private_address), ("public address", facts.public_address)]
    return [each for each in found if all(each)]


def _tail(address: str, prefix: str) -> str:
    """Another address with the same last two bytes."""
    return ".".join((prefix, *address.split(".")[2:])) if address else ""
