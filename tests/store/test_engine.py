"""Connections, transactions, migrations, and what is said when they fail."""

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.orm import Session

from tests.store import postgresql
from tests.store.lab import NOW
from vclab.model.catalog import User
from vclab.model.errors import Refused, Unreachable
from vclab.model.inventory import PoolKind
from vclab.store import Store, catalog, migrations, open_store
from vclab.store.column_types import FOREVER, utc
from vclab.store.models import Base, Pool


def pool(name: str, seen_at: datetime) -> Pool:
    return Pool(
        name=name,
        endpoint="lab",
        kind=PoolKind.HOST,
        resource=name,
        cpus=1,
        memory_mb=1,
        disk_gb=0,
        seen_at=seen_at,
        usable=True,
        why_not="",
    )


def test_migrated_schema_is_that_of_the_models(store: Store) -> None:
    def difference(session: Session) -> object:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        return compare_metadata(context, Base.metadata)

    assert store.run(difference) == []


def test_head_is_the_newest_file() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_migrate_twice_and_check(store: Store) -> None:
    store.run(lambda s: catalog.put_user(s, User("alice", 2001)))
    store.migrate()
    store.check()
    with store.read() as session:
        assert catalog.user(session, "alice").uid == 2001


def test_four_migrate_an_empty_database_at_once(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    if backend == "postgresql":
        server: postgresql.Server = request.getfixturevalue("server")
        url = server.url(server.create())
    failures: list[Exception] = []

    def migrate() -> None:
        store = open_store(url)
        try:
            store.migrate()
            store.check()
        except Exception as error:
            failures.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_check_tells_another_schema_version(store: Store) -> None:
    change = sa.text("UPDATE alembic_version SET version_num = :version")
    store.run(lambda s: s.execute(change, {"version": "9999"}))
    try:
        with pytest.raises(Refused, match="is at schema version 9999; this program needs version"):
            store.check()
        with pytest.raises(Refused, match="is at schema version 9999; this program needs version"):
            store.run(lambda session: pytest.fail("nothing is changed then"), checked=True)
    finally:
        store.run(lambda s: s.execute(change, {"version": migrations.HEAD}))


def test_check_tells_a_database_without_tables(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    (tmp_path / "empty.db").touch()
    if backend == "postgresql":
        server: postgresql.Server = request.getfixturevalue("server")
        url = server.url(server.create())
    store = open_store(url)
    with pytest.raises(Refused, match="no tables of vclab"):
        store.check()
    with pytest.raises(Refused, match="no tables of vclab"):
        store.run(lambda session: pytest.fail("nothing is changed then"), checked=True)
    with pytest.raises(Unreachable, match="schema version"), store.read() as session:
        catalog.users(session)
    store.close()


def test_an_exception_rolls_everything_back(store: Store) -> None:
    def fail(session: Session) -> None:
        catalog.put_user(session, User("alice", 2001))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.run(fail)
    with store.read() as session:
        assert catalog.users(session) == []


def test_times_are_aware_exact_and_in_utc(store: Store) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    store.run(lambda s: s.add_all([pool("a", there), pool("b", FOREVER)]))
    with store.read() as session:
        rows = {row.name: row.seen_at for row in session.scalars(sa.select(Pool))}
        later = session.scalars(sa.select(Pool.name).where(Pool.seen_at > NOW)).all()
    assert rows == {"a": NOW, "b": FOREVER}
    assert rows["a"].utcoffset() == timedelta(0)
    assert later == ["b"]


def test_an_open_end_is_infinite_in_postgresql(server: postgresql.Server, postgresql_template: str) -> None:
    store = open_store(server.url(server.create(postgresql_template)))
    store.run(lambda s: s.add(pool("b", FOREVER)))
    with store.read() as session:
        assert session.scalar(sa.text("SELECT isfinite(seen_at) FROM pools")) is False
    store.close()


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        utc(datetime(2026, 1, 1))  # noqa: DTZ001
    assert utc(FOREVER) == FOREVER
    assert utc(NOW.astimezone(timezone(timedelta(hours=-3)))).tzinfo is UTC


def test_a_reader_cannot_write_on_postgresql(server: postgresql.Server, postgresql_template: str) -> None:
    store = open_store(server.url(server.create(postgresql_template)))
    with pytest.raises(Unreachable, match="read-only"), store.read() as session:
        catalog.put_user(session, User("alice", 2001))
    store.close()


def test_a_reader_sees_one_moment(store: Store) -> None:
    with store.read() as session:
        assert catalog.users(session) == []
        store.run(lambda s: catalog.put_user(s, User("alice", 2001)))
        assert catalog.users(session) == []


@pytest.mark.parametrize(
    "url", ["", "no url", "sqlite://", "sqlite:///:memory:", "mysql://u:pw@h/d", "oracle+nope://u:pw@h/d"]
)
def test_a_url_that_can_not_be_one(url: str) -> None:
    with pytest.raises(Refused, match="database setting") as refused:
        open_store(url)
    assert "pw" not in str(refused.value)


def test_sqlite_without_its_file_and_folder(tmp_path: Path) -> None:
    missing = open_store(f"sqlite:///{tmp_path}/none/vclab.db")
    with pytest.raises(Unreachable, match="does not exist"):
        missing.check()
    with pytest.raises(Unreachable, match="unable to open"):
        missing.migrate()
    assert not (tmp_path / "none").exists()


def test_sqlite_with_a_file_that_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("this is no database at all, but quite a long text" * 100)
    with pytest.raises(Unreachable, match="not a database"):
        open_store(f"sqlite:///{tmp_path}/x.db").check()


def test_sqlite_full(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "full.db"
    path.write_bytes(sqlite_template.read_bytes())
    store = open_store(f"sqlite:///{path}")

    def fill(session: Session) -> None:
        session.execute(sa.text("PRAGMA max_page_count = 1"))
        session.add_all(pool(f"p{n}" * 100, NOW) for n in range(2000))

    with pytest.raises(Unreachable, match="full"):
        store.run(fill)
    store.close()


def test_sqlite_locked_by_another_program(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "locked.db"
    path.write_bytes(sqlite_template.read_bytes())
    monkeypatch.setattr("vclab.store.engine.SQLITE_BUSY_SECONDS", 0.1)
    first, second = open_store(f"sqlite:///{path}"), open_store(f"sqlite:///{path}")

    def while_writing(session: Session) -> None:
        catalog.put_user(session, User("alice", 2001))
        with pytest.raises(Unreachable, match="locked"):
            second.run(lambda s: catalog.put_user(s, User("bob", 2002)))
        with second.read() as reading:
            assert catalog.users(reading) == []  # readers go on

    first.run(while_writing)
    first.close()
    second.close()


def test_postgresql_down_says_so_without_the_password(tmp_path: Path) -> None:
    store = open_store(f"postgresql://vclab:{postgresql.PASSWORD}@/x?host={tmp_path}&password=another-s3cret")
    calls: list[Callable[[], object]] = [store.check, store.migrate, lambda: store.run(catalog.users)]
    for call in calls:
        with pytest.raises(Unreachable, match="can't be used now") as failed:
            call()
        assert "s3cret" not in str(failed.value)
        assert "\n" not in str(failed.value)
        assert failed.value.__cause__ is None
    assert "s3cret" not in store.shown_url


def test_postgresql_back_again_after_its_connections_broke(server: postgresql.Server, postgresql_template: str) -> None:
    name = server.create(postgresql_template)
    store, other = open_store(server.url(name)), open_store(server.url("postgres"))
    store.check()
    kill = sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
    other.run(lambda s: s.execute(kill, {"name": name}).all())
    store.check()
    store.close()
    other.close()


def test_postgresql_conflicts_are_run_again(server: postgresql.Server, postgresql_template: str) -> None:
    """Two transactions that lock two rows in opposite order: one is broken off, and runs again."""
    store = open_store(server.url(server.create(postgresql_template)))
    store.run(lambda s: s.add_all([pool("a", NOW), pool("b", NOW)]))
    both, runs = threading.Barrier(2), []

    def cross(first: str, second: str) -> Callable[[Session], None]:
        def change(session: Session) -> None:
            runs.append(first)
            session.execute(sa.update(Pool).where(Pool.name == first).values(cpus=Pool.cpus + 1))
            if len(runs) <= 2:
                both.wait(10)
            session.execute(sa.update(Pool).where(Pool.name == second).values(cpus=Pool.cpus + 1))

        return change

    threads = [threading.Thread(target=store.run, args=(cross(*names),)) for names in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as session:
        assert session.scalars(sa.select(Pool.cpus)).all() == [3, 3]
    assert len(runs) == 3
    store.close()


def test_nobody_else_reads_the_file_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = open_store(f"sqlite:///{tmp_path}/vclab.db")
        made.migrate()
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        made.close()
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}, modes
