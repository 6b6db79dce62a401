"""The roles of a PostgreSQL database, tried by connecting as each of them; and how one is connected."""

from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

from tests.store import postgresql
from tests.store.lab import HOUR, NOW
from vclab.model.catalog import User
from vclab.model.errors import Invalid, Refused, Unreachable
from vclab.store import audit, catalog, feed, forgetting, migrations, retention, roles
from vclab.store.engine import Store, open_store
from vclab.store.link import Link
from vclab.store.models import Base

VERBS = ("read", "add", "change", "delete")


@pytest.fixture(scope="module")
def database(server: postgresql.Server) -> str:
    """The name of a migrated database with the roles."""
    name = server.create()
    store = open_store(server.url(name))
    store.migrate()
    store.run(roles.apply)
    store.close()
    return name


@pytest.fixture
def as_role(server: postgresql.Server, database: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    """The store as the role that the test is about."""
    store = open_store(server.url(database, request.param))
    yield store
    store.close()


def test_every_table_has_a_line() -> None:
    assert set(roles.TABLES) == {*Base.metadata.tables, "alembic_version"}, (
        "say in vclab/store/roles.py who may do what"
    )


def test_every_column_that_is_named_is_there() -> None:
    for table, rights in roles.TABLES.items():
        for role in roles.ROLES[1:]:
            for _, columns in roles._RIGHT.findall(rights.of(role)):
                known = set(Base.metadata.tables[table].columns.keys()) if columns else set()
                assert set(columns.replace(" ", "").split(",")) - {""} <= known, (table, role)


@pytest.mark.parametrize("role", roles.ROLES[1:])
def test_what_is_not_granted_fails(server: postgresql.Server, database: str, role: str) -> None:
    """Every column of every table is read, added to and changed, every table deleted from: without rows, for the
    server asks for rights first."""
    wrong = []
    with psycopg.connect(server.url(database, role), autocommit=True) as connection:
        for table in Base.metadata.tables.values():
            for verb, column, statement in _tries(table):
                try:
                    connection.execute(statement.encode())
                    may = True
                except psycopg.errors.InsufficientPrivilege:
                    may = False
                if may is not _granted(table.name, role, verb, column):
                    wrong.append((table.name, verb, column, may))
    assert not wrong


def _tries(table: sa.Table) -> Iterator[tuple[str, str, str]]:
    for column in table.columns.keys():  # noqa: SIM118 (of columns, not of a dict)
        yield "read", column, f'SELECT "{column}" FROM {table.name} WHERE false'
        yield "add", column, f'INSERT INTO {table.name} ("{column}") SELECT NULL WHERE false'
        yield "change", column, f'UPDATE {table.name} SET "{column}" = DEFAULT WHERE false'
    yield "delete", "", f"DELETE FROM {table.name} WHERE false"


def _granted(table: str, role: str, verb: str, column: str) -> bool:
    granted = dict(roles._RIGHT.findall(roles.TABLES[table].of(role)))
    return verb in granted and (not granted[verb] or column in granted[verb].replace(" ", "").split(","))


def test_the_api_changes_nothing_of_the_audit_but_what_came_of_an_act() -> None:
    assert roles.TABLES["events"].api == roles.TABLES["removals"].api == "read"
    assert roles.TABLES["intents"].api == "read add change(outcome, detail, answered_at)"
    assert "delete" not in roles.TABLES["removals"].worker


@pytest.mark.parametrize("as_role", ["worker"], indirect=True)
@pytest.mark.parametrize("statement", ["DELETE FROM events", "UPDATE events SET who = 'bob'"])
def test_the_worker_removes_nothing_of_the_audit_without_a_record_of_it(as_role: Store, statement: str) -> None:
    as_role.run(lambda session: audit.note(session, "r1", "alice", "reserved", "", NOW))
    with pytest.raises(sa.exc.IntegrityError, match="events are append-only"):
        as_role.run(lambda session: session.execute(sa.text(statement)))


@pytest.mark.parametrize("as_role", ["worker"], indirect=True)
def test_the_worker_can_forget_a_person(as_role: Store) -> None:
    """All that names them, in whichever table."""
    as_role.run(lambda session: audit.note(session, "r2", "zoe", "reserved", "", NOW))
    as_role.run(lambda session: catalog.put_user(session, User("zoe", 4711)))
    as_role.run(lambda session: forgetting.forget(session, "zoe", "gone-1", "", NOW))
    with as_role.read() as session:
        assert [event.who for event in audit.events(session, "r2")] == ["gone-1"]
    assert as_role.run(lambda session: retention.sweep_audit(session, NOW + HOUR, NOW)) > 0, "what is too old goes"
    for table in forgetting.TABLES.values():
        granted = dict(roles._RIGHT.findall(roles.TABLES[table.name].worker))
        for column in (c.name for c in table.c if forgetting._may_name(table, c)):
            assert "change" in granted and column in (granted["change"] or column), (table.name, column)
        assert table.name not in forgetting.THEIRS or "delete" in granted


@pytest.mark.parametrize("as_role", ["api"], indirect=True)
def test_the_api_reads_the_feed_and_cannot_write_it(as_role: Store) -> None:
    end = feed.end(as_role)
    as_role.run(lambda s: catalog.put_user(s, User("dora", 3009)))
    assert [each.thing for each in feed.advance(as_role, end)] == ["dora"]
    with pytest.raises(Unreachable, match="permission denied for table feed"):
        as_role.run(lambda s: s.execute(sa.text("UPDATE feed SET thing = 'x'")))


def test_the_reader_changes_nothing() -> None:
    granted = {verb for rights in roles.TABLES.values() for verb, _ in roles._RIGHT.findall(rights.reader)}
    assert granted == {"read"}


def test_only_the_api_reads_what_people_sign_in_with() -> None:
    for table, column in (("tokens", "digest"), ("local_passwords", "hash"), ("pending_sign_ins", "verifier")):
        for role in ("worker", "reader"):
            assert not _granted(table, role, "read", column), (table, role)


@pytest.mark.parametrize("as_role", ["api"], indirect=True)
def test_the_api_is_told_when_it_would_write_state(as_role: Store) -> None:
    with pytest.raises(Unreachable, match="permission denied for table tenures"):
        as_role.run(lambda session: session.execute(sa.text("DELETE FROM tenures")))


@pytest.mark.parametrize("as_role", ["worker", "api", "reader"], indirect=True)
def test_nobody_but_the_migrator_changes_the_schema(as_role: Store) -> None:
    for statement in ("CREATE TABLE mine (x int)", "ALTER TABLE intents ADD COLUMN x int", "DROP TABLE events"):
        with pytest.raises(Unreachable, match=r"permission denied|must be owner"):
            as_role.run(lambda session, statement=statement: session.execute(sa.text(statement)))  # type: ignore[misc]
    as_role.check()


@pytest.mark.parametrize("as_role", ["migrator"], indirect=True)
def test_the_migrator_owns_what_another_account_has_made(as_role: Store) -> None:
    as_role.migrate()
    assert as_role.version() == migrations.HEAD
    assert as_role.run(roles.apply_where_there), "it gives rights on tables that a migration has made"
    as_role.run(roles.apply)  # all roles are there, so it needs no right to make one
    with as_role.read() as session:
        assert roles.excess(session) == "owns the tables"


@pytest.mark.parametrize("as_role", ["worker", "api", "reader"], indirect=True)
def test_a_role_has_nothing_in_excess(as_role: Store) -> None:
    with as_role.read() as session:
        assert roles.excess(session) == ""


def test_what_was_granted_by_hand_is_taken(server: postgresql.Server, database: str) -> None:
    store = open_store(server.url(database))
    try:
        store.run(lambda s: s.execute(sa.text("GRANT ALL ON reservations TO vclab_api, PUBLIC")))
        store.run(roles.apply)
        api = psycopg.connect(server.url(database, "api"), autocommit=True)
        with api, pytest.raises(psycopg.errors.InsufficientPrivilege):
            api.execute("UPDATE reservations SET reason = ''")
        with store.read() as session:
            assert roles.excess(session) == "is a superuser of the server"
    finally:
        store.close()


def test_before_there_are_tables(server: postgresql.Server) -> None:
    store = open_store(server.url(server.create()))
    with pytest.raises(Refused, match="has no table"):
        store.run(roles.apply)
    store.close()


def test_a_prefix_that_would_be_a_statement() -> None:
    with pytest.raises(Invalid, match="small letters"):
        roles.statements("x; DROP TABLE events; --")


def test_sqlite_has_no_roles(sqlite_template: str) -> None:
    store = open_store(f"sqlite:///{sqlite_template}")
    with pytest.raises(Refused, match="SQLite has no roles"):
        store.run(roles.apply)
    assert not store.run(roles.apply_where_there)
    store.close()


@pytest.mark.parametrize(
    ("link", "safe"),
    [
        (Link("/run/postgresql", False, "prefer"), True),
        (Link("", False, "prefer"), True),
        (Link("127.0.0.1", False, "prefer"), True),
        (Link("::1", False, "prefer"), True),
        (Link("localhost", False, "prefer"), True),
        (Link("localhost.example.edu", False, "prefer"), False),
        (Link("10.0.0.5", False, "prefer"), False),
        (Link("db.example.edu", True, "prefer"), False),
        (Link("db.example.edu", True, "require"), False),
        (Link("db.example.edu", True, "verify-ca"), False),
        (Link("db.example.edu", False, "verify-full"), False),
        (Link("db.example.edu", True, "verify-full"), True),
    ],
)
def test_who_could_read_along(link: Link, safe: bool) -> None:
    assert link.safe is safe
