"""Finds what no workflow looks after any more: rows whose workflow is gone, machines of ours without a tenure."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import failures, redacted
from activities.runner import heartbeating, unfenced
from vclab.model.catalog import Endpoint
from vclab.model.errors import VclabError
from vclab.model.inventory import MachineFacts
from vclab.model.messages import workflow_id
from vclab.provisioning.base import ProvisioningModule
from vclab.settings import ReconcileSettings
from vclab.store import orphans, reservations
from vclab.store.engine import Store
from vclab.temporal.client import QUEUE

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Strays:
    """What one round found and did."""

    reclaimed: tuple[str, ...] = ()  #: reservations whose workflow was gone
    reported: tuple[str, ...] = ()  #: machines without a tenure
    removed: tuple[str, ...] = ()  #: machines whose grace was over
    not_asked: tuple[str, ...] = ()  #: endpoints that did not answer


class ReconcileActivities:
    """One round of the reconciler."""

    def __init__(
        self,
        client: Client,
        store: Store,
        modules: Mapping[str, ProvisioningModule],
        endpoints: Callable[[], list[Endpoint]],
        settings: ReconcileSettings,
        executor: Executor,
    ) -> None:
        self._client = client
        self._store = store
        self._modules = modules
        self._endpoints = endpoints
        self._settings = settings
        self._executor = executor

    @activity.defn
    async def find_strays(self) -> Strays:
        """Start a ``Reclaim`` for each row without a workflow; report and, after the grace, remove stray machines."""
        with failures():
            async with heartbeating(unfenced):
                return await self._round()

    async def _round(self) -> Strays:
        reclaimed = await self._rows()
        reported: list[str] = []
        removed: list[str] = []
        not_asked: list[str] = []
        for endpoint in await asyncio.to_thread(self._endpoints):
            try:
                await self._machines(endpoint, reported, removed)
            except VclabError as error:
                not_asked.append(f"{endpoint.name}: {redacted(str(error))}")
        return Strays(tuple(reclaimed), tuple(reported), tuple(removed), tuple(not_asked))

    async def _rows(self) -> list[str]:
        gone = []
        for reservation in await asyncio.to_thread(self._unfinished):
            if not await self._lives(reservation):
                log.warning("reservation %s has no workflow: its computer is taken back", reservation)
                await self._client.start_workflow(
                    "Reclaim", {"reservation": reservation}, id=f"reclaim-{reservation}", task_queue=QUEUE
                )
                gone.append(reservation)
        return gone

    def _unfinished(self) -> list[str]:
        with self._store.read() as session:
            return reservations.unfinished(session)

    async def _lives(self, reservation: str) -> bool:
        """True while its workflow, or a reclaim of it, runs."""
        for name in (workflow_id(reservation), f"reclaim-{reservation}"):
            try:
                found = await self._client.get_workflow_handle(name).describe()
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                continue
            if found.status is WorkflowExecutionStatus.RUNNING:
                return True
        return False

    async def _machines(self, endpoint: Endpoint, reported: list[str], removed: list[str]) -> None:
        loop, module = asyncio.get_running_loop(), self._modules[endpoint.module]
        found = await loop.run_in_executor(self._executor, module.machines, endpoint.name)
        strays = await asyncio.to_thread(self._without_tenure, endpoint.name, found.machines)
        for machine, since in strays:
            if datetime.now(UTC) - since < timedelta(seconds=self._settings.grace):
                reported.append(machine.name)
                continue
            log.warning("removing %s from %s: nobody has held it since %s", machine.name, endpoint.name, since)
            await loop.run_in_executor(self._executor, module.remove_machine, endpoint.name, machine.instance_uuid)
            removed.append(machine.name)

    def _without_tenure(self, endpoint: str, machines: tuple[MachineFacts, ...]) -> list[tuple[MachineFacts, datetime]]:
        """Machines without a tenure, each with when that was first seen."""
        return self._store.run(lambda session: orphans.seen(session, endpoint, machines, datetime.now(UTC)))
