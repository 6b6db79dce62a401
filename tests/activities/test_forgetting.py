"""The secrets of tenures that are released are forgotten."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy.orm import Session
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.reconcile import RowReconciler
from tests.secret_store import secret_store
from tests.store.lab import RULES
from vclab.model.states import Purpose
from vclab.secrets.references import SecretMissing
from vclab.store import catalog, tenures
from vclab.store.engine import open_store

NOW = datetime(2026, 8, 1, tzinfo=UTC)


def take(holder: str, session: Session) -> int:
    """The lab machine's next tenure."""
    return tenures.take(session, "lab1", holder, Purpose.RESERVATION, NOW, NOW)


class Idle:
    """A server on which no workflow runs."""

    async def list_workflows(self, query: str) -> AsyncIterator[object]:
        """None."""
        nothing: list[object] = []
        for found in nothing:
            yield found


async def test_only_those_of_released_tenures(tmp_path: Path) -> None:
    """Held ones, unknown ones, and the endpoints' stay."""
    store, secrets = open_store(f"sqlite:///{tmp_path}/vclab.db"), secret_store(tmp_path / "secrets")
    store.migrate()
    store.run(lambda s: catalog.put_lab_computer(s, "lab1"))
    for holder in ("r1", "r2"):
        store.run(partial(tenures.release, computer="lab1", generation=1, now=NOW))
        store.run(partial(take, holder))
    kept = ("tenure/lab1/2/login", "tenure/lab1/3/root", "tenure/vm09/1/root", "tenure/odd/name/root", "endpoint/vc")
    for reference in ("tenure/lab1/1/login", "tenure/lab1/1/root", *kept):
        secrets.put(reference, "x")
    reconcile = RowReconciler(cast(Client, Idle()), store, list, "q", lambda: RULES, secrets)
    rounds = [await ActivityEnvironment().run(reconcile.reconcile_rows) for _ in range(2)]
    assert [rows.found.forgotten for rows in rounds] == [1, 0]
    for reference in kept:
        assert secrets.get(reference) == "x"
    with pytest.raises(SecretMissing):
        secrets.get("tenure/lab1/1/login")
    assert not (tmp_path / "secrets/tenure/lab1/1").exists()
    store.close()
