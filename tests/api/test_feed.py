"""Server-sent events over real connections: who hears what, how one goes on, and what ends a stream."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import uvicorn
from fastapi import Request
from sqlalchemy.orm import Session

from tests.api.running import Site
from tests.believing import believed
from tests.service.conftest import Lab, lab, seeded
from tests.store.lab import NOW
from vclab.api import feed as api_feed
from vclab.api.app import make_app
from vclab.api.server import Server
from vclab.cli import list as listing
from vclab.cli import progress
from vclab.cli.progress import Lines
from vclab.client.contexts import Chosen, Context
from vclab.client.feed import Told, events
from vclab.client.http import Http
from vclab.contract.looks import Look
from vclab.contract.reservations import Which
from vclab.model.access import Grant, Group, GroupKind, Member, ResourceKind, Role, ToKind
from vclab.model.catalog import User
from vclab.model.errors import NotFound, Refused, VclabError
from vclab.model.states import Ending
from vclab.service import live_looks
from vclab.service.actor import Actor
from vclab.service.authentication import Account
from vclab.service.backend import Backend
from vclab.service.looks import look_at
from vclab.store import access, catalog, feed, models, reservations

__all__ = ["lab", "seeded"]


class Signs(VclabError):
    """Nobody knows who asks."""

    code = "unauthenticated"


@dataclass
class People:
    """Who asks is who they say they are, while they are not out."""

    out: set[str]

    async def actor_of(self, backend: Backend, request: Request) -> Actor:
        login = request.headers.get("authorization", "").removeprefix("Bearer ")
        if login in self.out:
            raise Signs("this token is not known")
        return await believed(backend, Account("root"), login)


@asynccontextmanager
async def serving(lab: Lab, people: People) -> AsyncIterator[str]:
    """One API server of the installation; several may be at work."""
    app = make_app(lab.backend, people.actor_of)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", log_config=None)  # it waits for ever
    server = Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running


@asynccontextmanager
async def listening(url: str, login: str, **more: Any) -> AsyncIterator[AsyncGenerator[Told, None]]:
    """What a person is told."""
    async with (
        httpx.AsyncClient(headers={"Authorization": f"Bearer {login}"}) as client,
        aclosing(events(Site(client, url), **more)) as told,
    ):
        yield told


async def things(told: AsyncIterator[Told], count: int) -> list[tuple[str, str]]:
    """The next things that have changed."""
    found: list[tuple[str, str]] = []
    while len(found) < count:
        one = await anext(told)
        found += [(one.data["kind"], one.data["thing"])] if one.name == "change" else []
    return found


def add(lab: Lab, login: str, uid: int) -> None:
    lab.store.run(lambda session: catalog.put_user(session, User(login, uid)))


def entitle_big(lab: Lab) -> None:
    lab.store.run(lambda s: s.execute(sa.update(models.Image).values(title="Big").where(models.Image.name == "big")))


@pytest.fixture
def people() -> People:
    return People(set())


@pytest.fixture
async def url(lab: Lab, people: People) -> AsyncIterator[str]:
    async with serving(lab, people) as at:
        yield at


async def test_one_hears_of_ones_own_and_an_operator_of_everybodys(lab: Lab, url: str) -> None:
    async with listening(url, "alice") as alice, listening(url, "olga") as olga:
        for each in (alice, olga):
            assert (await anext(each)).name == "start"
        bobs = lab.reserved("bob").id
        mine = lab.reserved("alice").id
        add(lab, "erin", 3005)
        lab.store.run(
            lambda s: s.execute(sa.update(models.Image).values(title="Big").where(models.Image.name == "big"))
        )
        heard = await until(alice, ("image", "big"))
        assert {each for each in heard if each[0] == "reservation"} == {("reservation", mine)}
        assert ("user", "erin") not in heard
        everything = await until(olga, ("image", "big"))
        assert {("reservation", bobs), ("reservation", mine), ("user", "erin")} <= set(everything)


@pytest.mark.parametrize("sort", [GroupKind.PEOPLE, GroupKind.IMAGES, GroupKind.COMPUTERS])
async def test_one_hears_of_the_reservations_that_one_may_see(lab: Lab, url: str, sort: GroupKind) -> None:
    """By a role over their user, their image or their computer's endpoint; and of no image that is not shown."""
    first, second = lab.reserved("alice"), lab.reserved("carol")
    member = {
        GroupKind.PEOPLE: Member(ResourceKind.USER, "alice"),
        GroupKind.IMAGES: Member(ResourceKind.IMAGE, "debian-12"),
        GroupKind.COMPUTERS: Member(ResourceKind.ENDPOINT, first.endpoint),
    }[sort]

    def grant(session: Session) -> None:
        for name, kind, has in (("mine", sort, member), ("other", GroupKind.IMAGES, Member(ResourceKind.IMAGE, "big"))):
            access.put_group(session, Group(name, kind), "root", NOW)
            access.join(session, name, [has])
        access.grant(session, Grant(Role.HELP_DESK, ToKind.PERSON, "bob", "mine"), "root", NOW)

    lab.store.run(grant)
    seen = {first.id, second.id} if sort is GroupKind.COMPUTERS else {first.id}
    async with listening(url, "bob") as bob:
        assert (await anext(bob)).name == "start"
        for view, now in ((first, "debian-12"), (second, "big")):
            row = models.Reservation
            changed = sa.update(row).where(row.id == view.id).values(image=now, reason="x")
            lab.store.run(lambda s, changed=changed: s.execute(changed) and None)  # type: ignore[misc]
        entitle_big(lab)
        lab.store.run(lambda session: catalog.put_user(session, User("bob", 2002, zone="Asia/Tokyo")))
        heard = await until(bob, ("user", "bob"))
    assert {thing for kind, thing in heard if kind == "reservation"} == seen
    assert ("image", "big") not in heard


async def until(told: AsyncIterator[Told], last: tuple[str, str]) -> list[tuple[str, str]]:
    """All that has changed up to that."""
    found = await things(told, 1)
    while found[-1] != last:
        found += await things(told, 1)
    return found


async def test_through_the_command_lines_own_client(lab: Lab, url: str) -> None:
    http = Http(Chosen("lab", Context(url=url), "alice"))
    async with aclosing(events(http, kinds=["image"])) as told:
        assert (await anext(told)).name == "start"
        lab.store.run(
            lambda s: s.execute(sa.update(models.Image).values(title="Big").where(models.Image.name == "big"))
        )
        assert await things(told, 1) == [("image", "big")]
    await http.close()


async def test_it_can_be_about_some_kinds_only(lab: Lab, url: str) -> None:
    async with listening(url, "olga", kinds=["user", "endpoint"]) as told:
        await anext(told)
        lab.reserved("bob")
        add(lab, "erin", 3005)
        assert await things(told, 1) == [("user", "erin")]


async def test_one_goes_on_at_another_server_without_a_gap(lab: Lab, url: str, people: People) -> None:
    async with serving(lab, people) as other, listening(url, "olga", kinds=["user"]) as told:
        await anext(told)
        for number in range(5):
            add(lab, f"u{number}", 5000 + number)
        first = [one.data["thing"] for one in [await anext(told), await anext(told)]]
        last = (await anext(told)).number
        async with listening(other, "olga", kinds=["user"], after=last) as more:
            rest = [await anext(more), await anext(more)]
            assert first + ["u2"] + [one.data["thing"] for one in rest] == [f"u{n}" for n in range(5)]
            assert (await anext(more)).name == "start"
            add(lab, "u5", 5005)
            assert await things(more, 1) == [("user", "u5")]


async def test_a_server_that_ends_is_followed_by_the_next(lab: Lab, people: People) -> None:
    """As with two of them behind one address: the iterator connects again, and nothing is lost."""
    async with serving(lab, people) as second, httpx.AsyncClient(headers={"Authorization": "Bearer olga"}) as client:
        site = Site(client, "")
        async with aclosing(events(site, kinds=["user"])) as told:
            async with serving(lab, people) as site.url:
                assert (await anext(told)).name == "start"
                add(lab, "u1", 5001)
                assert await things(told, 1) == [("user", "u1")]
            site.url = second
            add(lab, "u2", 5002)
            assert (await anext(told)).name == "lost"
            assert await things(told, 1) == [("user", "u2")]


async def test_a_number_that_is_too_old_or_of_another_database_is_told(lab: Lab, url: str) -> None:
    last = await asyncio.to_thread(feed.end, lab.store)
    lab.store.run(lambda s: s.execute(sa.update(models.FeedState).values(pruned=last)))
    for number, name in ((last - 1, "reset"), (last + 1, "reset"), (last, "start")):
        async with listening(url, "alice", after=number) as told:
            one = await anext(told)
            assert (one.name, one.number) == (name, last)


@pytest.mark.parametrize("number", ["x", "-1", "1" * 19, "٣"])
async def test_what_is_no_number_is_refused(lab: Lab, people: People, number: str) -> None:
    with pytest.raises(VclabError, match="no id of an event"):
        api_feed._cursor(number)


async def test_who_is_signed_out_hears_no_more(lab: Lab, url: str, people: People) -> None:
    """At once, when their entry or a token of theirs changes."""
    async with listening(url, "bob") as told:
        await anext(told)
        people.out.add("bob")
        lab.store.run(lambda s: s.execute(sa.update(models.User).values(zone="UTC").where(models.User.login == "bob")))
        with pytest.raises(Refused, match="this token is not known"):
            await anext(told)


async def test_who_is_gone_otherwise_is_noticed_soon(
    lab: Lab, url: str, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_feed, "HEARTBEAT", 0.1)
    async with listening(url, "bob") as told:
        await anext(told)
        people.out.add("bob")
        with pytest.raises(Refused, match="this token is not known"):
            await anext(told)


async def test_who_may_not_see_what_they_watch_any_more_is_told_no_more_of_it(
    lab: Lab, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_feed, "HEARTBEAT", 0.1)
    helps = Grant(Role.HELP_DESK, ToKind.PERSON, "bob")
    given, alices = lab.store.run(lambda s: access.grant(s, helps, "olga", NOW)), lab.reserved("alice").id
    async with listening(url, "bob", reservations=[alices]) as told:
        assert (await until_look(told))["id"] == alices
        lab.store.run(lambda s: access.revoke(s, given.grant.id))
        with pytest.raises(NotFound, match=f"there is no reservation .*{alices}"):
            async with asyncio.timeout(20):
                await until_look(told)


async def test_a_watched_reservation_is_looked_at_once_for_all(
    lab: Lab, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[float] = []

    async def counted(backend: Backend, reservation: str) -> Look:
        looked.append(time.monotonic())
        return await look_at(backend, reservation)

    monkeypatch.setattr(live_looks, "look_at", counted)
    mine = lab.reserved("alice").id
    async with (
        listening(url, "alice", reservations=[mine]) as alice,
        listening(url, "olga", reservations=[mine]) as olga,
    ):
        for told in (alice, olga):
            assert (await until_look(told))["id"] == mine
        why = sa.update(models.Reservation).values(reason="as a test wants it").where(models.Reservation.id == mine)
        lab.store.run(lambda s: s.execute(why))
        for told in (alice, olga):
            assert (await until_look(told))["reason"] == "as a test wants it"
    pauses = [later - earlier for earlier, later in pairwise(looked)]
    assert pauses
    assert min(pauses) >= live_looks.APART


async def until_look(told: AsyncIterator[Told]) -> Mapping[str, Any]:
    while (one := await anext(told)).name != "look":
        pass
    return one.data


async def test_other_peoples_reservations_are_not_there(lab: Lab, url: str) -> None:
    streams = api_feed.Streams(lab.backend, People(set()).actor_of)
    bob = await believed(lab.backend, Account("root"), "bob")
    with pytest.raises(NotFound, match="there is no reservation"):
        await streams.watched(bob, [lab.reserved("alice").id])


@pytest.fixture
async def http(url: str) -> AsyncIterator[Http]:
    """Alice's command line."""
    made = Http(Chosen("lab", Context(url=url), "alice"))
    yield made
    await made.close()


class Screen(Lines):
    """Keeps what is shown."""

    def __init__(self) -> None:
        super().__init__(lambda line: None)
        self.shown: asyncio.Queue[Look] = asyncio.Queue()

    def show(self, seen: Sequence[Look]) -> None:
        for each in seen:
            self.shown.put_nowait(each)


async def test_the_command_line_follows_a_reservation_by_what_it_is_told(
    lab: Lab, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        raise AssertionError("it asks")

    monkeypatch.setattr(http, "call", never)
    mine, screen = lab.reserved("alice").id, Screen()
    following = asyncio.create_task(progress.follow(http, [mine], lambda seen: seen.ended, screen))
    assert (await screen.shown.get()).id == mine
    now = datetime.now(UTC)
    lab.store.run(lambda s: reservations.ended(s, mine, Ending.DELETED, "enough", now))
    lab.store.run(lambda s: reservations.finished(s, mine, now))
    (last,) = await asyncio.wait_for(following, 10)
    assert (last.ending, last.reason) == (Ending.DELETED, "enough")


async def test_a_list_that_is_watched_is_read_again_when_it_has_changed(
    lab: Lab, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "POLL", 1000.0)
    monkeypatch.setattr(listing, "STILL", 1000.0)
    shown: asyncio.Queue[int] = asyncio.Queue()
    watching = asyncio.create_task(listing._each(http, Which(), (), lambda found: shown.put_nowait(len(found))))
    assert [await shown.get(), await shown.get()] == [0, 0]
    lab.reserved("alice")
    assert await asyncio.wait_for(shown.get(), 60) == 1
    watching.cancel()
    await asyncio.wait({watching})


async def test_listeners_are_not_all_asked_for_at_one_moment() -> None:
    """Who they are is looked up again and again; news for all would wait until that is done for each."""
    dues = sorted(api_feed._next_check() for _ in range(500))
    now, half = asyncio.get_running_loop().time(), api_feed.HEARTBEAT / 2
    assert now + half - 1 < dues[0] and dues[-1] < now + 2 * half
    for start in range(8):  # of as many parts of that time
        assert any(start < 8 * (due - now - half) / half < start + 1 for due in dues)
