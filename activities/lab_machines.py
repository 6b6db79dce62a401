"""What the standalone module must have done inside of lab machines."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from vclab.guests.base import Fence
from vclab.model.catalog import Computer
from vclab.model.errors import Refused
from vclab.model.plans import Access, Facts, Target
from vclab.model.rules import Rules
from vclab.model.steps import StepContext
from vclab.power.address import parse
from vclab.power.base import Bmc
from vclab.power.control import Power
from vclab.store import catalog, power, reservations
from vclab.store.engine import Store


class LabGuest(Protocol):
    """The guest of lab machines; see ``vclab/guests/linux.py``."""

    async def why_not_free(self, address: str, host_key: str = "") -> str:
        """Why nobody can have the machine now; empty when it is free."""

    async def shut_down_lab_machine(self, address: str, host_key: str) -> None:
        """Have it shut down, a second from now."""

    async def sanitize(
        self,
        target: Target,
        facts: Facts,
        access: Access | None = None,
        opened: bool = True,
        fence: Fence = None,
    ) -> None:
        """Remove all that the tenure's users could have left, and verify."""


class LabMachines:
    """Asks their guest for it, with what the store knows of their users. All methods block."""

    def __init__(self, store: Store, guest: LabGuest, rules: Rules) -> None:
        self._store = store
        self._guest = guest
        self._rules = rules

    def why_not_free(self, machine: Computer) -> str:
        """Who sits at it; empty when nobody does. Raises as the guest does."""
        return asyncio.run(self._guest.why_not_free(machine.private_address, machine.host_key))

    def shut_down(self, name: str) -> None:
        """Have it shut down. Raises as the guest does, and ``Refused`` where it is not known who answers there."""
        with self._store.read() as session:
            machine = catalog.computer(session, name)
        if not machine.host_key:
            raise Refused(f"the host key of {name} is not known", "use `vclab computer add` with --host-key")
        asyncio.run(self._guest.shut_down_lab_machine(machine.private_address, machine.host_key))

    def wake(self, own: Power, machine: Computer, context: StepContext) -> None:
        """Have it on, by what is entered for it. Asks the context's fence before. Raises as ``Power.on``."""
        with self._store.read() as session:
            at = power.address(session, machine.name)
        own.on(Bmc(machine.name, parse(at.address), at.password_ref, at.fingerprint), context)

    def sanitize(self, target: Target, fence: Callable[[], None]) -> None:
        """Remove what the users of the target's tenure left, and verify. Raises as the guest and the fence do."""
        with self._store.read() as session:
            left = reservations.left(session, target, self._rules)
        if left.opened or left.facts.host_key:  # a machine that was never reached holds nothing of ours
            asyncio.run(self._guest.sanitize(target, left.facts, left.access, left.opened, fence))
