"""Connections and transactions, and the errors that they raise."""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from vclab.model.errors import DATABASE, Refused, Unreachable, VclabError
from vclab.store import migrations

T = TypeVar("T")

ATTEMPTS = 10  # of one transaction that PostgreSQL breaks off because of another
CONNECTIONS = {"pool_size": 8, "max_overflow": 24}  # of one process
SQLITE_BUSY_SECONDS = 30.0  # BEGIN IMMEDIATE waits this long for the other writers
# Serialization failure, deadlock, overlap with a claim that has gone meanwhile: running it again is the cure.
_CONFLICTS = ("40001", "40P01", "23P01")
_NO_TABLES = ("42P01", "42703", "3F000")  # undefined table, column, schema
_NOT_ALLOWED = ("42501",)  # insufficient privilege
_VERSION = sa.text("SELECT version_num FROM alembic_version")
_READING = "vclab_reading"
_LAZY = "vclab_lazy"


def open_store(url: str) -> "Store":
    """The store behind an SQLAlchemy URL. Does not connect yet. Raises ``Refused`` for a URL that is not supported."""
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        raise Refused("the database setting is not an SQLAlchemy URL like sqlite:////var/lib/vclab.db") from None
    if parsed.get_backend_name() == "postgresql":
        return Store(parsed.set(drivername="postgresql+psycopg"))
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return Store(parsed.set(drivername="sqlite+pysqlite"))
    raise Refused("the database setting must be an SQLite file (sqlite:////path) or PostgreSQL (postgresql://…)")


class Store:
    """One database. Safe to use from several threads; methods block."""

    def __init__(self, url: sa.URL) -> None:
        self._url = url
        self._sqlite = url.get_backend_name() == "sqlite"
        self._may_create = False
        self._writing = threading.Lock()
        self._engine = self._make_engine()
        reading: dict[str, Any] = {_READING: True}
        if not self._sqlite:
            reading |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._write = sessionmaker(self._engine, expire_on_commit=False)
        self._note = sessionmaker(self._engine.execution_options(**{_LAZY: True}), expire_on_commit=False)
        self._read = sessionmaker(self._engine.execution_options(**reading), expire_on_commit=False)

    @property
    def shown_url(self) -> str:
        """The URL without the password and the query, for messages."""
        return self._url.set(drivername=self._url.get_backend_name(), query={}).render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """SQLite's file; None for a server."""
        return Path(self._url.database or "") if self._sqlite else None

    def run(self, fn: Callable[[Session], T], durable: bool = True, checked: bool = False) -> T:
        """Run ``fn`` in one write transaction; any exception rolls it back. ``checked``: as ``check``, within it.

        Not ``durable``: the commit does not wait for PostgreSQL's disk, so a power cut may lose it; a killed process
        does not. On SQLite no commit waits for the disk. ``fn`` may run several times and must have no other effects.
        Raises what ``fn`` raises, and ``Unreachable`` when the database is down, locked, full, at another schema
        version, or aborts the transaction each time.
        """
        with self._translated():
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    with self._turn(), (self._write if durable else self._note).begin() as session:
                        if checked:
                            self._confirm(session.scalar(_VERSION))
                        return fn(session)
                except DBAPIError as error:
                    if _sqlstate(error) not in _CONFLICTS or attempt == ATTEMPTS:
                        raise
                time.sleep(random.uniform(0, 0.01 * 2**attempt))
        raise AssertionError("the loop returns or raises")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """SQLite has one writer, and waits for others in ever longer pauses. So the threads of a process queue here."""
        if not self._sqlite:
            yield
            return
        if not self._writing.acquire(timeout=SQLITE_BUSY_SECONDS):
            raise self._away("can't be used now: another writer takes too long")
        try:
            yield
        finally:
            self._writing.release()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment of the database. Raises ``Unreachable`` as ``run`` does."""
        with self._translated(), self._read.begin() as session:
            yield session

    def migrate(self) -> None:
        """Bring the schema to this program's version; makes the SQLite file. Several processes may do it at once."""
        # While another program sets a new file's write-ahead log, SQLite does not wait: it says "locked" at once.
        for _ in range(20 if self._sqlite else 0):
            try:
                return self._migrate()
            except Unreachable as error:
                if "locked" not in str(error):
                    raise
            time.sleep(0.25)
        return self._migrate()

    def _migrate(self) -> None:
        from alembic import command
        from alembic.config import Config

        with self._translated():
            if self._sqlite:
                self._make_file()
            config = Config()
            config.set_main_option("script_location", str(Path(migrations.__file__).parent))
            with self._engine.connect() as connection, self._unlinked(connection), connection.begin():
                if not self._sqlite:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(migrations.LOCK)))
                config.attributes["connection"] = connection
                command.upgrade(config, migrations.HEAD)
                if self._sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    raise Refused(f"rows of the database {self.shown_url} refer to missing rows; nothing was changed")

    @contextmanager
    def _unlinked(self, connection: sa.Connection) -> Iterator[None]:
        """Foreign keys off: SQLite changes a column by making the table anew, and meanwhile the old one is missing.

        This can't be switched in a transaction. Before the commit the foreign keys are checked.
        """
        if not self._sqlite:
            yield
            return
        bare: Any = connection.connection.dbapi_connection
        bare.execute("PRAGMA foreign_keys=OFF")
        try:
            yield
        finally:
            bare.execute("PRAGMA foreign_keys=ON")

    def check(self) -> None:
        """Raises ``Unreachable`` when the database is down and ``Refused`` when its schema is of another version."""
        self._confirm(self.version())

    def _confirm(self, found: str | None) -> None:
        if found != migrations.HEAD:
            raise self._other_version(found or "")

    def _other_version(self, found: str) -> Refused:
        what = f"is at schema version {found}" if found else "has no tables of vclab yet"
        cure = "update this program" if found > migrations.HEAD else "run `vclab store migrate`"
        return Refused(f"the database {self.shown_url} {what}; this program needs version {migrations.HEAD}: {cure}")

    def version(self) -> str:
        """The schema's version; empty when there are no tables of vclab. Raises ``Unreachable``."""
        with self._translated(), self._read.begin() as session:
            known = sa.inspect(session.connection()).has_table("alembic_version")
            found = session.scalar(_VERSION) if known else None
        return str(found or "")

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _make_engine(self) -> sa.Engine:
        if not self._sqlite:
            options = {"connect_timeout": 5, "application_name": "vclab", "options": "-c timezone=UTC"}
            engine = sa.create_engine(
                self._url, pool_pre_ping=True, hide_parameters=True, connect_args=options, **CONNECTIONS
            )
            event.listen(engine, "connect", _set_up_postgresql)
            event.listen(engine, "begin", _begin_postgresql)
            return engine
        options = {"timeout": SQLITE_BUSY_SECONDS}
        engine = sa.create_engine(self._url, hide_parameters=True, connect_args=options, **CONNECTIONS)
        event.listen(engine, "do_connect", self._before_sqlite_connects)
        event.listen(engine, "connect", self._set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _before_sqlite_connects(self, *_: object) -> None:
        """SQLite would silently make an empty file."""
        if not self._may_create and not Path(self._url.database or "").is_file():
            raise self._away("does not exist", "`vclab store migrate` makes it")

    def _make_file(self) -> None:
        """WAL is a property of the file. It is set once, before the first write, as no transaction can set it."""
        self._may_create = True
        # Nobody else reads it, whatever the umask; its log files get the same mode. What is wrong, SQLite says.
        with suppress(OSError):
            os.close(os.open(self._url.database or "", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        try:
            self._engine.dispose()  # so that a new connection is made, and set up
            self._engine.connect().close()
        finally:
            self._may_create = False

    def _set_up_sqlite(self, connection: Any, _record: object) -> None:
        connection.isolation_level = None  # sqlite3 would begin transactions by itself, and deferred ones
        connection.execute("PRAGMA foreign_keys=ON")
        # With the write-ahead log a power cut can't damage the file; it may lose the last transactions.
        connection.execute("PRAGMA synchronous=NORMAL")
        if self._may_create:
            connection.execute("PRAGMA journal_mode=WAL")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeout:
            raise self._away("has no connection free") from None
        except DBAPIError as error:
            plain = self._plain(error)
            if plain is None:
                raise
            raise plain from None

    def _plain(self, error: DBAPIError) -> VclabError | None:
        """The error for people; None for a bug of ours, which must show as one."""
        text, state = _first_line(error), _sqlstate(error)
        if state in _NO_TABLES or text.startswith(("no such table", "no such column")):
            if "alembic_version" in text:
                return self._other_version("")
            return self._away(f"is at another schema version: {text}")
        if isinstance(error, (IntegrityError, DataError)) or (
            isinstance(error, sa.exc.ProgrammingError) and state not in _NOT_ALLOWED
        ):
            return None
        return self._away(f"can't be used now: {text}")

    def _away(self, why: str, hint: str = "") -> Unreachable:
        return Unreachable(f"the database {self.shown_url} {why}", hint, part=DATABASE)


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _first_line(error: DBAPIError) -> str:
    return (str(error.orig).strip().splitlines() or ["no reason given"])[0]


def _begin_sqlite(connection: sa.Connection) -> None:
    """Take the write lock at once: two deferred writers can't both upgrade (measured: 78 % "database is locked")."""
    reading = connection.get_execution_options().get(_READING)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _begin_postgresql(connection: sa.Connection) -> None:
    if connection.get_execution_options().get(_LAZY):
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")


def _set_up_postgresql(connection: Any, _record: object) -> None:
    from vclab.store.postgresql_types import InfinityLoader, TextDumper

    connection.adapters.register_dumper(str, TextDumper)
    connection.adapters.register_loader("timestamptz", InfinityLoader)
