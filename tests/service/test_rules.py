"""Who may call what: each use case for each role, with one's own, other people's and unknown things.

The use cases are those of ``USE_CASES``: a new one is walked without a word here, and fails when it lacks its rule.
"""

import inspect
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest

from tests.service.conftest import Lab
from vclab.contract import USE_CASES
from vclab.contract.use_case import Question, Rule, UseCase
from vclab.model.catalog import User
from vclab.model.errors import NotFound, Refused
from vclab.model.ids import new_id
from vclab.model.intents import Outcome
from vclab.service.actor import Actor, Authentication, Role
from vclab.service.use_case import implementation, perform, permitted


class Whose(StrEnum):
    """Whose thing a question names."""

    OWN = "own"
    OTHERS = "other's"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Caller:
    """Somebody, and which rules let them call at all."""

    actor: Actor
    may: frozenset[Rule]


def _caller(login: str, user: bool, roles: set[Role], *may: Rule) -> Caller:
    entry = User(login, 2001) if user else None
    return Caller(Actor(login, frozenset(roles), Authentication.ACCOUNT, login, entry), frozenset({Rule.ANYBODY, *may}))


ALICE = "alice"  #: whose reservation "own" is
CALLERS = {
    "nobody": _caller("mallory", False, set()),
    "user": _caller(ALICE, True, {Role.USER}, Rule.USERS, Rule.OWNERS),
    "other user": _caller("bob", True, {Role.USER}, Rule.USERS, Rule.OWNERS),
    "operator": _caller("olga", True, {Role.USER, Role.OPERATOR}, *Rule),
    "operator without an entry": _caller("otto", False, {Role.OPERATOR}, Rule.OWNERS, Rule.OPERATORS, Rule.KEEPERS),
    "root": _caller("root", False, {Role.ADMINISTRATOR}, Rule.KEEPERS),
}
SEES_ALL = {"operator", "operator without an entry"}
OWNER_OF = {"user": Whose.OWN, "other user": Whose.OTHERS}


def allowed(use_case: UseCase[Question, object], caller: str, whose: Whose) -> bool:
    """What the rules promise."""
    if use_case.rule not in CALLERS[caller].may and use_case.rule is not Rule.OWNERS:
        return False
    if not use_case.about_reservation:
        return True
    return whose is not Whose.UNKNOWN and (caller in SEES_ALL or OWNER_OF.get(caller) is whose)


def question_of(use_case: UseCase[Question, object], reservation: str) -> Question:
    """One that names this reservation, if it names any. Nothing else of it counts before the rule is checked."""
    named: dict[str, Any] = {"reservation": reservation} if "reservation" in use_case.question.model_fields else {}
    return use_case.question.model_construct(**named)


def test_there_are_use_cases() -> None:
    assert len(USE_CASES) > 10
    assert {"acts.reserve", "acts.end", "people.me"} <= set(USE_CASES)


@pytest.mark.parametrize("name", USE_CASES)
def test_each_has_a_rule_that_can_be_checked(name: str) -> None:
    """A question under ``OWNERS`` names its reservation. Its answer can be shown to programs."""
    use_case = USE_CASES[name]
    assert isinstance(use_case.rule, Rule)
    assert use_case.rule is not Rule.OWNERS or "reservation" in use_case.question.model_fields
    assert use_case.summary.endswith(".")
    assert use_case.question.model_config.get("frozen") and use_case.question.model_config.get("extra") == "forbid"


@pytest.mark.parametrize("whose", Whose)
@pytest.mark.parametrize("caller", CALLERS)
async def test_who_may_call_what(lab: Lab, caller: str, whose: Whose) -> None:
    """The rule is checked before anything else: what it does not allow sends no message. That it was tried is in the
    audit; so is what reads as not found, where it was an act."""
    named = {Whose.OWN: lab.reserved(ALICE).id, Whose.OTHERS: lab.reserved("bob").id, Whose.UNKNOWN: new_id()}[whose]
    actor, wrong, tried = CALLERS[caller].actor, [], set[str]()
    for use_case in USE_CASES.values():
        question, may = question_of(use_case, named), allowed(use_case, caller, whose)
        if may != await _is_allowed(lab, use_case, actor, question):
            wrong.append(use_case.name)
        tried |= {use_case.name} if use_case.acts and not may else set()
    assert wrong == []
    assert lab.workflows.sent == []
    kept = lab.intents()
    assert {intent.outcome for intent in kept} <= {Outcome.REFUSED}
    assert tried <= {intent.verb for intent in kept}


async def _is_allowed(lab: Lab, use_case: UseCase[Question, object], actor: Actor, question: Question) -> bool:
    """Whether the rule lets it through. What it does not is not performed."""
    try:
        await permitted(use_case, lab.backend, actor, question)
    except (Refused, NotFound):
        with pytest.raises((Refused, NotFound)):
            await perform(use_case, lab.backend, actor, question)
        return False
    return True


@pytest.mark.parametrize("name", [name for name, each in USE_CASES.items() if each.about_reservation])
async def test_other_peoples_reservations_read_as_unknown(lab: Lab, name: str) -> None:
    """Nobody learns that there is one."""
    use_case, texts = USE_CASES[name], []
    if use_case.rule is Rule.OPERATORS:
        return
    for id in (lab.reserved("bob").id, new_id()):
        with pytest.raises(NotFound) as error:
            await perform(use_case, lab.backend, CALLERS["user"].actor, question_of(use_case, id))
        texts.append(str(error.value).replace(id, "R").partition("(did you")[0])
    assert texts[0] == texts[1]


@pytest.mark.parametrize("name", USE_CASES)
def test_each_is_done_by_the_service(name: str) -> None:
    assert inspect.iscoroutinefunction(implementation(USE_CASES[name]))
