"""Use cases and records on a real PostgreSQL, each program by its own role: people's acts by that of the API, what
workflows record by that of the worker. These are tests of this folder again, which say what must come out."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.secret_store import secret_store
from tests.service.conftest import Lab, Scripted
from tests.service.test_access import (
    test_a_grant_that_is_taken_back_is_had_by_nobody_from_then_on,
    test_a_teacher_sees_and_ends_the_reservations_of_their_class_only,
    test_explain_names_the_chain_or_what_would_be_needed,
    test_the_help_desk_sees_extends_reboots_and_ends_but_never_connects,
)
from tests.service.test_acts import (
    test_a_password_is_for_its_user,
    test_connect_waits_until_the_computer_is_open,
    test_dismiss,
    test_how_it_came_out_is_recorded,
    test_the_end_is_absolute,
    test_the_intent_is_recorded_before_the_message_and_says_all_that_it_says,
)
from tests.service.test_administration import (
    ROOT,
    call,
    test_an_act_is_recorded_with_its_outcome,
    test_values_that_are_not_possible,
)
from tests.service.test_library import (
    disk,
    test_a_disk_comes_and_goes_with_the_same_content,
    test_a_revision_is_promoted_retired_and_restored,
)
from tests.service.test_transfers import test_a_disk_is_sent_imported_exported_and_fetched
from tests.store import postgresql
from tests.store.conftest import server
from tests.store.lab import seed
from vclab.api import examples
from vclab.contract import USE_CASES, repositories
from vclab.contract.use_case import UseCase
from vclab.model.access import ResourceKind
from vclab.model.errors import VclabError
from vclab.service.backend import Backend
from vclab.service.use_case import perform
from vclab.settings import Settings
from vclab.store import roles
from vclab.store.engine import Store, open_store

__all__ = [
    "disk",
    "server",
    "test_a_disk_comes_and_goes_with_the_same_content",
    "test_a_disk_is_sent_imported_exported_and_fetched",
    "test_a_grant_that_is_taken_back_is_had_by_nobody_from_then_on",
    "test_a_password_is_for_its_user",
    "test_a_revision_is_promoted_retired_and_restored",
    "test_a_teacher_sees_and_ends_the_reservations_of_their_class_only",
    "test_an_act_is_recorded_with_its_outcome",
    "test_connect_waits_until_the_computer_is_open",
    "test_dismiss",
    "test_explain_names_the_chain_or_what_would_be_needed",
    "test_how_it_came_out_is_recorded",
    "test_the_end_is_absolute",
    "test_the_help_desk_sees_extends_reboots_and_ends_but_never_connects",
    "test_the_intent_is_recorded_before_the_message_and_says_all_that_it_says",
    "test_values_that_are_not_possible",
]


@dataclass(frozen=True)
class TwoRoles(Lab):
    """A lab whose use cases have the API's role; what the tests do as workflows would has the worker's."""

    worker: Store = field(kw_only=True)

    @property
    def store(self) -> Store:
        """The store, by the worker's role."""
        return self.worker


@pytest.fixture(scope="module")
def filled(server: postgresql.Server) -> str:
    """A filled database with the roles, to be copied."""
    name = server.create()
    store = open_store(server.url(name))
    store.migrate()
    store.run(roles.apply)
    store.run(seed)
    store.close()
    return name


@pytest.fixture
def lab(tmp_path: Path, server: postgresql.Server, filled: str) -> Iterator[Lab]:
    """As that of the other tests here."""
    name = server.create(filled)
    api, worker = (server.url(name, role) for role in ("api", "worker"))
    settings = {"database": api, "secrets_dir": str(tmp_path / "secrets"), "operators": ("olga",)}
    secret_store(tmp_path / "secrets")
    made = TwoRoles(Scripted(Settings.model_validate(settings)), worker=open_store(worker))
    yield made
    made.backend.store.close()
    made.worker.close()
    server.drop(name)


@pytest.fixture
def backend(lab: Lab, tmp_path: Path) -> Backend:
    """The same, with a repository."""
    call(lab.backend, repositories.add, repositories.Add(name="main", folder=str(tmp_path / "images")))
    return lab.backend


async def test_questions_are_answered_in_transactions_that_only_read(lab: Lab) -> None:
    """By the API's role: none wants to lock a row, or reads what it may not. What it answers is told elsewhere."""
    reservation, wrong = lab.reserved().id, dict[str, str]()
    for name, use_case in USE_CASES.items():
        if not use_case.acts:
            question = example(use_case, reservation if use_case.rule.over is ResourceKind.RESERVATION else "")
            try:
                await perform(use_case, lab.backend, ROOT, question)
            except VclabError as error:
                wrong |= {name: error.message} if "the database" in error.message else {}
    assert wrong == {}


def example(use_case: UseCase[Any, Any], thing: str) -> Any:
    """A question with an example of each field that it must have."""
    schema = use_case.question.model_json_schema()
    given = examples.of("", schema, schema.get("$defs", {}))
    return use_case.question.model_validate(given | ({use_case.rule.field: thing} if thing else {}))
