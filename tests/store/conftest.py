"""Every test that takes ``store`` runs on SQLite and on a real PostgreSQL."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.store import postgresql
from tests.store.lab import image, seed
from vclab.model.catalog import Endpoint
from vclab.store import Store, catalog, open_store
from vclab.store.inserts import dialect_of
from vclab.store.models import Base

BACKENDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.Server]:
    """The PostgreSQL server."""
    with postgresql.running() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database."""
    path = tmp_path_factory.mktemp("template") / "vclab.db"
    store = open_store(f"sqlite:///{path}")
    store.migrate()
    store.close()
    return path


@pytest.fixture(scope="session")
def postgresql_template(server: postgresql.Server) -> str:
    """The same on PostgreSQL."""
    name = server.create()
    store = open_store(server.url(name))
    store.migrate()
    store.close()
    return name


@pytest.fixture(params=BACKENDS, scope="session")
def backend(request: pytest.FixtureRequest) -> str:
    """The database's name."""
    return str(request.param)


@pytest.fixture(scope="session")
def shared_url(backend: str, request: pytest.FixtureRequest) -> str:
    """One migrated database of the backend for all tests: emptying is much faster than making one."""
    if backend == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        return f"sqlite:///{shutil.copy(template, template.with_name('shared.db'))}"
    server: postgresql.Server = request.getfixturevalue("server")
    return server.url(server.create(request.getfixturevalue("postgresql_template")))


@pytest.fixture(scope="session")
def shared_store(shared_url: str) -> Iterator[Store]:
    """The store on it."""
    store = open_store(shared_url)
    yield store
    store.close()


@contextmanager
def without_triggers(session: Session) -> Iterator[None]:
    """What the database itself would refuse is done, and the feed tells nothing of it."""
    if dialect_of(session) == "postgresql":
        session.execute(sa.text("SET LOCAL session_replication_role = replica"))
        yield
        session.execute(sa.text("SET LOCAL session_replication_role = origin"))
        return
    found = session.execute(sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
    for name, _ in found:
        session.execute(sa.text(f"DROP TRIGGER {name}"))
    yield
    for _, sql in found:
        session.connection().exec_driver_sql(sql)


def empty(session: Session) -> None:
    """Delete all rows, but for the count of the feed."""
    with without_triggers(session):
        for table in reversed(Base.metadata.sorted_tables):
            if table.name != "feed_state":
                session.execute(table.delete())


@pytest.fixture
def store(shared_store: Store) -> Store:
    """An empty store."""
    shared_store.run(empty)
    return shared_store


@pytest.fixture
def url(store: Store, shared_url: str) -> str:
    """The URL of an empty, migrated database, for other processes."""
    return shared_url


@pytest.fixture
def lab(store: Store) -> Store:
    """A store with users, an image, an endpoint and identities (tests/store/lab.py)."""
    store.run(seed)
    return store


@pytest.fixture
def lab_machines(lab: Store) -> Store:
    """The same with a group of two lab machines, ``lab01`` and ``lab02``, and an image for them."""

    def fill(session: Session) -> None:
        catalog.put_endpoint(session, Endpoint("labs", "standalone", "", "", "", ""))
        catalog.put_image(session, replace(image("lab-debian", 1024), module="standalone", module_data=""))
        for number in (1, 2):
            catalog.put_lab_computer(session, f"lab{number:02}", "", "labs", f"10.0.0.{number}", f"key{number}")

    lab.run(fill)
    return lab
