"""The reconciler's round over rows: what it asks the server."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.reconcile import RowReconciler
from tests.store.lab import RULES
from vclab.model.messages import workflow_id
from vclab.store import reservations
from vclab.store.engine import Store, open_store

OPEN = [f"r{number}" for number in range(10_000)]
LAGS, GONE = "r17", "r4711"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(f"sqlite:///{tmp_path}/vclab.db")
    made.migrate()
    yield made
    made.close()


class Server:
    """A Temporal server whose list lacks two workflows; one of them runs."""

    def __init__(self) -> None:
        self.described: list[str] = []
        self.started: list[str] = []

    async def list_workflows(self, query: str) -> AsyncIterator[SimpleNamespace]:
        """As one page after the other would be."""
        assert 'ExecutionStatus = "Running"' in query
        for each in OPEN:
            if each not in (LAGS, GONE):
                yield SimpleNamespace(id=workflow_id(each))

    def get_workflow_handle(self, name: str) -> SimpleNamespace:
        """To be described."""

        async def describe() -> SimpleNamespace:
            self.described.append(name)
            if name == workflow_id(LAGS):
                return SimpleNamespace(status=WorkflowExecutionStatus.RUNNING)
            raise RPCError("no such workflow", RPCStatusCode.NOT_FOUND, b"")

        return SimpleNamespace(describe=describe)

    async def start_workflow(self, kind: str, given: object, id: str, task_queue: str) -> None:
        """One that is started."""
        self.started.append(id)


async def test_a_round_looks_only_at_what_the_list_lacks(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 reservations are open: three questions to the server besides the list, and only what is gone for sure is
    taken back."""
    server = Server()
    monkeypatch.setattr(reservations, "unfinished", lambda session: OPEN)
    reconcile = RowReconciler(cast(Client, server), store, list, "q", lambda: RULES)
    rows = await ActivityEnvironment().run(reconcile.reconcile_rows)
    assert rows.found.reclaimed == (GONE,)
    assert server.started == [f"reclaim-{GONE}"]
    assert server.described == [workflow_id(LAGS), workflow_id(GONE), f"reclaim-{GONE}"]
