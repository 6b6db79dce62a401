"""Removing records from the database, and histories from the Temporal server."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session
from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import failures
from activities.runner import heartbeating, unfenced
from vclab.model.errors import Refused
from vclab.model.intents import Verb
from vclab.model.messages import workflow_id
from vclab.model.retention import Forget, Forgotten, Swept
from vclab.settings import Settings
from vclab.store import feed, forgetting, intents, keyed_acts, removals, retention
from vclab.store.engine import Store
from vclab.store.forgetting import Known

SECONDS = timedelta(seconds=10)


class RetentionActivities:
    """All that removes records."""

    def __init__(self, client: Client, store: Store, settings: Callable[[], Settings]) -> None:
        self._client = client
        self._store = store
        self._settings = settings

    @activity.defn
    async def sweep(self) -> Swept:
        """Remove what is older than the settings say."""
        with failures():
            async with heartbeating(unfenced):
                now, kept = datetime.now(UTC), self._settings().retention.periods()
                await asyncio.to_thread(self._store.run, partial(keyed_acts.forget, now=now))
                return Swept(
                    audit=await self._all(partial(retention.sweep_audit, now=now), now - kept.audit),
                    loads=await self._all(partial(retention.sweep_loads, now=now), now - kept.loads),
                    reservations=await self._all(
                        partial(retention.sweep_reservations, now=now), now - kept.reservations
                    ),
                    feed=await self._all(feed.prune, now - kept.feed),
                )

    async def _all(self, batch: Callable[[Session, datetime], int], before: datetime) -> int:
        """Batch by batch, each a transaction, so that nobody waits for long; how many rows."""
        rows = 0
        while done := await asyncio.to_thread(self._store.run, lambda session: batch(session, before)):
            rows += done
        return rows

    @activity.defn
    async def forget_person(self, given: Forget) -> Forgotten:
        """Forget whom the intent names, and delete the histories of their reservations. Again: the same answer."""
        with failures():
            async with heartbeating(unfenced):
                if (done := await asyncio.to_thread(self._done, given.intent)) is not None:
                    return done
                person = await asyncio.to_thread(self._person, given.intent)
                histories = await self._delete_histories(person.reservations)
                pseudonym, now = forgetting.new_pseudonym(), datetime.now(UTC)
                rows = await asyncio.to_thread(
                    self._store.run,
                    lambda session: forgetting.forget(session, person.login, pseudonym, given.intent, now),
                )
                return Forgotten(pseudonym, rows, histories)

    def _done(self, intent: str) -> Forgotten | None:
        with self._store.read() as session:
            found = removals.of_intent(session, intent)
            return Forgotten(found.pseudonym, found.rows) if found else None

    def _person(self, id: str) -> Known:
        """Raises ``Refused`` when nobody asked for that, and while they have reservations."""
        with self._store.read() as session:
            name = str(intents.find(session, id).arguments.get("name", ""))
            intents.author(session, id, Verb.FORGET, name)
            if not name:
                raise Refused("the intent names nobody")
            return forgetting.known(session, name)

    async def _delete_histories(self, reservations: Sequence[str]) -> int:
        """Those of what they have reserved; how many. Those that the server keeps for its own reasons go when the
        namespace's retention is over."""
        deleted = 0
        for id in reservations:
            for workflow in (workflow_id(id), f"reclaim-{id}", f"dismissal-{id}"):
                deleted += await self._deleted(workflow)
        return deleted

    async def _deleted(self, workflow: str) -> bool:
        request = DeleteWorkflowExecutionRequest(
            namespace=self._client.namespace, workflow_execution=WorkflowExecution(workflow_id=workflow)
        )
        try:
            await self._client.workflow_service.delete_workflow_execution(request, timeout=SECONDS)
        except RPCError as error:
            if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.PERMISSION_DENIED):
                return False
            raise
        return True
