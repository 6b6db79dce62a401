"""Reconciliation: finds rows whose workflow is gone, and machines of ours without a tenure.

Rows are looked after on the workflows' queue. Machines, and hosts that rest since loads failed on them, are asked for
at each site by a worker of that site, for no other one reaches its endpoints.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import failures, text_of
from activities.inventories import StoreInventories
from activities.runner import heartbeating, unfenced
from vclab.model import messages
from vclab.model.catalog import Endpoint
from vclab.model.computer_checks import Check
from vclab.model.errors import VclabError
from vclab.model.health import BY_CHECK, Rest
from vclab.model.inventory import HostFacts, MachineFacts
from vclab.model.messages import check_workflow, computer_workflow, power_workflow, workflow_id
from vclab.model.power import PowerVerb, Switch
from vclab.model.revisions import CopyState, Wanted
from vclab.model.rules import Health, Rules
from vclab.netboot.nodes import Nodes
from vclab.provisioning.base import ProvisioningModule, known_module, maker, sealer
from vclab.secrets.store import SecretStore
from vclab.settings import ReconcileSettings
from vclab.store import (
    background_loads,
    captures,
    catalog,
    computer_checks,
    copies,
    copy_verification,
    disk_moves,
    host_rests,
    idle,
    inspections,
    inventories,
    maintenance,
    orphans,
    power,
    reservations,
    revisions,
    spares,
    tenures,
)
from vclab.store import failures as failures_store
from vclab.store.engine import Store
from vclab.store.orphans import Orphaned

_RUNNING = f'ExecutionStatus = "Running" AND WorkflowType IN ("{messages.WORKFLOW}", "Reclaim")'
SHUT_DOWN_SECONDS = 120.0
"""For the system of a computer that nobody needs to shut down, before its power is cut."""
_ASKED_LATELY = timedelta(minutes=5)
"""For so long an endpoint's answer is good enough for an alarm."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Strays:
    """What one round found and did."""

    reclaimed: tuple[str, ...] = ()  #: reservations whose workflow was gone
    reported: tuple[str, ...] = ()  #: machines without a tenure
    removed: tuple[str, ...] = ()  #: machines whose grace was over
    not_asked: tuple[str, ...] = ()  #: endpoints that did not answer, and sites whose workers did not
    woken: tuple[str, ...] = ()  #: hosts that rested and can be used again
    forgotten: int = 0  #: tenures that are released, and whose secrets are gone now
    loads: tuple[str, ...] = ()  #: computers that are being loaded, for nobody yet
    spares: tuple[str, ...] = ()  #: computers whose spare is being removed: too old, of an old revision, or in the way
    moved: tuple[str, ...] = ()  #: what somebody did to machines' disks, in words
    switched_off: tuple[str, ...] = ()  #: computers that nobody needs
    checked: tuple[str, ...] = ()  #: computers that nobody has, and whose check is due


@dataclass(frozen=True)
class Rows:
    """What was done about rows, and the sites whose endpoints are to be asked next."""

    found: Strays
    sites: tuple[str, ...] = ()


@dataclass(frozen=True)
class SiteInput:
    """Ask all endpoints of a site."""

    site: str


class RowReconciler:
    """What can be looked after without any hardware."""

    def __init__(
        self,
        client: Client,
        store: Store,
        endpoints: Callable[[], list[Endpoint]],
        queue: str,
        rules: Callable[[], Rules],
        secrets: SecretStore | None = None,
    ) -> None:
        """``endpoints`` lists all, and blocks; ``queue``: where workflows are started."""
        self._client = client
        self._store = store
        self._endpoints = endpoints
        self._queue = queue
        self._rules = rules
        self._secrets = secrets

    @activity.defn
    async def reconcile_rows(self) -> Rows:
        """Start a ``Reclaim`` for each row without a workflow, a ``Removal`` for each spare that is to go, a ``Load``
        for each computer that needs one, a ``Check`` for each idle one that is due; switch off those that nobody needs;
        forget secrets that are not needed any more."""
        with failures():
            async with heartbeating(unfenced):
                endpoints = await asyncio.to_thread(self._endpoints)
                await asyncio.to_thread(self._store.run, partial(_tend_computers, rules=self._rules(), now=_now()))
                reclaimed, spare, loading = await self._rows(), await self._spares(), await self._loads()
                off, checked = await self._switch_off(), await self._check()
                await self._copies()
                forgotten = await asyncio.to_thread(self._forget)
                await asyncio.to_thread(self._hosts_of_none, {endpoint.name for endpoint in endpoints})
                found = Strays(reclaimed=tuple(reclaimed), forgotten=forgotten, loads=tuple(loading))
                found = replace(found, spares=tuple(spare), switched_off=tuple(off), checked=tuple(checked))
                return Rows(found, tuple(sorted({endpoint.site for endpoint in endpoints})))

    def _hosts_of_none(self, endpoints: Collection[str]) -> None:
        """Hosts of an endpoint that was removed: no site would ever be asked for them."""
        now, health = _now(), self._rules().health

        def check(session: Session) -> None:
            for rest in host_rests.due(session, now):
                if rest.endpoint not in endpoints:
                    why = f"there is no endpoint {rest.endpoint} any more"
                    host_rests.checked(session, rest.endpoint, rest.host, why, health, now)

        self._store.run(check)

    def _forget(self) -> int:
        """Forget the secrets of tenures that are released: nobody has these computers any more.

        Only of those: what the store knows nothing of may be another's, or newer than the copy that was restored.
        """
        if self._secrets is None:
            return 0
        kept = {tenure: ref for ref in self._secrets.under("tenure", 2) if (tenure := _tenure(ref)) is not None}
        if not kept:
            return 0
        with self._store.read() as session:
            released = tenures.released(session, kept)
        for tenure in released:
            self._secrets.forget(kept[tenure])
        return len(released)

    async def _spares(self) -> list[str]:
        """Start the removal of each spare that is to go. One that runs already is left alone."""
        overdue = await asyncio.to_thread(self._overdue)
        for computer in overdue:
            with suppress(WorkflowAlreadyStartedError):
                await self._client.start_workflow(
                    "Removal", {"computer": computer}, id=computer_workflow(computer), task_queue=self._queue
                )
        return overdue

    async def _loads(self) -> list[str]:
        """Start the load of each computer of which nobody knows what it holds, and of those whose load was lost."""
        due = await asyncio.to_thread(self._due_loads)
        for computer in due:
            with suppress(WorkflowAlreadyStartedError):
                await self._client.start_workflow(
                    messages.LOAD, messages.Reload(computer), id=computer_workflow(computer), task_queue=self._queue
                )
        return due

    async def _switch_off(self) -> list[str]:
        """Start to switch off computers that nobody needs, and whose group wants that. Loads go first."""
        idle_ones = await asyncio.to_thread(self._idle)
        for computer in idle_ones:
            switch = Switch(computer, PowerVerb.OFF, soft_seconds=SHUT_DOWN_SECONDS)
            with suppress(WorkflowAlreadyStartedError):
                await self._client.start_workflow(
                    messages.POWER, switch, id=power_workflow(computer), task_queue=self._queue
                )
        return idle_ones

    def _idle(self) -> list[str]:
        with self._store.read() as session:
            return idle.to_switch_off(session, self._rules(), _now())

    async def _check(self) -> list[str]:
        """Start the check of each idle computer that is due."""
        due = await asyncio.to_thread(self._due_checks)
        for computer in due:
            with suppress(WorkflowAlreadyStartedError):
                await self._client.start_workflow(
                    messages.CHECK, Check(computer), id=check_workflow(computer), task_queue=self._queue
                )
        return due

    def _due_checks(self) -> list[str]:
        with self._store.read() as session:
            return computer_checks.due(session, self._rules(), _now())

    async def _copies(self) -> None:
        """Start the workflow of each copy that is to be made, deleted or read. One that runs already is left alone."""
        rules, now = self._rules(), _now()
        await asyncio.to_thread(self._store.run, lambda session: _tend(session, rules, now))
        for name, wanted, id in await asyncio.to_thread(self._due_copies, rules, now):
            with suppress(WorkflowAlreadyStartedError):
                await self._client.start_workflow(name, wanted, id=id, task_queue=self._queue)

    def _due_copies(self, rules: Rules, now: datetime) -> list[tuple[str, Wanted, str]]:
        with self._store.read() as session:
            making = copies.to_be_made(session, rules.library.may_begin(now))
            leaving = copies.in_state(session, CopyState.RETIRING)
            reading = copy_verification.due(session, rules, now)
        return [
            *((messages.COPY, wanted, messages.copy_workflow(wanted)) for wanted in making),
            *((messages.COPY_REMOVAL, wanted, messages.copy_removal_workflow(wanted)) for wanted in leaving),
            *(
                (messages.COPY_VERIFICATION, wanted, messages.copy_verification_workflow(site))
                for site, wanted in reading.items()
            ),
        ]

    def _due_loads(self) -> list[str]:
        rules = self._rules()
        with self._store.read() as session:
            return background_loads.in_turn(session, background_loads.due(session, rules.reloadable()), rules)

    def _overdue(self) -> list[str]:
        with self._store.read() as session:
            return spares.overdue(session, _now())

    async def _rows(self) -> list[str]:
        """What the list of running workflows lacks is looked at by itself: the list lags behind."""
        running, gone = await self._running(), []
        for reservation in await asyncio.to_thread(self._unfinished):
            if running.isdisjoint(_workflows(reservation)) and not await self._lives(reservation):
                log.warning("reservation %s has no workflow: its computer is taken back", reservation)
                await self._client.start_workflow(
                    "Reclaim", {"reservation": reservation}, id=f"reclaim-{reservation}", task_queue=self._queue
                )
                gone.append(reservation)
        return gone

    def _unfinished(self) -> list[str]:
        with self._store.read() as session:
            return reservations.unfinished(session)

    async def _running(self) -> set[str]:
        """The ids of all workflows that run now and look after a reservation, as the server's list has them."""
        return {found.id async for found in self._client.list_workflows(_RUNNING)}

    async def _lives(self, reservation: str) -> bool:
        """True while its workflow, or a reclaim of it, runs."""
        for name in _workflows(reservation):
            try:
                found = await self._client.get_workflow_handle(name).describe()
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                continue
            if found.status is WorkflowExecutionStatus.RUNNING:
                return True
        return False


class SiteReconciler:
    """What only a worker of the site can look after."""

    def __init__(
        self,
        store: Store,
        modules: Mapping[str, ProvisioningModule],
        endpoints: Callable[[], list[Endpoint]],
        settings: ReconcileSettings,
        executor: Executor,
        health: Health | None = None,
        network: Path | None = None,
    ) -> None:
        """``endpoints`` lists those of all sites, and blocks. ``network``: the root of the provisioning network that is
        reached from here; None: this site has no such network."""
        self._store = store
        self._modules = modules
        self._endpoints = endpoints
        self._settings = settings
        self._executor = executor
        self._health = health or Health()
        self._network = network

    @activity.defn
    async def reconcile_site(self, given: SiteInput) -> Strays:
        """Report and, after the grace, remove stray machines; record where disks are that somebody has moved; bring
        back hosts that rested and can be used again; see datastores that fill; have the provisioning network forget
        machines that are no computers any more."""
        with failures():
            async with heartbeating(unfenced):
                reported: list[str] = []
                removed: list[str] = []
                not_asked: list[str] = []
                moved: list[str] = []
                endpoints = [e for e in await asyncio.to_thread(self._endpoints) if e.site == given.site]
                for endpoint in endpoints:
                    try:
                        await self._machines(endpoint, reported, removed, moved)
                        await self._datastores(endpoint)
                        await self._captures(endpoint)
                    except Exception as error:  # whatever is wrong with one, the others are looked after
                        not_asked.append(f"{endpoint.name}: {text_of(error)}")
                try:
                    await asyncio.to_thread(self._forget_machines)
                except VclabError as error:
                    not_asked.append(f"the provisioning network: {error}")
                woken = await self._hosts({endpoint.name: endpoint for endpoint in endpoints})
                found = Strays((), tuple(reported), tuple(removed), tuple(not_asked), tuple(woken))
                return replace(found, moved=tuple(moved))

    def _forget_machines(self) -> None:
        """First it is looked what is there, then what is recorded: a computer is written down before it is started."""
        if self._network is None or not self._network.is_dir():
            return
        nodes = Nodes(self._network)
        known = nodes.known()
        with self._store.read() as session:
            recorded = {computer.private_mac for computer in catalog.computers(session)}
        for mac in sorted(set(known) - recorded):
            log.warning("the provisioning network forgets %s: no computer has that MAC", mac)
            nodes.forget(mac)

    async def _hosts(self, endpoints: Mapping[str, Endpoint]) -> list[str]:
        """Check the resting hosts whose time has come; the others cost nothing."""
        due: dict[str, list[Rest]] = {}
        for rest in await asyncio.to_thread(self._due):
            if rest.endpoint in endpoints:
                due.setdefault(rest.endpoint, []).append(rest)
        woken = []
        for name, resting in due.items():
            problems = await self._problems(endpoints[name], [rest.host for rest in resting])
            for rest in resting:
                if await asyncio.to_thread(self._checked, rest, problems[rest.host]):
                    log.info("%s on %s can be used again: it rested since %s", rest.host, name, rest.since)
                    woken.append(f"{name}/{rest.host}")
        return woken

    async def _problems(self, endpoint: Endpoint, hosts: list[str]) -> dict[str, str]:
        """What keeps each of the endpoint's hosts from being used; empty when it can be."""
        try:
            survey = known_module(self._modules, endpoint.module).survey
            found = await asyncio.get_running_loop().run_in_executor(self._executor, survey, endpoint.name)
        except Exception as error:
            return dict.fromkeys(hosts, text_of(error))
        facts = {host.name: host for host in found.hosts}
        return {host: found.error or _problem(facts.get(host)) for host in hosts}

    def _due(self) -> list[Rest]:
        with self._store.read() as session:
            return host_rests.due(session, _now())

    def _checked(self, rest: Rest, problem: str) -> bool:
        """Note what the check found; true when the host is back."""
        now = _now()
        if problem:
            self._store.run(lambda s: host_rests.checked(s, rest.endpoint, rest.host, problem, self._health, now))
            return False
        return self._store.run(lambda s: failures_store.wake(s, rest.endpoint, rest.host, BY_CHECK, now))

    async def _machines(self, endpoint: Endpoint, reported: list[str], removed: list[str], moved: list[str]) -> None:
        loop, module = asyncio.get_running_loop(), maker(known_module(self._modules, endpoint.module))
        if module is None:  # its computers are lent: none is ever made, so none can be forgotten
            return
        found = await loop.run_in_executor(self._executor, module.machines, endpoint.name)
        moved += await asyncio.to_thread(self._record_moved, found.machines)
        for stray in await asyncio.to_thread(self._without_tenure, endpoint.name, found.machines):
            machine = stray.machine
            if stray.seconds < self._settings.grace:
                reported.append(machine.name)
                continue
            log.warning("removing %s from %s: nobody has held it since %s", machine.name, endpoint.name, stray.since)
            await loop.run_in_executor(self._executor, module.remove_machine, endpoint.name, machine.instance_uuid)
            removed.append(machine.name)

    async def _captures(self, endpoint: Endpoint) -> None:
        """Delete what captures have left that are over: their workflow was lost. First it is looked what is there, then
        which of them run: a capture is written down before its disks are made."""
        loop, module = asyncio.get_running_loop(), known_module(self._modules, endpoint.module)
        if not module.traits.seals:
            return
        there = await loop.run_in_executor(self._executor, sealer(module).captures, endpoint.name)
        for capture in await asyncio.to_thread(self._over, there):
            log.warning("deleting the disks of capture %s on %s: it is over", capture, endpoint.name)
            await loop.run_in_executor(self._executor, sealer(module).forget_capture, endpoint.name, capture)

    def _over(self, there: Sequence[str]) -> list[str]:
        with self._store.read() as session:
            return [capture for capture in there if not captures.is_running(session, capture)]

    def _record_moved(self, machines: tuple[MachineFacts, ...]) -> list[str]:
        """Record the disks that somebody has moved, or made whole."""
        now = _now()
        with self._store.read() as session:
            suspects = disk_moves.suspects(session, machines)
        said = (self._store.run(partial(disk_moves.record, machine=each, now=now)) for each in suspects)
        new = [text for text in said if text]
        for text in new:
            log.warning("%s", text)
        return new

    async def _datastores(self, endpoint: Endpoint) -> None:
        """Ask what an endpoint can hold if no placement has lately: disks grow there also while nobody reserves."""
        module = known_module(self._modules, endpoint.module)
        if not module.traits.copies or await asyncio.to_thread(self._asked_lately, endpoint.name):
            return
        kept = StoreInventories(self._store)
        epochs = await asyncio.to_thread(kept.epochs)
        found = await asyncio.get_running_loop().run_in_executor(self._executor, module.survey, endpoint.name)
        await asyncio.to_thread(kept.keep, (found,), epochs)

    def _asked_lately(self, endpoint: str) -> bool:
        with self._store.read() as session:
            answered = inventories.taken(session).get(endpoint)
        return answered is not None and _now() - answered < _ASKED_LATELY

    def _without_tenure(self, endpoint: str, machines: tuple[MachineFacts, ...]) -> list[Orphaned]:
        """Machines without a tenure. A round that comes late counts as two."""
        now, longest = _now(), 2 * self._settings.every
        return self._store.run(lambda session: orphans.seen(session, endpoint, machines, now, longest))


def _tend_computers(session: Session, rules: Rules, now: datetime) -> None:
    """What operators wanted for later is done, or can't be any more; what nobody switches or inspects is free."""
    maintenance.tend(session, now)
    background_loads.tend(session, rules, now)
    power.release_lost(session, now)
    inspections.release_lost(session, now)


def _tend(session: Session, rules: Rules, now: datetime) -> None:
    """What nobody needs any more is to be deleted: copies of retired revisions, broken copies, old revisions. Test
    revisions whose time is over are retired first."""
    revisions.retire_overdue(session, now)
    copies.retire_idle(session, now)
    copy_verification.replace_broken(session, now)
    revisions.delete_overdue(session, rules.library.keep, now)


def _workflows(reservation: str) -> tuple[str, str]:
    """The ids of those that look after it."""
    return workflow_id(reservation), f"reclaim-{reservation}"


def _now() -> datetime:
    """By the server's clock, by which the workflows have written down until when something is to last."""
    return activity.info().current_attempt_scheduled_time


def _problem(facts: HostFacts | None) -> str:
    if facts is None:
        return "it is not listed by its endpoint"
    return "" if facts.usable else facts.why_not or "it is not usable"


def _tenure(reference: str) -> tuple[str, int] | None:
    """Computer and generation of a reference "tenure/vm03/7"."""
    _, computer, generation = reference.split("/")
    return (computer, int(generation)) if generation.isdecimal() else None
