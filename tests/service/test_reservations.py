"""What people may know of reservations, and how they name them."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.store.lab import RULES, inventory, seed
from vclab.contract import audit, health, history, reservations
from vclab.contract.audit import Asked
from vclab.contract.history import Had
from vclab.contract.reservations import Explained, FailedComputer, Named, RefusedPlace, Which
from vclab.contract.use_case import Nothing, Question, UseCase
from vclab.model.catalog import User
from vclab.model.errors import Invalid, NotFound, Refused
from vclab.model.intents import Author, Intent, Outcome
from vclab.model.inventory import DatastoreFacts, Inventory
from vclab.model.plans import Evidence
from vclab.model.reservations import Candidate, FailedStep, Placed, Refusal, ReserveRequest
from vclab.service.actor import Actor, Authentication, Role
from vclab.service.backend import Backend
from vclab.service.finding import seen_reservation
from vclab.service.use_case import perform
from vclab.settings import Settings
from vclab.store import failed_steps, intents, inventories, needs_help, placement, refusals

NOW = datetime.now(UTC)
MINUTE = timedelta(minutes=1)
FIRST, SECOND, OTHERS = "3a4b5c6d7e8", "3a4b9c6d7e8", "3a4c5c6d7e8"


def actor(login: str, *roles: Role) -> Actor:
    return Actor(login, frozenset(roles), Authentication.ACCOUNT, login, User(login, 2001, zone="Europe/Berlin"))


ALICE, BOB = actor("alice", Role.USER), actor("bob", Role.USER)
OLGA = actor("olga", Role.USER, Role.OPERATOR)
STRANGER = Actor("mallory", frozenset(), Authentication.ACCOUNT)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """Alice has two reservations, bob one; no Temporal server answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    folder = tmp_path_factory.mktemp("service")
    made = Backend(settings(folder, address))
    made.store.migrate()
    made.store.run(seed)
    for id, user in ((FIRST, "alice"), (SECOND, "alice"), (OTHERS, "bob")):
        place(made, id, user)
    yield made
    made.store.close()


def settings(folder: Path, address: str) -> Settings:
    return Settings.model_validate(
        {
            "database": f"sqlite:///{folder}/vclab.db",
            "secrets_dir": str(folder),
            "operators": ("olga",),
            "temporal": {"address": address},
        }
    )


def place(backend: Backend, id: str, user: str) -> Placed:
    request = ReserveRequest(id, user, "debian-12", 3600)
    rules = replace(RULES, limits=replace(RULES.limits, at_once=9))
    outcome = backend.store.run(
        lambda s: placement.place(s, request, Author(user), [inventory(taken_at=NOW)], rules, NOW)
    )
    assert isinstance(outcome, Placed), outcome
    return outcome


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [FIRST, FIRST.upper(), "3a4b5", f"reservation-{FIRST}", "reservation-3A4B5", " 3a4b5 "]
)
async def test_a_reservation_is_named_by_its_id_or_the_beginning_of_it(backend: Backend, name: str) -> None:
    assert (await seen_reservation(backend, ALICE, name)).view.id == FIRST


async def test_an_ambiguous_beginning_is_refused_with_the_candidates(backend: Backend) -> None:
    with pytest.raises(Refused) as refused:
        await seen_reservation(backend, ALICE, "3A4B")
    assert refused.value.message == f"several reservations begin with '3a4b': {SECOND}, {FIRST}"
    assert refused.value.hint == "type more of the id"


async def test_other_peoples_reservations_make_no_name_ambiguous_and_are_not_found(backend: Backend) -> None:
    assert (await seen_reservation(backend, BOB, "3a4c")).view.id == OTHERS
    for name in ("3a4c", OTHERS, FIRST[:3], "3a4", "", "../x", "%", "3a4_", "x" * 5000):
        with pytest.raises(NotFound) as missing:
            await seen_reservation(backend, ALICE, name)
        assert OTHERS not in missing.value.message.replace(name, "")
        assert missing.value.hint == "`vclab list --all` lists yours"


async def test_near_ids_are_proposed_and_the_hint_is_a_sentence_of_its_own(backend: Backend) -> None:
    with pytest.raises(NotFound) as missing:
        await seen_reservation(backend, ALICE, "3a4b5c6d7e9")
    assert str(missing.value) == (
        f"there is no reservation '3a4b5c6d7e9' (did you mean {FIRST} or {SECOND}?); `vclab list --all` lists yours"
    )


# --- what people may know -------------------------------------------------------------------------------------------


async def test_who_sees_which_reservations(backend: Backend) -> None:
    async def ids(who: Actor, everyone: bool = False) -> set[str]:
        return {each.id for each in await perform(reservations.listing, backend, who, Which(everyone=everyone))}

    assert await ids(ALICE) >= {FIRST, SECOND}
    assert OTHERS not in await ids(ALICE)
    assert await ids(OLGA) == set()
    assert await ids(OLGA, everyone=True) >= {FIRST, SECOND, OTHERS}
    with pytest.raises(Refused, match="alice sees no other people"):
        await ids(ALICE, everyone=True)
    with pytest.raises(NotFound, match="mallory is not a user"):
        await ids(STRANGER)
    with pytest.raises(Invalid, match="the limit 0 is not between"):
        await perform(reservations.listing, backend, ALICE, Which(ended=True, limit=0))


async def test_only_operators_see_how_it_was_loaded(backend: Backend) -> None:
    own = await perform(reservations.show, backend, ALICE, Named(reservation="3a4b5"))
    assert (own.id, own.load, own.failures) == (FIRST, None, None)
    assert own.history[0].what == "reserved"
    assert own.now is not None
    assert not own.now.answered
    seen = await perform(reservations.show, backend, OLGA, Named(reservation="3a4b5"))
    assert (seen.load, seen.failures) == ((), ())
    document = reservations.show.document(own)
    assert (document["id"], document["now"]["answered"], document["history"][0]["at"][-1]) == (FIRST, False, "Z")


@pytest.mark.parametrize("use_case", [reservations.needs_help, audit.listing])
@pytest.mark.parametrize("who", [ALICE, STRANGER])
async def test_what_is_for_operators(backend: Backend, use_case: UseCase[Question, object], who: Actor) -> None:
    question = Asked() if use_case.name == "audit.listing" else Nothing()
    with pytest.raises(Refused, match="no grant gives the role"):
        await perform(use_case, backend, who, question)


# --- why ------------------------------------------------------------------------------------------------------------

HOSTS = tuple(Candidate(f"lab-vcenter/esx{n}", (f"needs 2048 MiB memory, has {n} free",)) for n in range(1, 27))
FULL = Refusal("there is no room for this machine now", HOSTS)


def test_a_refusal_is_a_short_line_with_the_reason_first() -> None:
    assert FULL.text("3a4b") == (
        "there is no room for this machine now (3 of 26 considered: "
        "lab-vcenter/esx1: needs 2048 MiB memory, has 1 free; "
        "lab-vcenter/esx2: needs 2048 MiB memory, has 2 free; lab-vcenter/esx3: needs 2048 MiB memory, has 3 free; "
        "`vclab why 3a4b` lists all)"
    )
    assert FULL.brief("3a4b") == "there is no room for this machine now (`vclab why 3a4b` lists 26 hosts)"
    one = replace(FULL, candidates=HOSTS[:1])
    assert one.brief("3a4b") == one.text("3a4b")
    assert one.text() == ("there is no room for this machine now (lab-vcenter/esx1: needs 2048 MiB memory, has 1 free)")


async def test_a_refused_request_is_its_users(backend: Backend) -> None:
    request = ReserveRequest("3zzz5c6d7e8", "alice", "debian-12", 3600)
    backend.store.run(lambda s: refusals.note(s, request, FULL, NOW))
    found = await perform(reservations.why, backend, ALICE, Named(reservation="3ZZZ"))
    assert isinstance(found, RefusedPlace)
    assert (found.id, len(found.candidates), found.kind) == (request.id, 26, "refused")
    seen = await perform(reservations.why, backend, OLGA, Named(reservation=request.id))
    assert isinstance(seen, RefusedPlace)
    for name in (request.id, "3zzz", FIRST):
        with pytest.raises(NotFound, match="there is no reservation"):
            await perform(reservations.why, backend, BOB, Named(reservation=name))


async def test_one_that_needs_help_names_every_host_that_was_considered(backend: Backend) -> None:
    target = place(backend, "4a4b5c6d7e8", "alice").target
    step = FailedStep(NOW, target.computer, 1, target.host, "vsphere.power_on", 4, "Power on", "no power", Evidence())
    reason = f"step 4, Power on: no power; there is no other place: {FULL.brief(target.reservation)}"
    backend.store.run(lambda s: failed_steps.note(s, target, step, RULES.health))
    backend.store.run(lambda s: refusals.note_relocation(s, target.reservation, FULL, NOW))
    backend.store.run(lambda s: needs_help.begin(s, target, 7200, reason, NOW, "there is no other place"))
    found = await perform(reservations.why, backend, ALICE, Named(reservation="4a4b"))
    assert isinstance(found, Explained)
    assert found.waits_for_help
    assert found.no_place is not None
    assert len(found.no_place.candidates) == 26
    assert found.evidence is None, "that is for operators"
    (waiting,) = await perform(reservations.needs_help, backend, OLGA, Nothing())
    assert not isinstance(waiting, FailedComputer)
    assert (waiting.id, waiting.failure.cause) == (target.reservation, "no power")
    assert waiting.no_other_place == "there is no other place"
    assert waiting.reason is not None
    assert len(waiting.reason) < 160


async def test_a_computer_is_no_reservation(backend: Backend) -> None:
    with pytest.raises(NotFound) as missing:
        await perform(reservations.why, backend, ALICE, Named(reservation="vm01"))
    assert str(missing.value) == ("'vm01' is a computer, not a reservation; `vclab computer show vm01` shows its state")


# --- who had what, who asked for what -------------------------------------------------------------------------------


async def test_history_says_of_what(backend: Backend) -> None:
    with pytest.raises(Invalid, match="nothing says whose history"):
        await perform(history.listing, backend, OLGA, Had())
    (stay,) = await perform(history.listing, backend, OLGA, Had(user="bob"))
    document = history.listing.document((stay,))[0]
    assert (document["holder"], document["user"], document["until"]) == (OTHERS, "bob", None)
    assert document["from"].endswith("Z")


async def test_the_audit_lists_acts_by_their_actor_and_what_they_were_upon(backend: Backend) -> None:
    later = NOW + 1440 * MINUTE  # what other tests have tried in vain is in the audit, too

    def intent(number: int, who: str, subject: str) -> Intent:
        at = later + number * MINUTE
        asked = Intent(f"i{number}", at, who, "--as", ("user",), "acts.end", subject, "alice", "root", {"hard": True})
        return replace(asked, token=f"t{number}", address=f"192.0.2.{number}")

    for each in (intent(1, "alice", FIRST), intent(2, "olga", FIRST), intent(3, "bob", OTHERS)):
        backend.store.run(lambda s, each=each: intents.write(s, each))  # type: ignore[misc]
    backend.store.run(lambda s: intents.answer(s, "i2", Outcome.REFUSED, "has ended", later + 9 * MINUTE))

    async def ids(**asked: object) -> list[str]:
        found = await perform(audit.listing, backend, OLGA, Asked.model_validate(asked))
        return [each.id for each in found if each.at >= later]

    assert await ids() == ["i3", "i2", "i1"]
    assert await ids(since=later + 2 * MINUTE) == ["i3", "i2"]
    assert await ids(since=later + 2 * MINUTE, until=later + 3 * MINUTE) == ["i2"]
    assert await ids(address="192.0.2.3") == ["i3"]
    assert await ids(token="t1") == ["i1"]
    assert await ids(outcome="refused") == ["i2"]
    assert await ids(user="alice", limit=1) == ["i1"]
    with pytest.raises(Invalid, match="has no time zone"):
        await ids(since=NOW.replace(tzinfo=None))
    assert await ids(until=later + 9 * MINUTE, since=later + MINUTE, limit=2) == ["i3", "i2"]
    assert await ids(limit=2, since=later + MINUTE, cursor="i2") == ["i1"]
    assert await ids(user="olga") == ["i2"]
    assert await ids(subject="3A4B5") == ["i2", "i1"]
    assert await ids(subject="esx1") == []
    (one,) = await perform(audit.listing, backend, OLGA, Asked(user="olga", since=later))
    assert (one.outcome, one.detail, one.for_user, one.account) == ("refused", "has ended", "alice", "root")


async def test_the_status_tells_what_is_down(backend: Backend) -> None:
    found = await perform(health.status, backend, OLGA, Nothing())
    parts = {part.name: part for part in found.parts}
    assert not found.ok
    assert parts["database"].ok
    assert "does not answer" in parts["temporal"].detail
    assert parts["hosts"].detail == "all hosts in service"
    assert parts["machines"].detail == "no orphaned machines"
    assert (parts["datastores"].ok, parts["datastores"].detail) == (True, "all have room")


async def test_the_status_tells_of_datastores_that_have_filled(backend: Backend) -> None:
    why = "only 4 % of it are free, and 15 % are to stay so; the largest of ours: vm03-r7-g1 61 GiB"
    full = DatastoreFacts("ds1", 50, 7, False, why, filled=True)
    said = Inventory("lab-vcenter", NOW, datastores=(full, DatastoreFacts("ds2", 50, 50)))
    backend.store.run(lambda s: inventories.keep(s, said, inventories.epochs(s)["lab-vcenter"]))
    part = next(
        each for each in (await perform(health.status, backend, OLGA, Nothing())).parts if each.name == "datastores"
    )
    assert (part.ok, part.detail) == (
        False,
        f"nothing is placed on lab-vcenter/ds1: {why}; make room there, or end what grows",
    )
