"""Switching computers by hand: its records, and the work itself, at the computer's site."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session
from temporalio import activity

from activities.errors import failures
from activities.recording import recording
from activities.runner import Context, heartbeating, in_thread
from vclab.model.errors import Fenced, NotFound, Refused
from vclab.model.intents import VCLAB, Verb
from vclab.model.plans import Target
from vclab.model.power import PowerOrder, PowerSeen, PowerVerb, Switch, console_text
from vclab.model.traits import Operation
from vclab.power.address import parse
from vclab.power.base import Bmc, Boot, BootDevice, Seen
from vclab.power.console import Lines
from vclab.power.control import Power
from vclab.provisioning.base import ProvisioningModule, known_module
from vclab.provisioning.base import power as switchable
from vclab.settings import Settings
from vclab.store import intents, power, tenures
from vclab.store.engine import Store


@dataclass(frozen=True)
class PowerBegins:
    """Somebody asks for it."""

    switch: Switch
    now: datetime


@dataclass(frozen=True)
class PowerBegun:
    """What is to be done; or why nothing is."""

    order: PowerOrder | None = None
    refusal: str = ""


@dataclass(frozen=True)
class PowerEnded:
    """What was seen; or ``why_not``."""

    order: PowerOrder
    now: datetime
    seen: PowerSeen = PowerSeen()
    why_not: str = ""


class PowerRecords:
    """Record activities of the workflow ``Power``."""

    def __init__(self, store: Store, settings: Callable[[], Settings]) -> None:
        self._store = store
        self._settings = settings

    @activity.defn
    def power_begins(self, given: PowerBegins) -> PowerBegun:
        """Take the tenure, if something is to be changed. That it can't be is an answer."""
        switch, rules = given.switch, self._settings().rules()

        def begin(session: Session) -> PowerBegun:
            by, said = VCLAB, {"verb": switch.verb, "device": switch.device}
            if switch.intent:
                by = intents.author(session, switch.intent, Verb.SWITCH, switch.computer, **said)
            return PowerBegun(power.begin(session, switch, by, rules, given.now))

        with recording():
            try:
                return self._store.run(begin)
            except (Refused, NotFound) as refused:
                return PowerBegun(refusal=str(refused))

    @activity.defn
    def power_ended(self, given: PowerEnded) -> None:
        """It is in the audit; the tenure is released."""
        with recording():
            self._store.run(lambda s: power.end(s, given.order, given.seen, given.why_not, given.now))


class PowerActivities:
    """The work."""

    def __init__(
        self,
        modules: Mapping[str, ProvisioningModule],
        own: Power | None,
        store: Store,
        executor: Executor,
        tenants: Sequence[str] = (),
    ) -> None:
        """``own`` switches computers that have a BMC, or can be woken; ``tenants``: networks of users' computers."""
        self._tenants = tenants
        self._modules = modules
        self._own = own
        self._store = store
        self._executor = executor

    @activity.defn
    async def switch_power(self, order: PowerOrder) -> PowerSeen:
        """Tell or change it, and see it. Raises ``Refused``, ``Unreachable``, ``StepFailed``, ``Fenced``."""
        with failures():
            async with heartbeating(lambda: self._fence(order)) as context:
                if order.target is None:
                    return await in_thread(self._executor, context, self._by_itself, order, context)
                return await in_thread(self._executor, context, self._by_endpoint, order, order.target, context)

    def _by_itself(self, order: PowerOrder, context: Context) -> PowerSeen:
        if self._own is None:
            raise Refused("this worker switches nothing")
        own, given, at = self._own, order.switch, order.at
        bmc = Bmc(given.computer, parse(at.address), at.password_ref, at.fingerprint)
        match given.verb:
            case PowerVerb.STATUS:
                return _seen(own.status(bmc, context))
            case PowerVerb.ON:
                return _seen(own.on(bmc, context))
            case PowerVerb.OFF:
                return _seen(own.off(bmc, context, given.soft_seconds))
            case PowerVerb.RESET:
                return _seen(own.reset(bmc, context))
            case PowerVerb.CHECK:
                seen, warnings = own.check(bmc, self._tenants, context)
                return PowerSeen(seen.state, seen.why, warnings=tuple(warnings))
            case PowerVerb.CONSOLE:
                return PowerSeen(lines=self._heard(own, bmc, given, context))
        boot = Boot(BootDevice(given.device or "default"), not given.always)
        found = own.set_boot_device(bmc, boot, context) if given.device else own.boot_device(bmc, context)
        return PowerSeen(device=found.device, always=not found.once)

    def _heard(self, own: Power, bmc: Bmc, given: Switch, context: Context) -> tuple[str, ...]:
        def told(lines: Lines) -> None:
            context.progress(console_text(lines.count, lines.whole))

        return own.console(bmc, given.listen_seconds, context, given.take, told)

    def _by_endpoint(self, order: PowerOrder, target: Target, context: Context) -> PowerSeen:
        verb = order.switch.verb
        module = switchable(
            known_module(self._modules, target.module), verb.operation or Operation.POWER_STATUS, target
        )
        match verb:
            case PowerVerb.ON:
                module.power_on(context, target)
            case PowerVerb.OFF:
                module.power_off(context, target)
            case PowerVerb.RESET:
                module.power_reset(context, target)
        return PowerSeen(module.power_status(target))

    def _fence(self, order: PowerOrder) -> None:
        """Without a tenure of its own, it is the operator's word alone."""
        if not order.generation:
            return
        with self._store.read() as session:
            if not tenures.held(session, order.switch.computer, order.generation):
                raise Fenced(f"{order.switch.computer} is not held in generation {order.generation} any more")


def _seen(seen: Seen) -> PowerSeen:
    return PowerSeen(seen.state, seen.why)
