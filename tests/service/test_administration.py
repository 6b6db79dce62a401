"""What keepers change of a lab: users, images, endpoints, computers and hosts, asked of the use cases themselves."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from pydantic import SecretStr

from tests.secret_store import secret_store
from tests.store.lab import NOW, RULES, inventory, seed
from vclab.contract import computers, endpoints, hosts, images, users
from vclab.contract.retiring import Disable, Named
from vclab.contract.use_case import A, Nothing, Q, UseCase
from vclab.model.errors import Invalid, NotFound, Refused
from vclab.model.intents import Author, Intent, Outcome
from vclab.model.reservations import Placed, ReserveRequest
from vclab.model.states import Ending
from vclab.service.actor import Actor, Authentication, Role
from vclab.service.backend import Backend
from vclab.service.use_case import perform
from vclab.settings import Settings
from vclab.store import intents, placement, reservations

T = TypeVar("T")

ALICE = Actor("alice", frozenset({Role.USER}), Authentication.ACCOUNT, "alice")
OLGA = Actor("olga", frozenset({Role.USER, Role.OPERATOR}), Authentication.ACCOUNT, "olga")
ROOT = Actor("root", frozenset({Role.ADMINISTRATOR}), Authentication.ACCOUNT, "root")
IMAGE = images.Add(name="suse", master="[ds1] s/1/disk.vmdk", cpus=1, memory_mb=512, disk_gb=4, unchecked=True)


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    """A lab with an image, an endpoint and computers."""
    settings = {"database": f"sqlite:///{tmp_path}/vclab.db", "secrets_dir": str(tmp_path), "operators": ("olga",)}
    secret_store(tmp_path)
    made = Backend(Settings.model_validate(settings))
    made.store.migrate()
    made.store.run(seed)
    yield made
    made.store.close()


def call(backend: Backend, use_case: UseCase[Q, A], question: Q, actor: Actor = OLGA) -> A:
    """The answer of a use case."""
    return asyncio.run(perform(use_case, backend, actor, question))


def newest(backend: Backend, subject: str) -> Intent:
    with backend.store.read() as session:
        return intents.newest(session, 1, intents.Sought(subject=subject))[0]


def lived(backend: Backend, user: str, image: str) -> None:
    """A reservation that has ended: the history knows its user and image."""
    request = ReserveRequest("r7", user, image, 3600)
    outcome = backend.store.run(
        lambda s: placement.place(s, request, Author(user), [inventory(taken_at=NOW)], RULES, NOW)
    )
    assert isinstance(outcome, Placed), outcome
    backend.store.run(lambda s: reservations.ended(s, "r7", Ending.DELETED, "", NOW))
    backend.store.run(lambda s: reservations.finished(s, "r7", NOW))


def test_an_act_is_recorded_with_its_outcome(backend: Backend) -> None:
    call(backend, users.add, users.Add(name="dora", uid=3000), ROOT)
    done = newest(backend, "dora")
    assert (done.verb, done.actor, done.account, done.outcome) == ("users.add", "root", "root", Outcome.DONE)
    with pytest.raises(Refused):
        call(backend, users.add, users.Add(name="emil", uid=3000))
    refused = newest(backend, "emil")
    assert (refused.outcome, refused.detail) == (Outcome.REFUSED, "the uid 3000 of emil belongs to dora")


def test_a_password_is_in_no_question_as_it_is_recorded_or_printed() -> None:
    question = endpoints.Add(name="vc", password=SecretStr("hunter2"))
    assert "hunter2" not in repr(question) + str(question.model_dump(mode="json")) + question.model_dump_json()


def test_the_uid_of_somebody_who_was_removed_is_not_given_to_the_next(backend: Backend) -> None:
    first = call(backend, users.add, users.Add(name="dora"))
    lived(backend, "dora", "debian-12")
    call(backend, users.remove, Named(name="dora"))
    assert call(backend, users.add, users.Add(name="emil")).uid == first.uid + 1
    again = call(backend, users.add, users.Add(name="dora", uid=first.uid))
    assert (again.uid, again.disabled_at) == (first.uid, None)


def test_nobody_forgets_themselves_or_somebody_who_has_a_reservation(backend: Backend) -> None:
    with pytest.raises(Refused, match="nobody forgets themselves"):
        call(backend, users.forget, Named(name="olga"))
    call(backend, users.add, users.Add(name="dora"))
    lived(backend, "dora", "debian-12")
    found = call(backend, users.remains, Named(name="dora"))
    assert (found.reservations, found.acts, bool(found.last_ended)) == (1, 0, True)


def test_an_image_that_is_added_again_gets_the_next_revision(backend: Backend) -> None:
    """The history names revisions: each holds one content for good."""
    assert call(backend, images.add, IMAGE).revision == 1
    lived(backend, "alice", "suse")
    call(backend, images.disable, Disable(name="suse", why="outdated"))
    call(backend, images.remove, Named(name="suse"))
    with pytest.raises(NotFound, match="there is no image 'suse'"):
        call(backend, images.show, Named(name="suse"))
    again = call(backend, images.add, IMAGE.model_copy(update={"master": "[ds1] s/2/disk.vmdk"}))
    assert (again.revision, again.disabled_at) == (2, None)


def test_root_orders_in_its_own_name(backend: Backend) -> None:
    lived(backend, "alice", "debian-12")  # so that the hosts are known
    name = call(backend, hosts.names, Nothing())[0].host
    assert call(backend, hosts.rest, hosts.Rest(name=name, reason="new disks"), ROOT).by == "root"
    assert call(backend, hosts.rest, hosts.Rest(name=name, reason="new disks")).by == "olga"
    assert not call(backend, hosts.wake, hosts.Named(name=name)).rests


def test_what_only_keepers_see_of_a_computer(backend: Backend) -> None:
    assert call(backend, computers.show, Named(name="vm01"), ALICE).failure is None
    document = computers.show.document(call(backend, computers.show, Named(name="vm01")))
    assert (document["state"], document["kind"], document["spare_until"]) == ("available", "virtualmachine", None)


def test_values_that_are_not_possible(backend: Backend) -> None:
    for question in (
        endpoints.Edit(name="lab-vcenter", cpu_overcommit=float("nan")),
        endpoints.Edit(name="lab-vcenter", site="North"),
        endpoints.Edit(name="lab-vcenter", url="http://vc"),
    ):
        with pytest.raises(Invalid):
            call(backend, endpoints.preview_edit, question)
