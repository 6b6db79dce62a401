"""Signing in on a real PostgreSQL, by the API's role: tests of this folder again, which say what must come out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.secret_store import secret_store
from tests.service.test_database_roles import filled, server
from tests.sign_in.installation import Installation
from tests.sign_in.test_pages import (
    alice,
    test_a_program_is_let_in,
    test_a_program_is_refused,
    test_each_attempt_is_in_the_audit_without_what_was_typed,
    test_somebody_signs_in_and_out,
    test_the_emergency_code_lets_an_administrator_in_once,
)
from tests.sign_in.test_tokens import (
    test_a_new_password_signs_out_who_came_with_the_old_one,
    test_what_is_revoked_ends_at_once_and_others_can_not,
)
from tests.store import postgresql
from vclab.api.app import make_app
from vclab.service.backend import Backend
from vclab.settings import Settings

__all__ = [
    "alice",
    "filled",
    "server",
    "test_a_new_password_signs_out_who_came_with_the_old_one",
    "test_a_program_is_let_in",
    "test_a_program_is_refused",
    "test_each_attempt_is_in_the_audit_without_what_was_typed",
    "test_somebody_signs_in_and_out",
    "test_the_emergency_code_lets_an_administrator_in_once",
    "test_what_is_revoked_ends_at_once_and_others_can_not",
]


@pytest.fixture
def installation(tmp_path: Path, server: postgresql.Server, filled: str) -> Iterator[Installation]:
    """As that of the other tests here."""
    name = server.create(filled)
    api = server.url(name, "api")
    settings = {"database": api, "secrets_dir": str(tmp_path / "secrets"), "operators": ("olga",)}
    secret_store(tmp_path / "secrets")
    backend = Backend(Settings.model_validate(settings))
    made = Installation(backend, make_app(backend))
    yield made
    backend.store.close()
    server.drop(name)
