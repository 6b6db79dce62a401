"""An installation on a real SQLite store, and the server in this process."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sign_in.installation import Installation
from tests.store.lab import seed
from vclab.service.backend import Backend
from vclab.settings import Settings
from vclab.store.engine import open_store


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled database, to be copied."""
    file = tmp_path_factory.mktemp("seeded") / "vclab.db"
    made = open_store(f"sqlite:///{file}")
    made.migrate()
    made.run(seed)
    made.close()
    return file


@pytest.fixture
def installation(tmp_path: Path, seeded: Path) -> Iterator[Installation]:
    """One of its own for each test."""
    shutil.copy(seeded, tmp_path / "vclab.db")
    settings = Settings.model_validate(
        {
            "database": f"sqlite:///{tmp_path}/vclab.db",
            "secrets_dir": str(tmp_path / "secrets"),
            "operators": ("olga",),
        }
    )
    made = Installation(Backend(settings))
    yield made
    made.backend.store.close()
