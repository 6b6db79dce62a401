"""An installation on a real SQLite store, and the server in this process."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from tests.secret_store import secret_store
from tests.sign_in.installation import Installation
from tests.store.lab import filled_database, seed
from vclab.api.app import make_app
from vclab.service import passwords
from vclab.service.backend import Backend
from vclab.settings import Settings


@pytest.fixture(autouse=True, scope="session")
def _quick_hashes() -> Iterator[None]:
    """The same algorithm with less work: each attempt would take a fifth of a second on two processors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=2, memory_cost=8192, parallelism=1))
        yield


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled database, to be copied."""
    return filled_database(tmp_path_factory.mktemp("seeded"), seed)


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
    secret_store(tmp_path / "secrets")
    backend = Backend(settings)
    made = Installation(backend, make_app(backend))
    yield made
    made.backend.store.close()
