"""Connect is pressed in several places at once: nobody's is lost, and nobody is told that theirs was refused."""

import asyncio
from typing import Any

import pytest

from tests.fakes import FakeGuest
from tests.workflows.conftest import Life
from tests.workflows.test_in_use import HOME, OFFICE, TRAIN
from vclab.model.errors import StepFailed
from vclab.model.messages import Acknowledge
from vclab.model.plans import Access, Facts, Target


class SlowGrant:
    """The first grant lasts until it is let go, and may fail then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began, self.go = asyncio.Event(), asyncio.Event()
        self.fails = False
        quick = FakeGuest.grant_access

        async def grant(guest: FakeGuest, target: Target, facts: Facts, access: Access, *fence: Any) -> Facts:
            if not self.go.is_set():
                self.began.set()
                await self.go.wait()
                if self.fails:
                    raise StepFailed("no room for the account")
            return await quick(guest, target, facts, access, *fence)

        monkeypatch.setattr(FakeGuest, "grant_access", grant)

    async def pressed(self, life: Life) -> None:
        """The first one is being let in; then two press Connect at the same moment."""
        await life.reservations.acknowledge(life.id, Acknowledge(OFFICE))
        async with asyncio.timeout(60):
            await self.began.wait()
        await asyncio.gather(*(life.reservations.acknowledge(life.id, Acknowledge(each)) for each in (HOME, TRAIN)))


def shown(life: Life) -> tuple[set[str], bool]:
    """Whom the record names, and whether it is open to all of them."""
    view = life.view()
    assert view is not None
    return set(view.remote_addresses), view.access_open


async def test_connect_while_another_one_is_let_in(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record never lacks who is let in next."""
    slow = SlowGrant(monkeypatch)
    await life.ready()
    await slow.pressed(life)
    everybody = {OFFICE, HOME, TRAIN}
    assert shown(life) == (everybody, False)
    slow.go.set()
    seen = []

    def open_to_all() -> bool:
        seen.append(shown(life))
        return seen[-1][1]

    await life.when(open_to_all)
    assert [addresses for addresses, _ in seen if addresses != everybody] == []
    assert [set(each) for each in life.world.granted] == [{OFFICE}, everybody]


async def test_connect_while_another_one_can_not_be_let_in(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """That one is told; the others are let in without pressing it again."""
    slow = SlowGrant(monkeypatch)
    slow.fails = True
    await life.ready()
    await slow.pressed(life)
    slow.go.set()
    await life.when(lambda: shown(life) == ({HOME, TRAIN}, True))
    assert [set(each) for each in life.world.granted] == [{HOME, TRAIN}]
