"""Who may call what: each use case for each role, granted over groups and over everything, with one's own things, with
what is in the group, with other people's and with unknown ones.

The use cases are those of the contract: a new one is walked without a word here, and is on the page that is compared.
"""

from collections.abc import Iterator

import pytest

from tests.access import (
    CALLERS,
    COMMAND,
    NOBODY,
    PAGE,
    USER,
    Caller,
    School,
    Whose,
    everything,
    page,
    promised,
    question_of,
    school,
    sorts,
    walk,
)
from vclab.contract import USE_CASES
from vclab.model.access import OWN, ResourceKind
from vclab.model.errors import Forbidden, NotFound
from vclab.model.ids import new_id
from vclab.model.intents import Outcome
from vclab.service.use_case import implementation, perform
from vclab.store import intents

OWN_AFFAIRS = ("tokens.create", "tokens.revoke", "tokens.sign_out", "tokens.decide")
"""Acts of everybody's own tokens. Whether somebody else's are meant, they decide themselves."""


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """The school of the walk."""
    made = school(tmp_path_factory.mktemp("school"))
    yield made
    made.backend.store.close()


def test_there_are_use_cases() -> None:
    assert len(USE_CASES) > 10
    assert {"acts.reserve", "acts.end", "people.me"} <= set(USE_CASES)


@pytest.mark.parametrize("name", USE_CASES)
def test_each_is_done_and_what_changes_anything_needs_a_permission(name: str) -> None:
    use_case = USE_CASES[name]
    assert implementation(use_case).__module__.startswith("vclab.service.")
    assert use_case.rule.permission is not None or not use_case.acts or name in OWN_AFFAIRS
    assert use_case.question.model_config.get("frozen") and use_case.question.model_config.get("extra") == "forbid"
    if "reservation" in use_case.question.model_fields and name not in ("acts.reserve", "reservations.why"):
        assert use_case.rule.over is ResourceKind.RESERVATION


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.login)
async def test_who_may_call_what(there: School, caller: Caller) -> None:
    """As the table of roles promises."""
    wrong = {
        name: (found, wanted)
        for name, use_case in USE_CASES.items()
        if (found := await walk(there, use_case, caller)) != (wanted := promised(use_case, caller))
    }
    assert wrong == {}


@pytest.mark.parametrize("caller", (NOBODY, USER), ids=lambda caller: caller.login)
async def test_what_is_not_allowed_leaves_nothing_behind(there: School, caller: Caller) -> None:
    """The rule is checked before anything else: nothing is asked of Temporal. That an act was tried is in the audit."""
    tried = set()
    for use_case in USE_CASES.values():
        for whose in sorts(use_case):
            name = there.named(use_case, caller, whose)
            if name is not None and whose not in promised(use_case, caller):
                with pytest.raises((Forbidden, NotFound)):
                    await perform(use_case, there.backend, caller.actor(), question_of(use_case, name))
                tried |= {use_case.name} if use_case.acts else set()
    with there.backend.store.read() as session:
        kept = [each for each in intents.newest(session, 10_000) if each.actor == caller.login]
    assert {each.outcome for each in kept} == {Outcome.REFUSED}
    assert {each.verb for each in kept} >= tried
    assert there.backend._temporal is None


@pytest.mark.parametrize("name", [name for name, each in USE_CASES.items() if each.about_reservation])
async def test_other_peoples_reservations_read_as_unknown(there: School, name: str) -> None:
    """Nobody learns that there is one."""
    use_case, texts = USE_CASES[name], []
    for id in (there.reservations["bob"], new_id()):
        with pytest.raises(NotFound) as error:
            await perform(use_case, there.backend, USER.actor(), question_of(use_case, id))
        texts.append(error.value.message.replace(id, "R").partition(" (did you")[0])
    assert texts[0] == texts[1]


async def test_no_role_over_groups_reaches_beyond_them(there: School) -> None:
    """But what is everybody's."""
    for caller in CALLERS:
        if caller.over is Whose.GRANTED:
            for use_case in USE_CASES.values():
                if use_case.rule.permission is not None:
                    assert Whose.OTHERS not in await walk(there, use_case, caller), (caller, use_case.name)


def test_own_is_what_people_may_with_their_own() -> None:
    of_own = {
        each.rule.permission
        for each in USE_CASES.values()
        if each.about_reservation and Whose.OWN in promised(each, USER)
    }
    assert of_own == OWN


async def test_the_page_is_what_was_found(there: School) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(await everything(there)), f"run {COMMAND}"
