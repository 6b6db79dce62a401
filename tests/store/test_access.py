"""Groups and grants in the store: what reaches whom, which places are barred, and how quick a decision is."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.store.lab import HOUR, NOW, must_reserve
from tests.store.test_years import statements
from vclab.model.access import (
    LAB,
    Grant,
    Group,
    GroupKind,
    Member,
    Permission,
    Person,
    Reach,
    Resource,
    ResourceKind,
    Role,
    ToKind,
    decide,
    reach,
)
from vclab.model.catalog import Thing, User
from vclab.model.errors import NotFound, Refused
from vclab.store import Store, access, catalog, models, reservations, retirement

PEOPLE, IMAGES, COMPUTERS = GroupKind.PEOPLE, GroupKind.IMAGES, GroupKind.COMPUTERS
ALICE, BOB = Member(ResourceKind.USER, "alice"), Member(ResourceKind.USER, "bob")
DEBIAN = Member(ResourceKind.IMAGE, "debian-12")
VCENTER = Member(ResourceKind.ENDPOINT, "lab-vcenter")


def make(store: Store, name: str, kind: GroupKind, *members: Member, title: str = "") -> None:
    """A group with members."""

    def change(session: Session) -> None:
        access.put_group(session, Group(name, kind, title), "root", NOW)
        access.join(session, name, members)

    store.run(change)


def give(store: Store, role: Role, to: str = "", on: str = "", kind: ToKind = ToKind.PERSON) -> int:
    """A grant; its id."""
    return store.run(lambda s: access.grant(s, Grant(role, kind, to, on), "root", NOW)).grant.id


def may(store: Store, login: str, permission: Permission, thing: Resource | Member | str) -> bool:
    """Whether they may: of a string, with the reservation of that id."""
    with store.read() as session:
        if isinstance(thing, str):
            view = reservations.view(session, thing)
            assert view is not None
            thing = access.of_reservation(session, view)
        elif isinstance(thing, Member):
            thing = access.of_thing(session, thing.kind, thing.name)
        return decide(Person(login), access.grants_of(session, login), permission, thing).allowed


def test_a_grant_reaches_its_person_the_members_of_its_group_and_everyone(lab: Store) -> None:
    make(lab, "teachers", PEOPLE, ALICE)
    make(lab, "biology", IMAGES, DEBIAN)
    person = give(lab, Role.USER, "bob", "biology")
    assert [may(lab, login, Permission.RESERVE, DEBIAN) for login in ("alice", "bob", "carol")] == [False, True, False]
    give(lab, Role.USER, "teachers", "biology", ToKind.GROUP)
    lab.run(lambda s: access.revoke(s, person))
    assert [may(lab, login, Permission.RESERVE, DEBIAN) for login in ("alice", "bob", "carol")] == [True, False, False]
    give(lab, Role.USER, "", "biology", ToKind.EVERYONE)
    assert all(may(lab, login, Permission.RESERVE, DEBIAN) for login in ("alice", "bob", "carol"))
    assert not may(lab, "mallory", Permission.RESERVE, DEBIAN)  # who is no user has no grants


def test_a_reservation_is_in_the_groups_of_its_user_image_and_endpoint(lab: Store) -> None:
    id = must_reserve(lab, "alice").reservation
    for name, kind, member in (("class-5b", PEOPLE, ALICE), ("biology", IMAGES, DEBIAN), ("east", COMPUTERS, VCENTER)):
        make(lab, name, kind, member)
        assert not may(lab, "bob", Permission.END, id)
        one = give(lab, Role.TEACHER, "bob", name)
        assert may(lab, "bob", Permission.END, id)
        lab.run(lambda s, one=one: access.revoke(s, one))  # type: ignore[misc]
        assert not may(lab, "bob", Permission.END, id)


def test_who_is_disabled_or_removed_has_no_grants(lab: Store) -> None:
    give(lab, Role.OPERATOR, "bob")
    assert may(lab, "bob", Permission.AUDIT, LAB)
    lab.run(lambda s: retirement.disable(s, Thing.USER, "bob", "left", NOW))
    assert not may(lab, "bob", Permission.AUDIT, LAB)


def test_another_person_of_the_same_login_gets_nothing_of_the_first(lab: Store) -> None:
    """Nor is an image in the groups of one that was removed."""
    make(lab, "class-5b", PEOPLE, BOB)
    give(lab, Role.OPERATOR, "bob")
    lab.run(lambda s: retirement.remove(s, Thing.USER, "bob", NOW))
    lab.run(lambda s: catalog.put_user(s, User("bob", 2999)))
    assert not may(lab, "bob", Permission.AUDIT, LAB)
    with lab.read() as session:
        assert access.members(session, "class-5b") == []
        assert access.grants(session) == []


def test_the_same_grant_and_member_again_change_nothing(lab: Store) -> None:
    make(lab, "class-5b", PEOPLE, ALICE)
    assert give(lab, Role.TEACHER, "bob", "class-5b") == give(lab, Role.TEACHER, "bob", "class-5b")
    assert lab.run(lambda s: access.join(s, "class-5b", [ALICE, BOB])) == 1
    assert lab.run(lambda s: access.leave(s, "class-5b", [ALICE, Member(ResourceKind.USER, "carol")])) == 1
    with lab.read() as session:
        assert access.members(session, "class-5b") == [BOB]
        assert [(each.members, each.grants) for each in access.groups(session)] == [(1, 1)]


def test_the_number_of_a_grant_is_not_used_again(lab: Store) -> None:
    first = give(lab, Role.OPERATOR, "bob")
    lab.run(lambda s: access.revoke(s, first))
    assert give(lab, Role.HELP_DESK, "carol") > first


def test_groups_have_titles_in_any_script(lab: Store) -> None:
    title = "5b Größe 生物学 🧬 \u202bعربى"
    make(lab, "class-5b", PEOPLE, title=title)
    with lab.read() as session:
        assert access.group(session, "class-5b") == Group("class-5b", PEOPLE, title)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda s: access.join(s, "class-5b", [DEBIAN]), "class-5b is a group of people, and image debian-12"),
        (lambda s: access.join(s, "east", [Member(ResourceKind.COMPUTER, "vm01")]), "vm01 is a virtual machine's"),
        (lambda s: access.put_group(s, Group("class-5b", IMAGES), "root", NOW), "a group of people, not of images"),
        (lambda s: access.grant(s, Grant(Role.USER, ToKind.GROUP, "east"), "root", NOW), "east is not a group of peop"),
        (lambda s: access.grant(s, Grant(Role.USER, ToKind.PERSON, "bob", "class-5b"), "root", NOW), "gives nothing"),
        (lambda s: access.remove_group(s, "class-5b"), "class-5b has 1 members"),
        (lambda s: access.remove_group(s, "east"), "1 grants name east"),
    ],
)
def test_what_makes_no_sense_is_refused(lab: Store, change: object, why: str) -> None:
    make(lab, "class-5b", PEOPLE, ALICE)
    make(lab, "east", COMPUTERS)
    give(lab, Role.TEACHER, "bob", "east")
    with pytest.raises(Refused, match=why):
        lab.run(change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        lambda s: access.join(s, "nowhere", [ALICE]),
        lambda s: access.join(s, "class-5b", [Member(ResourceKind.USER, "mallory")]),
        lambda s: access.grant(s, Grant(Role.TEACHER, ToKind.PERSON, "mallory"), "root", NOW),
        lambda s: access.grant(s, Grant(Role.TEACHER, ToKind.GROUP, "nowhere"), "root", NOW),
        lambda s: access.grant(s, Grant(Role.TEACHER, ToKind.PERSON, "bob", "nowhere"), "root", NOW),
        lambda s: access.revoke(s, 999),
        lambda s: access.remove_group(s, "nowhere"),
        lambda s: access.group(s, "nowhere"),
    ],
)
def test_what_is_not_there_is_not_found(lab: Store, change: object) -> None:
    make(lab, "class-5b", PEOPLE)
    with pytest.raises(NotFound):
        lab.run(change)  # type: ignore[arg-type]


def test_a_group_is_not_removed_while_it_is_granted(lab: Store) -> None:
    """Whatever the order in which both come: a grant over a name without a group would be had by the next of it."""
    wanted = Grant(Role.TEACHER, ToKind.PERSON, "bob", "class-5b")
    for _ in range(5):
        make(lab, "class-5b", PEOPLE)
        together = threading.Barrier(2)
        errors: list[Exception] = []

        def run(change: object, together: threading.Barrier = together, errors: list[Exception] = errors) -> None:
            together.wait()
            try:
                lab.run(change)  # type: ignore[arg-type]
            except (Refused, NotFound) as error:
                errors.append(error)

        both = (
            threading.Thread(target=run, args=(lambda s: access.grant(s, wanted, "root", NOW),)),
            threading.Thread(target=run, args=(lambda s: access.remove_group(s, "class-5b"),)),
        )
        for each in both:
            each.start()
        for each in both:
            each.join()
        with lab.read() as session:
            left = len(access.groups(session)), len(access.grants(session))
        assert left in ((1, 1), (0, 0)) and len(errors) == 1
        for each_grant in [each.grant.id for each in lab.run(access.grants)]:
            lab.run(lambda s, id=each_grant: access.revoke(s, id))  # type: ignore[misc]


def test_lists_are_of_what_is_reached(lab: Store) -> None:
    alices, bobs = must_reserve(lab, "alice").reservation, must_reserve(lab, "bob").reservation
    carols = must_reserve(lab, "carol", "big").reservation
    make(lab, "class-5b", PEOPLE, ALICE)
    make(lab, "maths", IMAGES, Member(ResourceKind.IMAGE, "big"))
    make(lab, "east", COMPUTERS, VCENTER)

    def seen(*over: str) -> set[str]:
        for group in over:
            give(lab, Role.HELP_DESK, "bob", group)
        with lab.read() as session:
            sees = reach(Person("bob"), access.grants_of(session, "bob"), Permission.SEE)
            return set(session.scalars(sa.select(models.Reservation.id).where(access.within(sees, models.Reservation))))

    assert seen() == {bobs}
    assert seen("class-5b") == {bobs, alices}
    assert seen("maths") == {bobs, alices, carols}
    for each in lab.run(access.grants):
        lab.run(lambda s, id=each.grant.id: access.revoke(s, id))  # type: ignore[misc]
    assert seen("east") == seen("") == {bobs, alices, carols}


def test_bars_are_of_places_in_groups_that_nobody_lets_them_use(lab: Store) -> None:
    def bars(login: str) -> str:
        with lab.read() as session:
            return access.bars(session, login, ["lab-vcenter"]).why_not("lab-vcenter")

    assert bars("bob") == ""
    make(lab, "east", COMPUTERS, VCENTER)
    assert bars("bob") == "is for those who may use east, and bob may not"
    id = give(lab, Role.USER, "bob", "east")
    assert (bars("bob"), bars("alice")) == ("", "is for those who may use east, and alice may not")
    lab.run(lambda s: access.revoke(s, id))
    assert bars("bob")
    give(lab, Role.OPERATOR, "bob")
    assert bars("bob") == ""


@contextmanager
def steps(session: Session) -> Iterator[list[int]]:
    """How many steps of its virtual machine SQLite takes meanwhile, in hundreds; none of PostgreSQL."""
    taken: list[int] = []
    connection: Any = session.connection().connection.dbapi_connection
    if session.get_bind().dialect.name == "sqlite":
        connection.set_progress_handler(lambda: taken.append(100), 100)
    try:
        yield taken
    finally:
        if session.get_bind().dialect.name == "sqlite":
            connection.set_progress_handler(None, 0)


def test_a_decision_is_quick_among_many_people_and_groups(lab: Store) -> None:
    """10,000 people, 500 groups of 100 and 1,000 grants: two queries, and SQLite takes no more steps than a few lookups
    need. One who read all members would take 50,000 times some of them. PostgreSQL counts no steps, and gets fewer."""
    groups = 500 if lab.file else 5
    people = [f"p{number:05}" for number in range(max(20 * groups, 1000))]

    def fill(session: Session) -> None:
        given = {"affiliation": "local", "public_keys": [], "zone": "UTC", "disabled_why": ""}
        session.execute(
            sa.insert(models.User), [{"login": name, "uid": 10**6 + n} | given for n, name in enumerate(people)]
        )
        for number in range(groups):
            name = f"g{number:03}"
            access.put_group(session, Group(name, PEOPLE), "root", NOW)
            session.execute(
                sa.insert(models.GroupMember),
                [
                    {"group_name": name, "kind": "user", "name": people[(number * 20 + n) % len(people)]}
                    for n in range(100)
                ],
            )
            for to in (people[number], people[number + groups]):
                access.grant(session, Grant(Role.TEACHER, ToKind.PERSON, to, name), "root", NOW + HOUR)

    lab.run(fill)
    id = must_reserve(lab, people[0]).reservation
    with lab.read() as session:
        view = reservations.view(session, id)
        assert view is not None
        with statements(session) as asked, steps(session) as taken:
            for number in (0, 7, len(people) // 2, len(people) - 1):
                login = people[number]
                decision = decide(
                    Person(login),
                    access.grants_of(session, login),
                    Permission.END,
                    access.of_reservation(session, view),
                )
                assert decision.allowed == (number == 0)
    assert len(asked) == 2 * 4
    assert sum(taken) < 4 * 20_000


def test_reaches_are_of_grants_that_permit(lab: Store) -> None:
    make(lab, "class-5b", PEOPLE, ALICE)
    give(lab, Role.TEACHER, "bob", "class-5b")
    with lab.read() as session:
        grants = access.grants_of(session, "bob")
    assert reach(Person("bob"), grants, Permission.SEE) == Reach("bob", groups=frozenset({"class-5b"}))
    assert not reach(Person("bob"), grants, Permission.CONNECT).beyond_own
