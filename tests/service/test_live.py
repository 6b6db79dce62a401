"""The watcher: one reader for all; nothing is lost or told twice on the way from a number to now."""

import asyncio
import time
from typing import Any

import pytest
import sqlalchemy as sa

from tests.service.conftest import Lab
from vclab.client import feed as feed_client
from vclab.model.catalog import User
from vclab.model.errors import Unreachable
from vclab.service import live
from vclab.service.live import Start, Subscription, TooSlow, Watcher
from vclab.store import catalog, feed, models
from vclab.store.feed import Change

SUBSCRIBERS = 500


def everything(change: Change) -> bool:
    return True


def add(lab: Lab, *logins: str) -> None:
    """Somebody else's doing."""
    for login in logins:
        uid = 5000 + int(login[1:])
        lab.store.run(lambda session, login=login, uid=uid: catalog.put_user(session, User(login, uid)))  # type: ignore[misc]


async def heard(mine: Subscription, count: int) -> list[str]:
    """The next things, that many."""
    found: list[str] = []
    while len(found) < count:
        found += [each.thing for each in await mine.take(5)]
    return found


async def from_number(watcher: Watcher, mine: Subscription, after: int) -> tuple[list[str], Start]:
    """What was missed."""
    found: list[str] = []
    async for each in watcher.missed(mine, after):
        if isinstance(each, Start):
            return found, each
        found += [change.thing for change in each]
    raise AssertionError("it has no end")


async def test_five_hundred_hear_of_it_within_a_second_and_one_reads(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    advance = feed.advance

    def counted(*args: Any) -> list[Change]:
        nonlocal reads
        reads += 1
        return advance(*args)

    monkeypatch.setattr(feed, "advance", counted)
    watcher, ready, latest = Watcher(lab.backend), asyncio.Barrier(SUBSCRIBERS + 1), 0.0

    async def listen() -> None:
        nonlocal latest
        async with watcher.subscribed(everything) as mine:
            await ready.wait()
            assert await heard(mine, 1) == ["u1"]
            latest = max(latest, time.monotonic())

    async with asyncio.TaskGroup() as group:
        for _ in range(SUBSCRIBERS):
            group.create_task(listen())
        await ready.wait()
        began, before = time.monotonic(), reads
        await asyncio.to_thread(add, lab, "u1")
    assert latest - began < 1
    assert reads - before <= (latest - began) / live.POLL + 2


async def test_whoever_goes_on_from_a_number_has_all_of_it_once(lab: Lab) -> None:
    watcher = Watcher(lab.backend)
    async with watcher.subscribed(everything) as mine:
        add(lab, "u1", "u2", "u3")
        assert await heard(mine, 3) == ["u1", "u2", "u3"]
        after = mine.number - 2
        add(lab, "u4")
        async with watcher.subscribed(everything) as later:
            add(lab, "u5")
            missed, start = await from_number(watcher, later, after)
            assert not start.gap
            # u4 was missed or comes: the watcher may have read it before the subscription or not
            rest = await heard(later, 4 - len(missed))
            assert missed + rest == ["u2", "u3", "u4", "u5"]


async def test_a_number_that_another_server_has_given(lab: Lab) -> None:
    """This one's watcher has not read it yet: it is not told again."""
    watcher = Watcher(lab.backend)
    async with watcher.subscribed(everything) as mine:
        add(lab, "u1")
        known = feed.advance(lab.store, mine.number)[-1].number
        missed, start = await from_number(watcher, mine, known)
        assert (missed, start) == ([], Start(known, gap=False))
        add(lab, "u2")
        assert await heard(mine, 1) == ["u2"]


async def test_a_gap_is_told(lab: Lab) -> None:
    watcher = Watcher(lab.backend)
    add(lab, "u1")
    last = feed.advance(lab.store, 0)[-1].number
    lab.store.run(lambda s: s.execute(sa.update(models.FeedState).values(pruned=last)))
    async with watcher.subscribed(everything) as mine:
        assert await from_number(watcher, mine, last - 1) == ([], Start(last, gap=True))
        assert await from_number(watcher, mine, last + 1) == ([], Start(last, gap=True))
        assert await from_number(watcher, mine, last) == ([], Start(last, gap=False))


async def test_who_is_slow_is_cut_off_and_holds_no_memory(lab: Lab) -> None:
    assert TooSlow.code in feed_client._AGAIN, "who reads again goes on"
    watcher = Watcher(lab.backend)
    async with watcher.subscribed(everything) as slow, watcher.subscribed(lambda each: each.kind == "host") as other:
        many = [Change(number, "computer", f"vm{number}", "") for number in range(10_000, 10_001 + live.WAITING)]
        for each in (slow, other):
            each.offer(many)
        assert (slow.waiting, other.waiting) == (0, 0)
        with pytest.raises(TooSlow, match="waited to be taken"):
            await slow.take(1)
        assert await other.take(0) == []


async def test_a_database_that_is_away_ends_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    advance, away = feed.advance, asyncio.Event()
    loop = asyncio.get_running_loop()

    def silent(*args: Any) -> list[Change]:
        loop.call_soon_threadsafe(away.set)
        raise Unreachable("the database is away")

    monkeypatch.setattr(live, "AWAY", 0.01)
    watcher = Watcher(lab.backend)
    async with watcher.subscribed(everything) as mine:
        monkeypatch.setattr(feed, "advance", silent)
        add(lab, "u1")
        await away.wait()
        monkeypatch.setattr(feed, "advance", advance)
        assert await heard(mine, 1) == ["u1"]


async def test_what_ends_the_watcher_is_told_and_the_next_begins_anew(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = feed.advance

    def broken(*args: Any) -> list[Change]:
        raise RuntimeError("a bug")

    watcher = Watcher(lab.backend)
    monkeypatch.setattr(feed, "advance", broken)
    async with watcher.subscribed(everything) as mine:
        with pytest.raises(RuntimeError, match="a bug"):
            await mine.take(5)
        monkeypatch.setattr(feed, "advance", advance)
        async with watcher.subscribed(everything) as second:
            add(lab, "u1")
            assert await heard(second, 1) == ["u1"]
