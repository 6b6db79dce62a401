"""The audit only grows: nothing of it is changed or deleted, but for what a recorded removal takes away."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.store.lab import NOW
from vclab.model.intents import Intent, Outcome
from vclab.store import Store, audit, intents, models, removals
from vclab.store.inserts import dialect_of
from vclab.store.removal_tables import Kept

ASKED = Intent("i1", NOW, "alice", "token", ("user",), "acts.end", "r1", token="laptop", address="192.0.2.7")
TABLES = models.Base.metadata.tables
LATER = NOW + timedelta(days=1)


@pytest.fixture
def audited(store: Store) -> Store:
    """An intent that is not answered yet, and an event."""
    store.run(lambda s: intents.write(s, ASKED))
    store.run(lambda s: audit.note(s, "r1", "alice", "ended", "", NOW))
    return store


def refused(store: Store, statement: sa.Executable) -> None:
    with pytest.raises(IntegrityError, match="append-only"):
        store.run(lambda session: session.execute(statement))


@pytest.mark.parametrize("table", ["intents", "events"])
def test_nothing_is_deleted(audited: Store, table: str) -> None:
    refused(audited, sa.delete(TABLES[table]))


@pytest.mark.parametrize("table", ["intents", "events"])
def test_no_column_is_changed(audited: Store, table: str) -> None:
    for column in TABLES[table].c:
        if table == "intents" and column.name in ("outcome", "detail", "answered_at"):
            continue
        other = {"at": LATER, "id": 7 if table == "events" else "i7"}.get(column.name, "mallory")
        refused(audited, sa.update(TABLES[table]).values({column.name: other}))


def test_an_outcome_is_written_once(audited: Store) -> None:
    audited.run(lambda s: intents.answer(s, "i1", Outcome.REFUSED, "no", NOW))
    audited.run(lambda s: intents.answer(s, "i1", Outcome.DONE, "", NOW))
    with audited.read() as session:
        found = intents.find(session, "i1")
    assert (found.outcome, found.detail) == (Outcome.REFUSED, "no")
    assert (found.token, found.address) == ("laptop", "192.0.2.7")
    refused(audited, sa.update(TABLES["intents"]).values(outcome=Outcome.DONE))
    refused(audited, sa.update(TABLES["intents"]).values(detail="yes"))


def test_no_row_is_put_in_the_place_of_another(audited: Store) -> None:
    def replace(session: Session) -> None:
        if dialect_of(session) != "sqlite":
            pytest.skip("PostgreSQL has no REPLACE")
        session.execute(sa.text("REPLACE INTO events SELECT id, reservation, at, 'bob', what, detail, act FROM events"))

    with pytest.raises(IntegrityError, match="append-only"):
        audited.run(replace)


def test_nothing_is_truncated(audited: Store, backend: str) -> None:
    if backend == "sqlite":
        pytest.skip("SQLite has no TRUNCATE")
    refused(audited, sa.text("TRUNCATE intents"))


def test_a_removal_takes_what_is_older_and_stays(audited: Store) -> None:
    def remove(session: Session, shift: timedelta) -> None:
        with removals.removing(session, Kept.AUDIT, LATER, before=NOW + shift) as removal:
            removal.rows = len(session.execute(sa.delete(models.Event).returning(models.Event.id)).all())

    with pytest.raises(IntegrityError, match="append-only"):
        audited.run(lambda session: remove(session, timedelta(0)))
    audited.run(lambda session: remove(session, timedelta(seconds=1)))
    refused(audited, sa.delete(TABLES["intents"]))  # it has ended
    refused(audited, sa.delete(TABLES["removals"]))
    refused(audited, sa.update(TABLES["removals"]).values(rows=0))
    with audited.read() as session:
        (removal,) = removals.newest(session)
        assert audit.events(session, "r1") == []
    assert (removal.what, removal.rows, removal.ended_at) == (Kept.AUDIT, 1, LATER)


def test_forgetting_a_person_changes_and_deletes_nothing(audited: Store) -> None:
    def change(session: Session) -> None:
        with removals.removing(session, Kept.PERSON, LATER, by="i2", pseudonym="gone-1"):
            session.execute(sa.update(models.Event).values(who="gone-1"))
            session.execute(sa.update(models.Intent).values(actor="gone-1"))

    audited.run(change)
    with audited.read() as session:
        assert intents.find(session, "i1").actor == "gone-1"

    def delete(session: Session) -> None:
        with removals.removing(session, Kept.PERSON, LATER):
            session.execute(sa.delete(models.Event))

    with pytest.raises(IntegrityError, match="append-only"):
        audited.run(delete)
