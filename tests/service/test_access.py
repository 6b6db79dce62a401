"""Groups and grants as people use them, and what they can then do: acts of other people, lists, passwords, images."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy.orm import Session

from tests.service.conftest import Lab
from tests.service.test_acts import ready
from vclab.contract import (
    access,
    acts,
    computers,
    endpoints,
    events,
    grants,
    groups,
    health,
    hosts,
    images,
    library,
    reservations,
    systems,
    users,
)
from vclab.contract.access import Explain, Explained
from vclab.contract.acts import Connect, Extend
from vclab.contract.events import SOMEBODY
from vclab.contract.grants import Numbered
from vclab.contract.groups import Leave, Members
from vclab.contract.reservations import Named as OfReservation
from vclab.contract.reservations import Which
from vclab.contract.retiring import Disable, Named
from vclab.contract.use_case import Nothing, Paged, UseCase
from vclab.model.access import GroupKind, Permission, Role
from vclab.model.catalog import Endpoint, User
from vclab.model.errors import Forbidden, Invalid, NotFound, Refused
from vclab.model.ids import new_id
from vclab.model.intents import Intent
from vclab.model.people import Claims
from vclab.model.power import PowerAddress
from vclab.service.actor import Actor, Authentication
from vclab.service.use_case import perform
from vclab.settings_sign_in import ProviderSettings
from vclab.store import audit, catalog, intents, people, power

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGnzvMz2FcTmzdDyG9c0mTi4bqYHm8bPvcS9zh6Q0ZfG bob"
PEOPLE, IMAGES = GroupKind.PEOPLE, GroupKind.IMAGES
Asked = tuple[UseCase[Any, Any], Any]


async def group(lab: Lab, name: str, kind: GroupKind, **members: tuple[str, ...]) -> None:
    """A group with members, by olga."""
    await lab.make_client("olga").call(groups.add, groups.Add(name=name, kind=kind))
    if members:
        await lab.make_client("olga").call(groups.join, Members(name=name, **members))


async def give(lab: Lab, role: Role, person: str, on: str = "") -> int:
    """A grant, by olga; its number."""
    asked = grants.Add(role=role, person=person, on=on, everything=not on)
    return (await lab.make_client("olga").call(grants.add, asked)).id


async def explained(lab: Lab, user: str, action: str, thing: str, asks: str = "olga") -> Explained:
    """Why, or why not."""
    return await lab.make_client(asks).call(access.explain, Explain(user=user, action=action, thing=thing))


# --- what roles let people do ---------------------------------------------------------------------------------------


async def test_the_help_desk_sees_extends_reboots_and_ends_but_never_connects(lab: Lab) -> None:
    view = ready(lab)
    await give(lab, Role.HELP_DESK, "bob")
    bob = lab.make_client("bob")
    assert (await bob.call(reservations.show, OfReservation(reservation=view.id))).user == "alice"
    await bob.call(acts.extend, Extend(reservation=view.id, by=600))
    await bob.call(acts.reboot, acts.Reboot(reservation=view.id))
    sent = len(lab.workflows.sent)
    refused: tuple[Asked, ...] = (
        (acts.connect, Connect(reservation=view.id, address="203.0.113.7")),
        (acts.password, OfReservation(reservation=view.id)),
        (acts.capture, acts.Capture(reservation=view.id, capture="c" * 11)),
        (acts.resolve, acts.Resolve(reservation=view.id, how="retry")),
    )
    for use_case, question in refused:
        with pytest.raises(Forbidden, match="bob may not"):
            await bob.call(use_case, question)
    assert len(lab.workflows.sent) == sent == 2
    await bob.call(acts.end, OfReservation(reservation=view.id))
    assert len(lab.workflows.sent) == 3


async def test_what_the_help_desk_is_shown_has_no_password_and_no_evidence(lab: Lab) -> None:
    view = ready(lab)
    await give(lab, Role.HELP_DESK, "bob")
    shown = await lab.make_client("bob").call(reservations.show, OfReservation(reservation=view.id))
    assert (shown.load, shown.failures) == (None, None)
    assert "password" not in str(reservations.show.document(shown))


async def test_a_teacher_sees_and_ends_the_reservations_of_their_class_only(lab: Lab) -> None:
    alices, carols = lab.reserved("alice").id, lab.reserved("carol").id
    await group(lab, "class-5b", PEOPLE, people=("alice",))
    await give(lab, Role.TEACHER, "bob", "class-5b")
    bob = lab.make_client("bob")
    assert {each.id for each in await bob.call(reservations.listing, Which(everyone=True))} == {alices}
    assert (await bob.call(reservations.why, OfReservation(reservation=alices))).id == alices
    await bob.call(acts.end, OfReservation(reservation=alices))
    hidden: tuple[UseCase[Any, Any], ...] = (acts.end, reservations.show, reservations.look, reservations.why)
    for use_case in hidden:
        with pytest.raises(NotFound):
            await bob.call(use_case, OfReservation(reservation=carols))
    beginning = next(carols[:end] for end in range(4, 12) if not alices.startswith(carols[:end]))
    with pytest.raises(NotFound):
        await bob.call(acts.end, OfReservation(reservation=beginning))


async def test_a_grant_that_is_taken_back_is_had_by_nobody_from_then_on(lab: Lab) -> None:
    """Also by a client that has known its caller before."""
    alices = lab.reserved("alice").id
    number, bob = await give(lab, Role.HELP_DESK, "bob"), lab.make_client("bob")
    await bob.call(reservations.show, OfReservation(reservation=alices))
    await lab.make_client("olga").call(grants.remove, Numbered(id=number))
    with pytest.raises(NotFound):
        await bob.call(acts.end, OfReservation(reservation=alices))
    assert lab.workflows.sent == []


async def test_what_somebody_was_to_a_reservation_is_in_their_intent(lab: Lab) -> None:
    """Limits do not bind who operates it, and the record reads that from the intent."""
    view = ready(lab)
    await group(lab, "class-5b", PEOPLE, people=("alice",))
    await give(lab, Role.TEACHER, "bob", "class-5b")
    await give(lab, Role.OPERATOR, "carol", "class-5b")
    for login in ("bob", "carol"):
        await lab.make_client(login).call(acts.extend, Extend(reservation=view.id, by=600))
    assert [each.roles for each in lab.intents() if each.verb == "acts.extend"] == [
        ("teacher", "user"),
        ("operator", "user"),
    ]
    with pytest.raises(Refused, match="at most"):  # of what an operator of a class reserves, the limits are theirs
        await lab.make_client("carol").call(
            acts.reserve, acts.Reserve(reservation="3a4b5c6d7e8", image="debian-12", seconds=10**7)
        )


async def test_an_image_in_a_group_is_for_those_who_may_use_it(lab: Lab) -> None:
    await group(lab, "licensed", IMAGES, images=("big",))

    async def offered(login: str) -> set[str]:
        return {each.name for each in await lab.make_client(login).call(reservations.images, Nothing())}

    question = acts.Reserve(reservation="3a4b5c6d7e8", image="big", seconds=3600)
    with pytest.raises(Forbidden, match="bob may not reserve image big: no grant gives the role"):
        await lab.make_client("bob").call(acts.reserve, question)
    assert (await offered("bob"), await offered("olga")) == ({"debian-12"}, {"debian-12", "big"})
    await give(lab, Role.USER, "bob", "licensed")
    assert await offered("bob") == {"debian-12", "big"}
    assert lab.workflows.sent == []
    with pytest.raises(NotFound, match="there is no reservation 3a4b5c6d7e8"):  # the scripted workflow makes none
        await lab.make_client("bob").call(acts.reserve, question)
    assert [request.image for _, request in lab.workflows.sent] == ["big"]


async def test_only_image_makers_reserve_for_imaging_and_try_revisions(lab: Lab) -> None:
    await group(lab, "biology", IMAGES, images=("big",))
    await give(lab, Role.IMAGE_MAKER, "bob", "biology")
    wanted: tuple[dict[str, Any], ...] = ({"imaging": True}, {"revision": 1})
    for more in wanted:
        asked = acts.Reserve(reservation="3a4b5c6d7e8", image="debian-12", seconds=3600, **more)
        with pytest.raises(Forbidden, match="bob may not capture image debian-12"):
            await lab.make_client("bob").call(acts.reserve, asked)
        lab.workflows.sent.clear()
        with pytest.raises(NotFound):
            await lab.make_client("bob").call(acts.reserve, asked.model_copy(update={"image": "big"}))
        assert len(lab.workflows.sent) == 1


async def test_a_capture_needs_the_role_over_its_image(lab: Lab) -> None:
    view = ready(lab, "alice")
    alice, asked = lab.make_client("alice"), acts.Capture(reservation=view.id, capture="c" * 11)
    with pytest.raises(Forbidden, match="alice may not capture image debian-12"):
        await alice.call(acts.capture, asked)
    await group(lab, "biology", IMAGES, images=("debian-12",))
    await give(lab, Role.IMAGE_MAKER, "alice", "biology")
    for image in ("", "mine"):
        await alice.call(acts.capture, asked.model_copy(update={"image": image}))
    assert len(lab.workflows.sent) == 2


async def test_disabled_people_have_no_roles(lab: Lab) -> None:
    alices = lab.reserved("alice").id
    await give(lab, Role.OPERATOR, "bob")
    await lab.make_client("olga").call(users.disable, Disable(name="bob", why="left"))
    with pytest.raises(NotFound):
        await lab.make_client("bob").call(acts.end, OfReservation(reservation=alices))


async def test_a_call_without_roles_beyond_a_users_has_none(lab: Lab) -> None:
    """As of a token without the scope, or of a session without a second factor."""
    alices = lab.reserved("alice").id
    await give(lab, Role.OPERATOR, "bob")
    limited = Actor("bob", frozenset({Role.USER}), Authentication.ACCOUNT, "", User("bob", 2002), beyond=False)
    with pytest.raises(NotFound):
        await perform(acts.end, lab.backend, limited, OfReservation(reservation=alices))
    for who in (limited, Actor("olga", frozenset({Role.USER, Role.OPERATOR}), Authentication.ACCOUNT, beyond=False)):
        with pytest.raises(Forbidden):
            await perform(hosts.wake, lab.backend, who, hosts.Named(name="esx1"))


def _fill_rooms(session: Session) -> None:
    """Two rooms with a computer each, which its BMC switches."""
    for number, room in enumerate(("room-12", "room-13"), 1):
        catalog.put_endpoint(session, Endpoint(room, "standalone", f"https://{room}.test", "vclab", room, "ab" * 32))
        catalog.put_lab_computer(session, f"pc0{number}", endpoint=room, address=f"10.9.0.{number}")
        power.set_address(session, f"pc0{number}", PowerAddress(f"ipmi://vclab@10.8.0.{number}", f"power/{number}"))


async def test_how_one_logs_in_somewhere_is_shown_to_who_cares_for_it(lab: Lab) -> None:
    """Whoever is known to the lab would else learn where its vCenters and BMCs are, and who has an account there."""
    lab.store.run(_fill_rooms)
    await group(lab, "ours", GroupKind.COMPUTERS, endpoints=("room-12",))
    await group(lab, "mine", GroupKind.COMPUTERS, computers=("pc02",))
    everywhere = {"lab-vcenter", "room-12", "room-13"}

    async def shown(login: str) -> tuple[set[str], set[str]]:
        """The endpoints and the computers of which it is shown, in the lists and one by one."""
        client = lab.make_client(login)
        rooms = await client.call(endpoints.listing, Nothing())
        machines = await client.call(computers.listing, computers.Which())
        assert {each.name for each in rooms} == everywhere and {"pc01", "pc02"} <= {each.name for each in machines}
        for room in rooms:
            assert await client.call(endpoints.show, Named(name=room.name)) == room
            assert len({room.url is None, room.username is None, room.password_ref is None}) == 1
        for machine in machines:
            assert (await client.call(computers.show, Named(name=machine.name))).power == machine.power
        return {each.name for each in rooms if each.url}, {each.name for each in machines if each.power}

    assert await shown("alice") == (set(), set())
    assert await shown("olga") == (everywhere, {"pc01", "pc02"})
    await give(lab, Role.HELP_DESK, "bob")
    await give(lab, Role.USER, "bob", "ours")
    assert await shown("bob") == (set(), set())
    await give(lab, Role.ADMINISTRATOR, "bob", "ours")
    assert await shown("bob") == ({"room-12"}, {"pc01"})
    await give(lab, Role.OPERATOR, "bob", "mine")
    assert await shown("bob") == ({"room-12"}, {"pc01", "pc02"})
    await give(lab, Role.OPERATOR, "carol")
    assert await shown("carol") == (everywhere, {"pc01", "pc02"})


# --- what people are shown of each other ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "on", "shown"),
    [
        (None, "", {"bob"}),
        (Role.USER, "", {"bob"}),
        (Role.IMAGE_MAKER, "", {"bob"}),
        (Role.TEACHER, "class-5b", {"bob", "alice"}),
        (Role.ADMINISTRATOR, "class-5b", {"bob", "alice"}),
        (Role.OPERATOR, "room-12", {"bob"}),
        (Role.HELP_DESK, "", {"alice", "bob", "carol", "olga"}),
        (Role.OPERATOR, "", {"alice", "bob", "carol", "olga"}),
        (Role.ADMINISTRATOR, "", {"alice", "bob", "carol", "olga"}),
    ],
)
async def test_people_are_shown_to_those_who_look_after_them(
    lab: Lab, role: Role | None, on: str, shown: set[str]
) -> None:
    """Who cannot see a person reads of them as of nobody, also in what has happened to an image."""
    await group(lab, "class-5b", PEOPLE, people=("alice",))
    await group(lab, "room-12", GroupKind.COMPUTERS)
    if role:
        await give(lab, role, "bob", on)
    bob = lab.make_client("bob")
    assert {each.login for each in await bob.call(users.listing, users.Which())} == shown
    few = await bob.call(users.listing, users.Which(limit=1))
    assert len(few) == 1
    for login in ("alice", "bob", "carol", "olga"):
        if login in shown:
            assert (await bob.call(users.show, Named(name=login))).login == login
        else:
            with pytest.raises(NotFound, match=f"there is no user '{login}'"):
                await bob.call(users.show, Named(name=login))

    def happened(session: Session) -> None:
        for who in ("alice", "carol"):
            asked = Intent(f"by-{who}", datetime.now(UTC), who, "token", (), "images.edit", "big", who, "", {})
            intents.write(session, asked)
            audit.note(session, "image-big", who, "changed", "", datetime.now(UTC), asked.id)
        audit.note(session, "image-big", "vclab", "copied", "", datetime.now(UTC))

    lab.store.run(happened)
    told = [(each.who, each.for_user) for each in await bob.call(events.of_image, Named(name="big"))]
    assert told == [(n, n) if n in shown else (SOMEBODY, None) for n in ("alice", "carol")] + [("vclab", None)]


async def test_the_status_tells_what_is_where_to_those_who_maintain_the_lab(lab: Lab) -> None:
    await give(lab, Role.HELP_DESK, "bob")
    for login in ("alice", "bob"):
        found = await lab.make_client(login).call(health.status, Nothing())
        assert [(each.name, each.ok) for each in found.parts] == [("database", True), ("temporal", False)]
        assert not found.ok and not any(character in str(found) for character in ":/")
    address = lab.backend.settings.temporal.address
    await give(lab, Role.ADMINISTRATOR, "carol")
    for login in ("olga", "carol"):
        found = await lab.make_client(login).call(health.status, Nothing())
        assert address in str(found) and "emergency" in {each.name for each in found.parts}


async def test_images_of_groups_are_shown_to_those_who_may_do_something_with_them(lab: Lab) -> None:
    """By every list that there is, and what is not shown reads as unknown."""
    lab.reserved()  # which asks the endpoint for its hosts
    await group(lab, "licensed", IMAGES, images=("big",))
    await give(lab, Role.USER, "bob", "licensed")
    for login, sees in (("alice", False), ("bob", True), ("olga", True), ("carol", False)):
        client = lab.make_client(login)
        lists = (
            {each.name for each in await client.call(reservations.images, Nothing())},
            {each.name for each in await client.call(images.listing, images.Which())},
            {each.image for each in await client.call(systems.every, Nothing())},
            {each.image for each in await client.call(systems.of_host, systems.OnHost(host="esx1"))},
        )
        assert [("big" in each, "debian-12" in each) for each in lists] == [(sees, True)] * 4, login
        hidden: tuple[UseCase[Any, Any], ...] = (images.show, library.history)
        for use_case in hidden:
            if sees:
                await client.call(use_case, Named(name="big"))
            else:
                with pytest.raises(NotFound, match="there is no image 'big'; `vclab images`"):
                    await client.call(use_case, Named(name="big"))


# --- administrators -------------------------------------------------------------------------------------------------


async def test_an_administrator_is_no_owner_and_does_not_become_one_silently(lab: Lab) -> None:
    alices = lab.reserved("alice").id
    await give(lab, Role.ADMINISTRATOR, "bob")
    await group(lab, "class-5b", PEOPLE)
    await group(lab, "desk", PEOPLE, people=("bob",))
    await give(lab, Role.TEACHER, "bob", "class-5b")
    bob = lab.make_client("bob")
    with pytest.raises(NotFound):
        await bob.call(acts.end, OfReservation(reservation=alices))
    for asked in (
        grants.Add(role=Role.OPERATOR, person="bob", everything=True),
        grants.Add(role=Role.OPERATOR, everyone=True, everything=True),
        grants.Add(role=Role.OPERATOR, group="desk", everything=True),
    ):
        with pytest.raises(Forbidden, match="bob can't give themselves a role"):
            await bob.call(grants.add, asked)
    with pytest.raises(Forbidden, match="bob has a role over class-5b"):
        await bob.call(groups.join, Members(name="class-5b", people=("alice",)))
    await bob.call(groups.add, groups.Add(name="staff", kind=PEOPLE))
    await bob.call(grants.add, grants.Add(role=Role.HELP_DESK, group="staff", everything=True))
    with pytest.raises(Forbidden, match="bob can't put themselves into a group"):
        await bob.call(groups.join, Members(name="staff", people=("carol", "bob")))
    await bob.call(groups.join, Members(name="staff", people=("carol",)))
    assert (await explained(lab, "carol", "end", alices)).allowed
    assert not (await explained(lab, "bob", "end", alices)).allowed
    assert {each.verb for each in lab.intents() if each.actor == "bob"} >= {"grants.add", "groups.add", "groups.join"}


async def test_an_administrator_does_not_become_an_operator_by_an_entry_of_their_own_making(lab: Lab) -> None:
    """Nor makes it one by a group, nor reaches further than the role that they have."""
    await give(lab, Role.ADMINISTRATOR, "bob")
    await group(lab, "operators", PEOPLE)
    await group(lab, "class-5b", PEOPLE, people=("alice",))
    await group(lab, "class-6a", PEOPLE)
    olga, bob = lab.make_client("olga"), lab.make_client("bob")
    await olga.call(grants.add, grants.Add(role=Role.OPERATOR, group="operators", everything=True))
    await bob.call(users.add, users.Add(name="sock"))
    for over in ({"everything": True}, {"on": "class-5b"}):
        with pytest.raises(Forbidden, match="bob has not the role operator over"):
            await bob.call(grants.add, grants.Add(role=Role.OPERATOR, person="sock", **over))
    with pytest.raises(Forbidden, match="bob has not the role operator over everything"):
        await bob.call(groups.join, Members(name="operators", people=("sock",)))
    assert not (await explained(lab, "sock", "connect", lab.reserved("alice").id)).allowed
    await give(lab, Role.OPERATOR, "bob", "class-5b")
    await bob.call(grants.add, grants.Add(role=Role.OPERATOR, person="carol", on="class-5b"))
    for over in ({"everything": True}, {"on": "class-6a"}):
        with pytest.raises(Forbidden, match="bob has not the role operator over"):
            await bob.call(grants.add, grants.Add(role=Role.OPERATOR, person="carol", **over))
    await give(lab, Role.OPERATOR, "bob")
    await bob.call(groups.join, Members(name="operators", people=("carol",)))


async def test_an_administrator_does_not_become_an_operator_by_a_password(lab: Lab) -> None:
    """Nor by linking an account: of whom that role is, only somebody who has it, too, can set one."""
    await give(lab, Role.ADMINISTRATOR, "bob")
    await give(lab, Role.OPERATOR, "carol")
    bob, password = lab.make_client("bob"), SecretStr("correct horse battery staple 5")
    for name in ("carol", "olga"):
        with pytest.raises(Forbidden, match=f"bob has not the role of {name}: operator"):
            await bob.call(users.set_password, users.NewPassword(name=name, password=password))
    with pytest.raises(Forbidden, match="alice may not keep user bob"):
        await lab.make_client("alice").call(users.set_password, users.NewPassword(name="bob", password=password))
    await give(lab, Role.TEACHER, "alice")  # which bob could give to anybody
    await bob.call(users.set_password, users.NewPassword(name="alice", password=password))
    await lab.make_client("olga").call(users.set_password, users.NewPassword(name="carol", password=password))


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.USER])
async def test_an_administrator_of_a_class_does_not_become_a_member_who_is_more_elsewhere(lab: Lab, role: Role) -> None:
    """By whatever role: a teacher of another class, who makes images, or whose desk helps with a room."""
    await group(lab, "class-5b", PEOPLE, people=("alice", "carol"))
    await group(lab, "room-1", GroupKind.COMPUTERS)
    await group(lab, "desk", PEOPLE, people=("carol",))
    await give(lab, Role.ADMINISTRATOR, "bob", "class-5b")
    await give(lab, Role.USER, "alice")
    bob, password = lab.make_client("bob"), SecretStr("correct horse battery staple 5")
    asked = grants.Add(role=role, group="desk", on="room-1")
    await lab.make_client("olga").call(grants.add, asked)
    with pytest.raises(Forbidden, match=f"bob has not the role of carol: {role} to the group desk over room-1"):
        await bob.call(users.set_password, users.NewPassword(name="carol", password=password))
    await bob.call(users.set_password, users.NewPassword(name="alice", password=password))
    await give(lab, role, "bob", "room-1")
    await bob.call(users.set_password, users.NewPassword(name="carol", password=password))


async def test_an_administrator_of_a_class_does_not_add_a_key_to_a_member_who_is_more_elsewhere(lab: Lab) -> None:
    """With it they would get onto that person's computers at the next Connect."""
    await group(lab, "class-5b", PEOPLE, people=("alice", "carol", "olga"))
    await group(lab, "room-1", GroupKind.COMPUTERS)
    await give(lab, Role.ADMINISTRATOR, "bob", "class-5b")
    await give(lab, Role.TEACHER, "carol", "room-1")
    bob = lab.make_client("bob")
    for name in ("carol", "olga"):
        for change in ({"add_keys": (KEY,)}, {"public_keys": (KEY,)}, {"public_keys": ()}):
            with pytest.raises(Forbidden, match=f"bob has not the role of {name}"):
                await bob.call(users.edit, users.Edit(name=name, **change))
        assert (await bob.call(users.edit, users.Edit(name=name, zone="UTC"))).zone == "UTC"
    assert (await bob.call(users.edit, users.Edit(name="alice", add_keys=(KEY,)))).public_keys[-1] == KEY


async def test_an_administrator_by_a_grant_shuts_out_nobody_who_is_more(lab: Lab) -> None:
    """By an operator's entry, whom the settings name, or one who has a role elsewhere; nor themselves."""
    await group(lab, "class-5b", PEOPLE, people=("alice", "bob", "carol", "olga"))
    await group(lab, "room-1", GroupKind.COMPUTERS)
    await give(lab, Role.ADMINISTRATOR, "bob", "class-5b")
    await give(lab, Role.TEACHER, "carol", "room-1")
    bob, olga = lab.make_client("bob"), lab.make_client("olga")
    for name, why in (("olga", "bob has not the role"), ("carol", "bob has not the role"), ("bob", "themselves")):
        with pytest.raises(Refused, match=why):
            await bob.call(users.disable, Disable(name=name))
        with pytest.raises(Refused, match=why):
            await bob.call(users.remove, Named(name=name))
        assert (await olga.call(users.show, Named(name=name))).disabled_at is None
    with pytest.raises(Refused, match="nobody shuts themselves out"):
        await olga.call(users.disable, Disable(name="olga"))
    assert (await bob.call(users.disable, Disable(name="alice"))).disabled_at is not None
    await olga.call(users.remove, Named(name="carol"))


async def test_root_and_the_setting_can_always_grant(lab: Lab) -> None:
    """There may be one administrator only, who is also a user."""
    for client in (lab.make_client(), lab.make_client("olga")):
        asked = grants.Add(role=Role.OPERATOR, everyone=True, everything=True)
        made = await client.call(grants.add, asked)
        await client.call(grants.remove, Numbered(id=made.id))


async def test_others_see_their_own_grants_and_groups_only(lab: Lab) -> None:
    await group(lab, "class-5b", PEOPLE, people=("alice", "carol"))
    await group(lab, "licensed", IMAGES, images=("big",))
    await give(lab, Role.TEACHER, "bob", "class-5b")
    await give(lab, Role.HELP_DESK, "carol")
    for login, mine, groups_of_theirs in (("alice", 0, {"class-5b"}), ("bob", 1, {"class-5b"}), ("olga", 2, None)):
        client = lab.make_client(login)
        found = await client.call(grants.listing, grants.Which())
        assert len([each for each in found if each.id > 0]) == mine
        names = {each.name for each in await client.call(groups.listing, Paged())}
        assert names == (groups_of_theirs or {"class-5b", "licensed"})
    with pytest.raises(Forbidden):
        await lab.make_client("alice").call(grants.listing, grants.Which(user="bob"))
    with pytest.raises(NotFound):  # a pupil does not see who else is in the class
        await lab.make_client("alice").call(groups.show, Named(name="class-5b"))
    shown = await lab.make_client("bob").call(groups.show, Named(name="class-5b"))
    assert [each.name for each in shown.has] == ["alice", "carol"]


async def test_a_group_follows_that_of_an_identity_provider(lab: Lab) -> None:
    """From when it is added: by what the provider says of each person, and by nobody's hand."""
    uni = ProviderSettings(issuer="https://idp.uni.edu", client_id="vclab")
    sign_in = lab.backend.settings.sign_in.model_copy(update={"providers": {"uni": uni}})
    lab.backend.settings = lab.backend.settings.model_copy(update={"sign_in": sign_in})
    olga, now = lab.make_client("olga"), datetime.now(UTC)

    def said(login: str, *named: str) -> Claims:
        return Claims("uni", f"s-{login}", login, groups=named)

    def comes(login: str, *named: str) -> None:
        lab.store.run(lambda s: people.signed_in(s, said(login, *named), now, now, adopt=True, make=False))

    async def has() -> list[str]:
        return [each.name for each in (await olga.call(groups.show, Named(name="uni/staff"))).has]

    comes("alice", "staff", "students")
    comes("bob", "students")
    added = groups.Add(name="uni/staff", kind=PEOPLE)
    assert [each.name for each in (await olga.call(groups.add, added)).has] == ["alice"]
    await olga.call(grants.add, grants.Add(role=Role.HELP_DESK, group="uni/staff", everything=True))
    carols = lab.reserved("carol").id
    for login, may in (("alice", True), ("bob", False)):
        assert (await explained(lab, login, "end", carols)).allowed == may
    comes("bob", "staff")
    assert await has() == ["alice", "bob"] and (await explained(lab, "bob", "end", carols)).allowed
    lab.store.run(lambda s: people.confirmed(s, said("bob", "students"), now, now))
    assert await has() == ["alice"] and not (await explained(lab, "bob", "end", carols)).allowed
    lab.store.run(lambda s: people.gone(s, "uni", "s-alice", now))
    assert await has() == []
    comes("carol", "staff")
    with pytest.raises(Refused, match="follows a group of uni"):
        await olga.call(groups.join, Members(name="uni/staff", people=("bob",)))
    with pytest.raises(Refused, match="follows a group of uni"):
        await olga.call(groups.leave, Leave(name="uni/staff", people=("carol",)))
    for name, kind in (("idp/staff", PEOPLE), ("uni/images", IMAGES), ("uni/", PEOPLE)):
        with pytest.raises(Invalid):
            await olga.call(groups.add, groups.Add(name=name, kind=kind))
    (grant,) = await olga.call(grants.listing, grants.Which(group="uni/staff"))
    await olga.call(grants.remove, Numbered(id=grant.id))
    await olga.call(groups.remove, Named(name="uni/staff"))


async def test_titles_are_in_any_script_and_names_are_not(lab: Lab) -> None:
    olga, title = lab.make_client("olga"), "Größe 5b 生物学 🧬"
    made = await olga.call(groups.add, groups.Add(name="class-5b", kind=PEOPLE, title=title))
    assert made.title == title
    assert (await olga.call(groups.add, groups.Add(name="class-5b", kind=PEOPLE))).title == title
    assert (await olga.call(groups.edit, groups.Edit(name="class-5b", title=""))).title == ""
    for name in ("Größe", "5b 2", "", "a/b"):
        with pytest.raises(Invalid):
            await olga.call(groups.add, groups.Add(name=name, kind=PEOPLE))
    with pytest.raises(Invalid, match="the title has"):
        await olga.call(groups.add, groups.Add(name="x", kind=PEOPLE, title="two\nlines"))


@pytest.mark.parametrize(
    "asked",
    [
        grants.Add(role=Role.USER),
        grants.Add(role=Role.USER, person="bob"),
        grants.Add(role=Role.USER, person="bob", everyone=True, everything=True),
        grants.Add(role=Role.USER, person="bob", on="licensed", everything=True),
    ],
)
async def test_a_grant_is_to_somebody_over_something(lab: Lab, asked: grants.Add) -> None:
    with pytest.raises(Invalid):
        await lab.make_client("olga").call(grants.add, asked)


async def test_what_is_not_there_is_told_with_what_is_near(lab: Lab) -> None:
    olga = lab.make_client("olga")
    await group(lab, "class-5b", PEOPLE, people=("alice",))
    wrong: tuple[tuple[UseCase[Any, Any], Any, str], ...] = (
        (grants.add, grants.Add(role=Role.TEACHER, person="alise", everything=True), "did you mean alice"),
        (grants.add, grants.Add(role=Role.TEACHER, person="bob", on="class-5a"), "did you mean class-5b"),
        (groups.join, Members(name="class-5b", people=("bub",)), "did you mean bob"),
        (groups.show, Named(name="class5b"), "did you mean class-5b"),
    )
    for use_case, question, near in wrong:
        with pytest.raises(NotFound, match=near):
            await olga.call(use_case, question)
    with pytest.raises(Invalid, match="nothing is named"):
        await olga.call(groups.join, Members(name="class-5b"))
    assert (await olga.call(groups.leave, Leave(name="class-5b", all=True))).has == ()
    await olga.call(groups.remove, Named(name="class-5b"))


# --- explain --------------------------------------------------------------------------------------------------------


async def test_explain_names_the_chain_or_what_would_be_needed(lab: Lab) -> None:
    alices = lab.reserved("alice").id
    await group(lab, "class-5b", PEOPLE, people=("alice",))
    no = await explained(lab, "bob", "end", alices)
    assert (no.allowed, no.because, no.thing) == (False, (), f"reservation {alices}")
    assert no.needs_role == (Role.HELP_DESK, Role.OPERATOR, Role.TEACHER)
    assert no.needs_over == ("class-5b", "everything")
    number = await give(lab, Role.TEACHER, "bob", "class-5b")
    yes = await explained(lab, "bob", "acts.end", alices[:6])
    assert yes.allowed and yes.permission is Permission.END
    assert yes.because == (
        f"teacher to bob over class-5b (grant {number}), which has the user alice; teacher permits end",
    )


async def test_explain_agrees_with_what_happens(lab: Lab) -> None:
    """For every permission over a reservation, before and after each grant."""
    view = ready(lab, "alice")
    question: dict[str, Asked] = {
        "see": (reservations.look, OfReservation(reservation=view.id)),
        "end": (acts.end, OfReservation(reservation=view.id)),
        "extend": (acts.extend, Extend(reservation=view.id, by=600)),
        "reboot": (acts.reboot, acts.Reboot(reservation=view.id)),
        "operate": (acts.resolve, acts.Resolve(reservation=view.id, how="retry")),
    }
    bob = lab.make_client("bob")
    for role in (None, Role.USER, Role.IMAGE_MAKER, Role.ADMINISTRATOR, Role.TEACHER, Role.HELP_DESK, Role.OPERATOR):
        number = await give(lab, role, "bob") if role else 0
        for action, (use_case, asked) in question.items():
            allowed = True
            try:
                await bob.call(use_case, asked)
            except (Forbidden, NotFound):
                allowed = False
            assert (await explained(lab, "bob", action, view.id)).allowed == allowed, (role, action)
        if number:
            await lab.make_client("olga").call(grants.remove, Numbered(id=number))


async def test_explain_knows_all_that_an_act_needs(lab: Lab) -> None:
    """To capture takes a role over the image too; one's own password only that one is that person."""
    view = ready(lab, "bob")
    asked = acts.Capture(reservation=view.id, capture=new_id())
    for role, may in ((None, False), (Role.TEACHER, False), (Role.IMAGE_MAKER, True)):
        number = await give(lab, role, "bob") if role else 0
        found = await explained(lab, "bob", "acts.capture", view.id)
        assert (found.allowed, found.permission, found.thing) == (may, Permission.CAPTURE, "image debian-12")
        if may:
            await lab.make_client("bob").call(acts.capture, asked)
        else:
            with pytest.raises(Forbidden, match="bob may not capture image debian-12"):
                await lab.make_client("bob").call(acts.capture, asked)
        if number:
            await lab.make_client("olga").call(grants.remove, Numbered(id=number))
    others = await explained(lab, "carol", "acts.capture", view.id)
    assert (others.allowed, others.permission) == (False, Permission.CONNECT)
    for login, may in (("alice", True), ("bob", False)):
        assert (await explained(lab, login, "users.set_password", "alice")).allowed == may


async def test_who_is_disabled_may_nothing(lab: Lab) -> None:
    """Not even an operator by the settings: they are not let in."""
    await give(lab, Role.TEACHER, "alice")
    alices = lab.reserved("alice").id
    for login in ("alice", "olga"):
        assert (await explained(lab, login, "reserve", "debian-12", asks="")).allowed
        await lab.make_client().call(users.disable, Disable(name=login, why="has left"))
        for action, thing in (("reserve", "debian-12"), ("end", alices), ("maintain", "lab")):
            no = await explained(lab, login, action, thing, asks="")
            assert (no.allowed, no.because, no.needs_role) == (False, (), ())
            assert no.reason == f"{login} is disabled (has left), and not let in"


async def test_people_may_ask_about_themselves_only(lab: Lab) -> None:
    alices, bobs = lab.reserved("alice").id, lab.reserved("bob").id
    assert (await explained(lab, "alice", "connect", alices, asks="alice")).because == (
        f"reservation {alices} is alice's own",
    )
    assert (await explained(lab, "alice", "reserve", "debian-12", asks="alice")).allowed
    assert not (await explained(lab, "alice", "grant", "lab", asks="alice")).allowed
    with pytest.raises(NotFound):  # nobody learns that there is one
        await explained(lab, "alice", "end", bobs, asks="alice")
    with pytest.raises(NotFound, match="there is no user 'bob'"):
        await explained(lab, "alice", "keep", "user:bob", asks="alice")
    with pytest.raises(Forbidden, match="alice may ask for themselves only"):
        await explained(lab, "bob", "end", bobs, asks="alice")


async def test_who_has_a_role_by_the_setting_is_told_so(lab: Lab) -> None:
    for asks in ("olga", ""):
        found = await explained(lab, "olga", "maintain", "lab", asks=asks)
        assert found.allowed and "by the setting `operators`" in found.because[0]


async def test_what_can_not_be_explained(lab: Lab) -> None:
    lab.store.run(lambda session: catalog.put_user(session, User("big", 2999)))
    for action, thing, error, why in (
        ("destroy", "big", Invalid, "'destroy' is no action"),
        ("acts.ent", "big", Invalid, "did you mean acts.end"),
        ("people.me", "lab", Invalid, "whoever is known to the lab may people.me"),
        ("connect", "image:big", Invalid, "connect is not for 'image'; it is for reservation"),
        ("grant", "big", Invalid, "grant is for the lab as a whole"),
        ("publish", "bug", NotFound, "there is no image 'bug'"),
        ("keep", "big", Refused, "several things are called big; write one of image:big, user:big"),
    ):
        with pytest.raises(error, match=why):
            await explained(lab, "bob", action, thing)
    with pytest.raises(NotFound, match="there is no user 'bub'"):
        await explained(lab, "bub", "publish", "big")
    assert (await explained(lab, "bob", "keep", "user:big")).thing == "user big"
