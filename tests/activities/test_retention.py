"""What is too old is removed batch by batch; a person is forgotten once, whoever cuts that off."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.retention import RetentionActivities
from tests.store.lab import reserve, seed
from vclab.model.intents import Intent, Outcome, Verb
from vclab.model.reservations import Placed
from vclab.model.retention import Forget, Forgotten, Swept
from vclab.settings import Settings
from vclab.store import audit, feed, intents, models, retention
from vclab.store.engine import Store, open_store

NOW = datetime.now(UTC)


class Server:
    """Deletes histories, and knows only those of reservations."""

    namespace = "default"

    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.answer: Exception | None = None
        self.workflow_service = SimpleNamespace(delete_workflow_execution=self._delete)

    async def _delete(self, request: Any, timeout: timedelta) -> None:
        id = request.workflow_execution.workflow_id
        if self.answer is not None:
            raise self.answer
        if not id.startswith("reservation-"):
            raise RPCError("there is none", RPCStatusCode.NOT_FOUND, b"")
        self.deleted.append(id)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A lab in which bob has had a reservation."""
    made = open_store(f"sqlite:///{tmp_path}/vclab.db")
    made.migrate()
    made.run(seed)
    assert isinstance(reserve(made, "bob", id="r1"), Placed)
    made.run(lambda s: s.execute(sa.update(models.Reservation).values(finished_at=NOW)))
    yield made
    made.close()


def ask(store: Store, id: str = "i1", verb: str = Verb.FORGET) -> None:
    intent = Intent(id, NOW, "olga", "token", ("operator",), verb, "bob", arguments={"name": "bob"})
    store.run(lambda s: intents.write(s, intent))


def made(store: Store, server: Server, **kept: float) -> RetentionActivities:
    return RetentionActivities(cast(Client, server), store, lambda: Settings.model_validate({"retention": kept}))


async def test_what_is_too_old_goes_in_batches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    old = NOW - timedelta(days=30)
    for number in range(5):
        store.run(lambda s, number=number: audit.note(s, f"x{number}", "bob", "ended", "", old))  # type: ignore[misc]
    store.run(lambda s: s.execute(sa.update(models.Change).values(at=NOW - timedelta(days=8))))
    with store.read() as session:
        changes = session.scalar(sa.select(sa.func.count()).select_from(models.Change))
    swept = await ActivityEnvironment().run(made(store, Server(), audit=20).sweep)
    assert swept == Swept(audit=5 + 1, feed=changes or 0)  # and that r1 was placed, which is over
    assert await ActivityEnvironment().run(made(store, Server(), audit=20).sweep) == Swept()
    with store.read() as session:
        bounds = feed.bounds(session)
    assert bounds.pruned == bounds.last == changes


async def test_a_person_is_forgotten_once(store: Store) -> None:
    ask(store)
    server = Server()
    first = await ActivityEnvironment().run(made(store, server).forget_person, Forget("i1"))
    assert server.deleted == ["reservation-r1"]
    assert first.histories == 1
    again = await ActivityEnvironment().run(made(store, server).forget_person, Forget("i1"))
    assert again == Forgotten(first.pseudonym, first.rows)


async def test_a_server_that_forbids_to_delete_histories(store: Store) -> None:
    """They go when the namespace's retention is over."""
    ask(store)
    server = Server()
    server.answer = RPCError("no", RPCStatusCode.PERMISSION_DENIED, b"")
    done = await ActivityEnvironment().run(made(store, server).forget_person, Forget("i1"))
    assert (done.histories, done.rows > 0) == (0, True)


@pytest.mark.parametrize("what", ["no intent", "another verb", "was refused"])
async def test_nobody_is_forgotten_unasked(store: Store, what: str) -> None:
    if what == "another verb":
        ask(store, verb="users.edit")
    if what == "was refused":
        ask(store)
        store.run(lambda s: intents.answer(s, "i1", Outcome.REFUSED, "not an operator", NOW))
    with pytest.raises(ApplicationError) as error:
        await ActivityEnvironment().run(made(store, Server()).forget_person, Forget("i1"))
    assert error.value.non_retryable
    with store.read() as session:
        assert session.get(models.User, "bob")
