"""Forgetting a person, as it is asked for: what lies where the API runs goes before the records do."""

from typing import Any

import pytest

from tests.service.conftest import NOW, Lab
from vclab.contract import users
from vclab.contract.retiring import Named
from vclab.model.errors import Refused, Unreachable
from vclab.secrets.references import SecretMissing
from vclab.store import forgetting, people

REFERENCE = "provider/uni/0815"


@pytest.fixture
def linked(lab: Lab) -> Lab:
    """bob is known at a provider, which can be asked about him."""
    lab.backend.secrets.put(REFERENCE, "a refresh token")
    lab.store.run(lambda s: people.link(s, "uni", "8c1f-bob", "bob", NOW))
    lab.store.run(lambda s: people.keep_refresh(s, "uni", "8c1f-bob", REFERENCE))
    return lab


async def test_what_their_provider_is_asked_by_goes_first(linked: Lab) -> None:
    there: list[str] = []

    def look(message: Any) -> None:
        there.extend(linked.backend.secrets.files.all())

    linked.workflows.does = look
    await linked.make_client().call(users.forget, Named(name="bob"))
    assert [to for to, _ in linked.workflows.sent] == ["forget"] and there == []
    with pytest.raises(SecretMissing):
        linked.backend.secrets.get(REFERENCE)


async def test_an_operator_of_the_settings_is_not_forgotten(lab: Lab) -> None:
    """Whoever came next by that name would be an operator."""
    with pytest.raises(Refused, match="the setting `operators` names olga") as caught:
        await lab.make_client().call(users.forget, Named(name="olga"))
    assert "take the name out of it" in caught.value.hint and lab.workflows.sent == []


async def test_nobody_is_added_by_a_login_that_was_forgotten(lab: Lab) -> None:
    lab.store.run(lambda s: forgetting.forget(s, "bob", "gone-1", "", NOW))
    with pytest.raises(Refused, match="bob was somebody's who was forgotten"):
        await lab.make_client().call(users.add, users.Add(name="bob"))
    assert (await lab.make_client().call(users.add, users.Add(name="bob-2"))).login == "bob-2"


async def test_whose_file_can_not_be_removed_is_not_forgotten(linked: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object, prefix: str) -> None:
        raise Unreachable("the secrets can't be written now")

    monkeypatch.setattr("vclab.secrets.store.SecretStore.forget", full)
    with pytest.raises(Unreachable):
        await linked.make_client().call(users.forget, Named(name="bob"))
    assert linked.workflows.sent == []
