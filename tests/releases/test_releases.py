"""What was released stays as it was, and its databases become those of this version."""

import hashlib
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.orm import Session

from tests.releases import FILES, FOLDER, VERSIONS
from tests.releases.keep import released_files
from tests.store import postgresql
from tests.store.conftest import backend, server
from vclab.store import Store, catalog, open_store, reservations
from vclab.store.models import Base

__all__ = ["backend", "server"]

pytestmark = pytest.mark.skipif(not VERSIONS, reason="nothing has been released yet")


@pytest.fixture(scope="module")
def digests() -> Counter[str]:
    """The SHA-256 of all histories and migrations."""
    return Counter(hashlib.sha256(file.read_bytes()).hexdigest() for file in released_files())


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_released_is_there_as_it_was(version: str, digests: Counter[str]) -> None:
    """A history may have another name by now (CONTRIBUTING, *Change a running workflow safely*), and is replayed."""
    lines = (line.split("  ", 1) for line in (FOLDER / version / FILES).read_text().splitlines())
    changed = [name for digest, name in lines if not digests[digest]]
    assert not changed, f"{version} had other files: get them back, and add new ones beside them: {changed}"


def of_release(version: str, backend: str, folder: Path, request: pytest.FixtureRequest) -> str:
    """The URL of a database as that version left it."""
    script = FOLDER / version / f"{backend}.sql"
    if backend == "sqlite":
        file = folder / "old.db"
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(script.read_text())
        return f"sqlite:///{file}"
    server: postgresql.Server = request.getfixturevalue("server")
    url = server.url(server.create())
    psql = (postgresql.programs() / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-1", "-d", url)
    subprocess.run(psql, input=script.read_text(), text=True, check=True, stdout=subprocess.DEVNULL)
    return url


@pytest.mark.parametrize("version", VERSIONS)
def test_its_database_becomes_that_of_this_version(
    version: str, backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store = open_store(of_release(version, backend, tmp_path, request))
    before = rows(store)
    store.migrate()
    store.check()

    def difference(session: Session) -> object:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        return compare_metadata(context, Base.metadata)

    assert store.run(difference) == []
    assert before <= rows(store) and before["reservations"] > 3
    with store.read() as session:
        assert {user.login for user in catalog.users(session)} >= {"alice", "bob", "carol", "olga"}
        ids = session.scalars(sa.text("SELECT id FROM reservations")).all()
        assert all(reservations.view(session, each) for each in ids)
    store.close()


def rows(store: Store) -> Counter[str]:
    """How many rows each table has."""
    with store.read() as session:
        tables = [name for name in sa.inspect(session.connection()).get_table_names() if name != "alembic_version"]
        return Counter({name: session.scalar(sa.text(f"SELECT count(*) FROM {name}")) or 0 for name in tables})
