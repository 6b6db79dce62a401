"""Keeps what a release leaves behind, once, when it is cut.

    .venv/bin/python -m tests.releases.keep /var/lib/vclab/lab/vclab.db

The database is that of an embedded lab that has shown all demos. Its rows are also put into PostgreSQL.
"""

import hashlib
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import sqlalchemy as sa

from tests.histories import stored
from tests.releases import FILES, FOLDER
from tests.store import postgresql
from vclab.store import migrations, open_store
from vclab.store.models import Base

ROOT = FOLDER.parents[1]


def released_files() -> list[Path]:
    """The migrations and the histories that there are."""
    versions = Path(migrations.__file__).parent / "versions"
    return [*sorted(versions.glob("[0-9]*.py")), *stored.files()]


def sums() -> str:
    """A line for each released file."""
    found = {file.relative_to(ROOT): hashlib.sha256(file.read_bytes()).hexdigest() for file in released_files()}
    return "".join(f"{digest}  {file}\n" for file, digest in found.items())


def of_sqlite(database: Path) -> str:
    """As SQL."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def of_postgresql(database: Path) -> str:
    """The same rows there, as SQL."""
    with postgresql.running() as server:
        url = server.url(server.create())
        store = open_store(url)
        store.migrate()
        store.close()
        _copy(
            sa.create_engine(f"sqlite:///{database}"),
            sa.create_engine(re.sub("^postgresql:", "postgresql+psycopg:", url)),
        )
        dumped = subprocess.run(
            [postgresql.programs() / "pg_dump", "--inserts", "--no-owner", "--no-privileges", url],
            capture_output=True,
            text=True,
            check=True,
        )
    kept = (line for line in dumped.stdout.splitlines() if not line.startswith("\\"))  # of psql's newest versions only
    return "\n".join(kept) + "\n"


def _copy(source: sa.Engine, target: sa.Engine) -> None:
    with source.connect() as read, target.begin() as write:
        write.execute(sa.text("SET LOCAL session_replication_role = replica"))
        for table in Base.metadata.sorted_tables:
            if rows := [dict(each) for each in read.execute(sa.select(table)).mappings()]:
                write.execute(sa.delete(table))
                write.execute(sa.insert(table), rows)
            for column in table.columns:
                if sequence := write.scalar(sa.select(sa.func.pg_get_serial_sequence(table.name, column.name))):
                    write.execute(sa.select(sa.func.setval(sequence, sa.select(sa.func.max(column)).scalar_subquery())))
    source.dispose()
    target.dispose()


def main() -> None:
    """Write the folder of this version."""
    database, folder = Path(sys.argv[1]), FOLDER / version("vclab")
    folder.mkdir()
    (folder / "sqlite.sql").write_text(of_sqlite(database))
    (folder / "postgresql.sql").write_text(of_postgresql(database))
    (folder / FILES).write_text(sums())


if __name__ == "__main__":
    main()
