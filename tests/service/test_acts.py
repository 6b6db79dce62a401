"""Acts: what is recorded, what reaches the workflow, and how it is answered."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy.orm import Session

from tests.believing import believed
from tests.service.conftest import Lab
from vclab.client.protocol import Client
from vclab.contract import USE_CASES, acts
from vclab.contract.reservations import Named
from vclab.model import messages
from vclab.model.errors import Failed, Forbidden, Invalid, NotFound, Refused, Unreachable, VclabError
from vclab.model.ids import new_id
from vclab.model.intents import Author, Outcome, Verb
from vclab.model.plans import Facts
from vclab.model.reservations import ReservationView, ReserveRequest
from vclab.model.states import Ending
from vclab.service.actor import Actor, Role
from vclab.service.acts import LOOK
from vclab.service.authentication import Account
from vclab.service.backend import Backend
from vclab.store import intents, reservations

T = TypeVar("T")

HERE = "203.0.113.101"
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def reserve(**changes: Any) -> acts.Reserve:
    """For an hour."""
    return acts.Reserve(**{"reservation": new_id(), "image": "debian-12", "seconds": 3600.0, **changes})


def named(view: ReservationView) -> Named:
    return Named(reservation=view.id)


def ready(lab: Lab, user: str = "alice") -> ReservationView:
    """One that can be connected to."""
    id = lab.reserved(user).id
    lab.store.run(lambda s: reservations.ready(s, id, Facts("10.77.0.5", "203.0.113.5"), NOW))
    return lab.view(id)


def ended(lab: Lab, ending: Ending = Ending.RELEASED) -> ReservationView:
    id = lab.reserved().id
    lab.store.run(lambda s: reservations.ended(s, id, ending, "", NOW))
    return lab.view(id)


def places(lab: Lab) -> Callable[[ReserveRequest], None]:
    """What the record of a placement does, as far as it counts here."""

    def place(request: ReserveRequest) -> None:
        lab.store.run(lambda s: intents.author(s, request.intent, Verb.RESERVE, request.id))
        made = lab.reserved(request.user)
        lab.store.run(
            lambda s: s.connection().exec_driver_sql(f"update reservations set id='{request.id}' where id='{made.id}'")
        )

    return place


def fails(error: Exception) -> Callable[[Any], None]:
    def fail(message: Any) -> None:
        raise error

    return fail


# --- intents --------------------------------------------------------------------------------------------------------


def test_every_act_of_a_workflow_is_a_use_case() -> None:
    """But for those of computers, which another part of the layer has."""
    assert {verb for verb in Verb if verb.startswith("acts.")} <= set(USE_CASES)


async def test_the_intent_is_recorded_before_the_message_and_says_all_that_it_says(lab: Lab) -> None:
    view, client = ready(lab), lab.make_client("olga")
    at = (view.end + 2 * HOUR).replace(microsecond=0)
    await client.call(acts.extend, acts.Extend(reservation=view.id, to=at))
    await client.call(acts.reboot, acts.Reboot(reservation=view.id, hard=True))
    await client.call(acts.end, named(view))
    assert [id for id, _ in lab.workflows.sent] == [view.id] * 3
    said: tuple[dict[str, Any], ...] = ({"to": at.isoformat().replace("+00:00", "Z")}, {"hard": True}, {})
    for (_, message), intent, arguments in zip(lab.workflows.sent, lab.intents(), said, strict=True):
        assert message.intent == intent.id
        assert intent.arguments.items() >= arguments.items()
        assert (intent.actor, intent.for_user, intent.subject) == ("olga", "alice", view.id)
        assert (intent.authentication, intent.operator, intent.outcome) == ("account", True, Outcome.DONE)
    assert lab.intents()[1].asks_for(Verb.REBOOT, view.id, {"hard": True})
    assert not lab.intents()[1].asks_for(Verb.REBOOT, view.id, {"hard": False})


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Refused("no"), Outcome.REFUSED),
        (Unreachable("nobody answers"), Outcome.UNANSWERED),
        (NotFound("it has ended"), Outcome.UNANSWERED),  # it has not: its workflow is gone
        (ZeroDivisionError("secret"), Outcome.FAILED),
    ],
)
async def test_how_it_came_out_is_recorded(lab: Lab, error: Exception, outcome: Outcome) -> None:
    lab.workflows.does = fails(error)
    with pytest.raises((VclabError, ZeroDivisionError)):
        await lab.make_client("alice").call(acts.reboot, acts.Reboot(reservation=ready(lab).id))
    (intent,) = lab.intents()
    assert (intent.outcome, bool(intent.detail)) == (outcome, True)
    assert "secret" not in intent.detail, "what an unexpected error says may hold anything"


async def test_an_act_that_is_done_is_done_also_when_that_can_not_be_noted(lab: Lab) -> None:
    view, write = ready(lab), lab.backend.write
    writes: list[object] = []

    async def goes_away(change: Callable[[Session], T]) -> T:
        if len(writes) == 2:  # its key and its intent
            raise Unreachable("the database is away")
        writes.append(change)
        return await write(change)

    lab.backend.write = goes_away  # type: ignore[method-assign]
    assert (await lab.make_client("alice").call(acts.end, named(view))).id == view.id
    assert [intent.outcome for intent in lab.intents()] == [Outcome.OPEN]


# --- reserve --------------------------------------------------------------------------------------------------------


async def test_reserve_says_neither_who_asks_nor_with_which_rights(lab: Lab) -> None:
    lab.workflows.does = places(lab)
    question = reserve()
    view = await lab.make_client("alice").call(acts.reserve, question)
    ((_, request),) = lab.workflows.sent
    (intent,) = lab.intents()
    assert request == ReserveRequest(question.reservation, "alice", "debian-12", 3600.0, intent.id)
    assert (intent.subject, intent.for_user) == (question.reservation, "alice")
    assert (view.id, view.user) == (question.reservation, "alice")


async def test_a_full_copy_is_asked_for(lab: Lab) -> None:
    lab.workflows.does = places(lab)
    await lab.make_client("alice").call(acts.reserve, reserve(dedicated=True))
    ((_, request),) = lab.workflows.sent
    assert request.dedicated and lab.intents()[0].arguments["dedicated"] is True


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"image": "debian-13"}, NotFound, "did you mean debian-12"),
        ({"seconds": 90_000.0}, Refused, "at most 4 h"),
        ({"start": NOW - HOUR}, Refused, "past"),
        ({"start": (NOW + HOUR).replace(tzinfo=None)}, Invalid, "no time zone"),
    ],
)
async def test_what_can_be_known_before_is_refused_before_it_is_sent(
    lab: Lab, changes: dict[str, Any], error: type[VclabError], text: str
) -> None:
    with pytest.raises(error, match=text):
        await lab.make_client("alice").call(acts.reserve, reserve(**changes))
    assert lab.workflows.sent == []
    assert [intent.outcome for intent in lab.intents()] == [Outcome.REFUSED]


async def test_limits_do_not_bind_operators(lab: Lab) -> None:
    lab.workflows.does = places(lab)
    await lab.make_client("olga").call(acts.reserve, reserve(seconds=90_000.0))


async def test_a_restart_of_server_or_worker_is_outlasted(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what does not answer for too long may still place it."""
    monkeypatch.setattr(asyncio, "sleep", _at_once)
    answers = [Unreachable("nobody answers"), Unreachable("nobody answers")]
    place = places(lab)
    lab.workflows.does = lambda request: fails(answers.pop())(request) if answers else place(request)
    await lab.make_client("alice").call(acts.reserve, reserve())
    assert len(lab.workflows.sent) == 3
    monkeypatch.setattr("vclab.service.acts.PATIENCE", 0.0)
    lab.workflows.does = fails(Unreachable("nobody answers"))
    with pytest.raises(Unreachable, match="may still be placed"):
        await lab.make_client("alice").call(acts.reserve, reserve())


async def _at_once(seconds: float) -> None:
    """Instead of ``asyncio.sleep``."""


# --- times ----------------------------------------------------------------------------------------------------------


async def test_the_end_is_absolute(lab: Lab) -> None:
    view, client = ready(lab), lab.make_client("alice")
    for question, end in (
        ({"by": 1800.0}, view.end + HOUR / 2),
        ({"to": view.end + HOUR}, view.end + HOUR),
        ({"to": view.end.replace(microsecond=0)}, view.end),
    ):
        await client.call(acts.extend, acts.Extend(reservation=view.id, **question))
        assert lab.workflows.sent[-1][1].end == end


@pytest.mark.parametrize(
    "question",
    [{}, {"by": 60.0, "to": NOW + HOUR}, {"to": NOW.replace(tzinfo=None)}, {"by": 1e15}, {"by": float("nan")}],
)
async def test_an_extension_that_is_not_understood(lab: Lab, question: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await lab.make_client("alice").call(acts.extend, acts.Extend(reservation=ready(lab).id, **question))
    assert lab.workflows.sent == []


@pytest.mark.parametrize("name", ["extend", "reschedule", "reboot", "resolve", "connect"])
async def test_what_has_ended_takes_no_acts(lab: Lab, name: str) -> None:
    id = ended(lab).id
    questions: dict[str, Any] = {
        "extend": acts.Extend(reservation=id, by=60.0),
        "reschedule": acts.Reschedule(reservation=id, start=NOW + HOUR),
        "reboot": acts.Reboot(reservation=id),
        "resolve": acts.Resolve(reservation=id, how="retry"),
        "connect": acts.Connect(reservation=id, address=HERE),
    }
    with pytest.raises(Failed, match="has ended"):
        await lab.make_client("olga").call(USE_CASES[f"acts.{name}"], questions[name])
    assert lab.workflows.sent == []


async def test_a_workflow_that_is_gone(lab: Lab) -> None:
    """Its reservation has ended meanwhile, or the reconciler has to find it."""
    view, client = ready(lab), lab.make_client("alice")
    lab.workflows.does = fails(NotFound("there is none"))
    with pytest.raises(Unreachable, match=r"the workflow of \w+ is gone"):
        await client.call(acts.end, named(view))

    def end(message: Any) -> None:
        lab.store.run(lambda s: reservations.ended(s, view.id, Ending.EOR, "", NOW))
        raise NotFound("there is none")

    lab.workflows.does = end
    with pytest.raises(Failed, match="has ended"):
        await client.call(acts.reboot, acts.Reboot(reservation=view.id))


# --- connect --------------------------------------------------------------------------------------------------------


def opens(
    lab: Lab, later: bool = False, addresses: tuple[str, ...] = (HERE,)
) -> Callable[[messages.Acknowledge], None]:
    """What the records of Connect do."""

    def open_(message: messages.Acknowledge) -> None:
        id = lab.workflows.sent[-1][0]
        lab.store.run(lambda s: reservations.acknowledged(s, id, addresses, Author("alice"), NOW))
        if not later:
            lab.store.run(lambda s: reservations.access_opened(s, id, addresses, NOW))

    return open_


async def test_connect_waits_until_the_computer_is_open(lab: Lab) -> None:
    view = ready(lab)
    lab.workflows.does = opens(lab, later=True)
    waits = asyncio.create_task(
        lab.make_client("alice").call(acts.connect, acts.Connect(reservation=view.id, address=f" {HERE}/32 "))
    )
    await asyncio.sleep(3 * LOOK)
    assert not waits.done()
    lab.store.run(lambda s: reservations.access_opened(s, view.id, (HERE,), NOW))
    assert (await waits).access_open
    assert lab.workflows.sent[0][1].address == HERE
    assert lab.intents()[0].asks_for(Verb.CONNECT, view.id, {"address": HERE})


async def test_connect_that_fails(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is ready; what the computer does not let in; and what takes too long."""
    client = lab.make_client("alice")
    with pytest.raises(Refused, match="not ready yet"):
        await client.call(acts.connect, acts.Connect(reservation=lab.reserved().id, address=HERE))
    lab.workflows.does = opens(lab, addresses=("198.51.100.7",))
    view = ready(lab)
    with pytest.raises(Refused, match=f"could not be opened to {HERE}"):
        await client.call(acts.connect, acts.Connect(reservation=view.id, address=HERE))
    with pytest.raises(Invalid, match="address"):
        await client.call(acts.connect, acts.Connect(reservation=view.id))
    monkeypatch.setattr("vclab.service.acts.OPENING", 0.0)
    lab.workflows.does = opens(lab, later=True)
    with pytest.raises(Unreachable, match="was not opened"):
        await client.call(acts.connect, acts.Connect(reservation=view.id, address=HERE))


def seen_at(lab: Lab, address: str, *roles: Role) -> Client:
    """Alice's client, as a server sees it."""

    async def who(backend: Backend) -> Actor:
        known = await believed(backend, Account("root"), "alice")
        return replace(known, address=address, roles=frozenset(roles or known.roles))

    return lab.api.client(who)


@pytest.mark.parametrize("peer", [HERE, f"::ffff:{HERE}"])
async def test_who_names_no_address_is_let_in_from_where_they_are_seen(lab: Lab, peer: str) -> None:
    view = ready(lab)
    lab.workflows.does = opens(lab)
    assert (await seen_at(lab, peer).call(acts.connect, acts.Connect(reservation=view.id))).access_open
    assert lab.workflows.sent[0][1].address == HERE
    assert lab.intents()[0].asks_for(Verb.CONNECT, view.id, {"address": HERE})


@pytest.mark.parametrize(("peer", "kind"), [("2001:db8::7", Invalid), ("127.0.0.1", Refused), ("", Invalid)])
async def test_from_where_nobody_comes(lab: Lab, peer: str, kind: type[VclabError]) -> None:
    view = ready(lab)
    with pytest.raises(kind, match="--from ADDRESS"):
        await seen_at(lab, peer).call(acts.connect, acts.Connect(reservation=view.id))
    assert lab.workflows.sent == []


async def test_from_is_within_what_the_role_allows(lab: Lab) -> None:
    lab.backend.settings = lab.backend.settings.model_copy(
        update={"connect_from": {"user": ("192.0.2.0/24", "2001:db8::/32")}}
    )
    view = ready(lab)
    client = seen_at(lab, HERE, Role.USER)
    for address in ("192.0.3.1", "192.0.0.0/16", "2001:db9::/64", "203.0.113.0/24"):
        with pytest.raises(Refused, match=r"use one within 192\.0\.2\.0/24, 2001:db8::/32"):
            await client.call(acts.connect, acts.Connect(reservation=view.id, address=address))
        assert {"reservation": view.id, "address": address} in [each.arguments for each in lab.intents()]
    assert lab.workflows.sent == []
    for address in ("192.0.2.7", "192.0.2.0/25", "2001:db8:1::/48", HERE):
        lab.workflows.does = opens(lab, addresses=(address,))
        await client.call(acts.connect, acts.Connect(reservation=view.id, address=address))
    lab.workflows.does = opens(lab, addresses=("192.0.3.1",))
    operator = seen_at(lab, HERE, Role.USER, Role.OPERATOR)
    await operator.call(acts.connect, acts.Connect(reservation=view.id, address="192.0.3.1"))


async def test_without_a_setting_from_is_neither_wide_nor_many(lab: Lab) -> None:
    """Of a user. An operator may name what reaches them by whatever way."""
    view = ready(lab)
    client, operator = seen_at(lab, HERE, Role.USER), seen_at(lab, HERE, Role.USER, Role.OPERATOR)

    async def connect(client: Client, address: str, *open_to: str) -> None:
        lab.workflows.does = opens(lab, addresses=(*open_to, address))
        await client.call(acts.connect, acts.Connect(reservation=view.id, address=address))

    for address in ("10.0.0.0/8", "10.0.0.0/15", "2001:d00::/24"):
        with pytest.raises(Refused, match=f"{address} is too wide"):
            await connect(client, address)
    assert lab.workflows.sent == []
    await connect(client, "2001:db8::/32")
    many = [f"10.{number}.0.0/16" for number in range(7)]
    await connect(client, "10.7.0.0/16", *many)
    with pytest.raises(Refused, match="is open to 8 addresses and prefixes already"):
        await connect(client, "10.8.0.0/16", *many, "10.7.0.0/16")
    await connect(client, "10.1.0.0/16", *many)
    await connect(client, HERE, *many, "10.7.0.0/16")
    await connect(operator, "172.0.0.0/8", *many, "10.7.0.0/16", HERE)


async def test_a_password_is_for_its_user(lab: Lab) -> None:
    """Who has read it is recorded; what it is is not."""
    view, client = ready(lab), lab.make_client("alice")
    with pytest.raises(Refused, match="SSH key"):
        await client.call(acts.password, named(view))
    reference = f"tenure/{view.computer}/{view.generation}/login"
    lab.backend.secrets.put(reference, "s3cret")
    lab.store.run(lambda s: s.connection().exec_driver_sql(f"update reservations set password_ref='{reference}'"))
    assert (await client.call(acts.password, named(view))).password == "s3cret"
    assert [(intent.verb, intent.actor) for intent in lab.intents()] == [("acts.password", "alice")] * 2
    assert "s3cret" not in str(lab.intents())


# --- the end --------------------------------------------------------------------------------------------------------


async def test_end_twice(lab: Lab) -> None:
    view, client = ready(lab), lab.make_client("alice")

    def end(message: messages.End) -> None:
        lab.store.run(lambda s: reservations.ended(s, view.id, Ending.DELETED, "", NOW))

    lab.workflows.does = end
    first, second = [await client.call(acts.end, named(view)) for _ in range(2)]
    assert [(each.ending, each.already) for each in (first, second)] == [("deleted", False), ("deleted", True)]
    assert len(lab.workflows.sent) == 1


async def test_dismiss(lab: Lab) -> None:
    """Only what failed."""
    client = lab.make_client("alice")
    for view in (ready(lab), ended(lab)):
        with pytest.raises(Refused, match="has not failed"):
            await client.call(acts.dismiss, named(view))
    failed = ended(lab, Ending.FAILED)
    await client.call(acts.dismiss, named(failed))
    (sent,) = lab.workflows.sent
    assert sent == (failed.id, messages.Dismiss(failed.id, lab.intents()[-1].id))


async def test_resolve_is_for_operators(lab: Lab) -> None:
    view = ready(lab)
    question = acts.Resolve(reservation=view.id, how="retry")
    with pytest.raises(Forbidden, match="no grant gives the role operator"):
        await lab.make_client("alice").call(acts.resolve, question)
    with pytest.raises(Invalid, match="choose one of retry, elsewhere, give-up"):
        await lab.make_client("olga").call(acts.resolve, acts.Resolve(reservation=view.id, how="hope"))
    await lab.make_client("olga").call(acts.resolve, question)
    assert lab.workflows.sent[0][1].how == "retry"
