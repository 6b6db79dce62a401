"""Records of what people ask for: they read in the intent who acts, and refuse a message that asks for more."""

import dataclasses
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.failed_steps import FailedStepRecords, ResolveInput
from activities.inventories import StoreInventories
from activities.loads import LoadBegins, LoadRecords
from activities.records import (
    AcknowledgeInput,
    DismissInput,
    EndedInput,
    EndInput,
    ExtendInput,
    PlaceInput,
    RebootInput,
    RecordActivities,
    RescheduleInput,
)
from tests.people import intent
from tests.store.lab import HOUR, NOW, inventory, seed
from vclab.model.ids import new_id
from vclab.model.intents import Intent, Verb
from vclab.model.messages import Acknowledge, Dismiss, Extend, Reboot, Reload, Reschedule, Resolve
from vclab.model.plans import Facts
from vclab.model.reservations import AuditEvent, Placed, ReserveRequest
from vclab.model.states import Ending
from vclab.settings import Settings
from vclab.store import audit, intents, inventories, needs_help, reservations
from vclab.store.engine import Store, open_store

HERE = "203.0.113.101"
REQUEST = ReserveRequest("", "alice", "debian-12", 3600.0)


class Lab:
    """The record activities on a store of their own."""

    def __init__(self, store: Store) -> None:
        settings = Settings(database="sqlite://")
        self.store = store
        self.answers = StoreInventories(store).keep((inventory(),), store.run(inventories.epochs))
        self.records = RecordActivities(store, lambda: settings)
        self.failed_steps = FailedStepRecords(store, lambda: settings)
        self.loads = LoadRecords(store, lambda: settings)

    def asked(self, verb: Verb, subject: str, actor: str = "alice", operator: bool = False, **said: Any) -> str:
        """The id of an intent that is recorded. All are for alice."""
        return self.written(intent(verb, subject, actor, operator, "", "alice", **said))

    def written(self, asked: Intent) -> str:
        """It is recorded."""
        self.store.run(lambda session: intents.write(session, asked))
        return asked.id

    def place(self, request: ReserveRequest) -> Placed | str:
        """Where it is, or why it is nowhere."""
        outcome = self.records.place(PlaceInput(request, self.answers, NOW))
        return outcome.placed or (outcome.refusal.text() if outcome.refusal else "")

    def placed(self, start: datetime | None = None) -> Placed:
        """A reservation of alice's."""
        id = new_id()
        asked = self.asked(Verb.RESERVE, id, image="debian-12", seconds=3600.0, start=start)
        outcome = self.place(dataclasses.replace(REQUEST, id=id, intent=asked, start=start))
        assert isinstance(outcome, Placed), outcome
        return outcome

    def in_use(self) -> Placed:
        """It is ready."""
        placed = self.placed()
        self.store.run(lambda s: reservations.ready(s, placed.reservation, Facts("10.77.0.5", "203.0.113.5"), NOW))
        return placed

    def events(self, reservation: str) -> list[AuditEvent]:
        """Its audit."""
        with self.store.read() as session:
            return audit.events(session, reservation)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Two hosts, an image, alice."""
    store = open_store(f"sqlite:///{tmp_path}/vclab.db")
    store.migrate()
    store.run(seed)
    yield Lab(store)
    store.close()


def refused(act: Callable[[], object]) -> str:
    """Why it was refused, for good."""
    with pytest.raises(ApplicationError) as error:
        act()
    assert (error.value.type, error.value.non_retryable) == ("Refused", True)
    return str(error.value)


@pytest.mark.parametrize(
    "forged",
    [
        {"user": "bob"},
        {"image": "big"},
        {"seconds": 7200.0},
        {"start": NOW + 24 * HOUR},
        {"dedicated": True},
        {"intent": "made up"},
        {"intent": ""},
        {"id": new_id()},
    ],
)
def test_a_request_for_something_else_than_its_intent_is_refused(lab: Lab, forged: dict[str, Any]) -> None:
    id = new_id()
    asked = lab.asked(Verb.RESERVE, id, image="debian-12", seconds=3600.0)
    request = dataclasses.replace(REQUEST, id=id, intent=asked)
    why_not = lab.place(dataclasses.replace(request, **forged))
    assert isinstance(why_not, str) and "intent" in why_not
    assert isinstance(lab.place(request), Placed)


def test_limits_bind_unless_the_intent_is_an_operators(lab: Lab) -> None:
    """The message can't say so."""
    for operator in (False, True):
        id, seconds = new_id(), 9 * 3600.0
        asked = lab.asked(Verb.RESERVE, id, "olga", operator, image="debian-12", seconds=seconds)
        outcome = lab.place(dataclasses.replace(REQUEST, id=id, intent=asked, seconds=seconds))
        assert isinstance(outcome, Placed) is operator
        assert [event.who for event in lab.events(id)] == ["olga"]


def test_an_extension_is_no_longer_than_its_intent_and_of_its_reservation(lab: Lab) -> None:
    first = lab.in_use()
    end, id = first.end + HOUR / 2, first.reservation
    by = lab.asked(Verb.EXTEND, id, by=1800.0)
    to = lab.asked(Verb.EXTEND, id, to=end)

    def extend(asked: str, end: datetime, of: str = id) -> object:
        return lab.records.extend(ExtendInput(of, Extend(end, asked), NOW)).end

    for asked in (by, to):
        assert "earlier end" in refused(lambda asked=asked: extend(asked, end + HOUR / 2))  # type: ignore[misc]
    assert "something else" in refused(lambda: extend(by, end, new_id()))
    assert "no recorded intent" in refused(lambda: extend("made up", end))
    assert "no recorded intent" in refused(lambda: extend("", end))
    assert "something else" in refused(lambda: extend(lab.asked(Verb.CONNECT, id), end))
    assert extend(by, end) == end
    assert extend(by, end) == end, "a repeat"
    assert extend(to, end) == end
    assert [event.what for event in lab.events(id)].count("extended") == 1


def test_each_act_is_just_what_its_intent_asks_for(lab: Lab) -> None:
    """Its verb, its subject and its arguments."""
    id, records = lab.in_use().reservation, lab.records
    connect = lab.asked(Verb.CONNECT, id, address=HERE)
    reboot = lab.asked(Verb.REBOOT, id)
    resolve = lab.asked(Verb.RESOLVE, id, "olga", True, how="retry")
    end = lab.asked(Verb.END, id)
    forged: tuple[Callable[[], object], ...] = (
        lambda: records.acknowledged(AcknowledgeInput(id, Acknowledge("0.0.0.0/0", connect), ("0.0.0.0/0",), NOW)),
        lambda: records.reboot_asked(RebootInput(id, Reboot(True, reboot), NOW)),
        lambda: records.reboot_asked(RebootInput(id, Reboot(False, end), NOW)),
        lambda: records.end(EndInput(id, Ending.FAILED, NOW, resolve, Verb.RESOLVE)),
        lambda: records.end(EndInput(id, Ending.RELEASED, NOW, connect)),
        lambda: records.end(EndInput(new_id(), Ending.RELEASED, NOW, end)),
        lambda: records.dismissed(DismissInput(Dismiss(id, end), NOW)),
        lambda: records.reschedule(RescheduleInput(id, Reschedule(NOW + HOUR, end), (), NOW)),
        lambda: lab.failed_steps.resolved(ResolveInput(id, Resolve("elsewhere", resolve), NOW)),
    )
    for act in forged:
        assert "something else" in refused(act)
    assert [event.what for event in lab.events(id)] == ["reserved", "ready"]


def test_another_start_is_the_one_that_was_asked_for(lab: Lab) -> None:
    placed, start = lab.placed(NOW + 24 * HOUR), NOW + 30 * HOUR
    asked = lab.asked(Verb.RESCHEDULE, placed.reservation, start=start)

    def reschedule(start: datetime) -> object:
        given = RescheduleInput(placed.reservation, Reschedule(start, asked), lab.answers, NOW)
        outcome = lab.records.reschedule(given).placed
        return outcome and outcome.start

    assert "something else" in refused(lambda: reschedule(start + HOUR))
    assert reschedule(start) == start


def test_an_operators_load_needs_an_intent(lab: Lab) -> None:
    """Without one it is vclab's own, which loads only what needs it."""
    begun = lab.loads.load_begins(LoadBegins(Reload("vm01", "debian-12", "made up"), NOW))
    assert (begun.target, "no recorded intent" in begun.refusal) == (None, True)
    asked = lab.asked(Verb.RELOAD, "vm01", "olga", True, image="debian-12")
    assert "something else" in lab.loads.load_begins(LoadBegins(Reload("vm01", "big", asked), NOW)).refusal
    assert "each reservation" in lab.loads.load_begins(LoadBegins(Reload("vm01", "debian-12", asked), NOW)).refusal


def test_the_audit_tells_who_acted_for_whom_and_how_that_is_known(lab: Lab) -> None:
    """An operator's acts are the operator's; those of a signal are nobody's that is known."""
    placed = lab.in_use()
    id, records = placed.reservation, lab.records
    connect = lab.asked(Verb.CONNECT, id, "olga", True, address=HERE)
    records.acknowledged(AcknowledgeInput(id, Acknowledge(HERE, connect), (HERE,), NOW))
    reboot = lab.asked(Verb.REBOOT, id, hard=True)
    for _ in range(2):
        records.reboot_asked(RebootInput(id, Reboot(True, reboot), NOW))
    records.extend(ExtendInput(id, Extend(placed.end + timedelta(minutes=5)), NOW, signal=3))
    end = lab.asked(Verb.END, id, "olga", True)
    outcome = records.end(EndInput(id, Ending.RELEASED, NOW, end))
    assert (outcome.ending, outcome.reason) == (Ending.RELEASED, "ended by olga")
    told = [(e.what, e.who, e.for_user, e.authentication, e.intent) for e in lab.events(id)][2:]
    assert told == [
        ("acknowledged", "olga", "alice", "account", connect),
        ("reboot asked", "alice", "alice", "account", reboot),
        ("extended", "temporal", "", "signal", ""),
        ("ended: released", "olga", "alice", "account", end),
    ]


def test_a_signal_that_ends_it_is_nobodys_that_is_known(lab: Lab) -> None:
    id = lab.in_use().reservation
    lab.records.ended(EndedInput(id, Ending.DELETED, NOW, "cancelled by an operator", by_signal=True))
    newest = lab.events(id)[-1]
    assert (newest.what, newest.who, newest.authentication) == ("ended: deleted", "temporal", "signal")


def test_an_operator_gives_up(lab: Lab) -> None:
    """The reason names the operator; the first ending stays."""
    placed = lab.placed()
    id = placed.reservation
    lab.store.run(lambda s: needs_help.begin(s, placed.target, 600.0, "esx1 refuses", NOW))
    asked = lab.asked(Verb.RESOLVE, id, "olga", True, how="give-up")
    for ending in (Ending.FAILED, Ending.DELETED):
        outcome = lab.records.end(EndInput(id, ending, NOW, asked, Verb.RESOLVE, "esx1 refuses"))
        assert (outcome.ending, outcome.reason) == (Ending.FAILED, "given up by olga: esx1 refuses")
