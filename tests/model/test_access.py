"""Who may do what: the rules of roles and grants hold for all grants, permissions and things."""

from hypothesis import given
from hypothesis import strategies as st

from vclab.model.access import (
    LAB,
    MEANT_FOR,
    MEMBERS,
    OWN,
    REACHES,
    ROLES,
    Grant,
    GroupKind,
    Member,
    Permission,
    Person,
    Resource,
    ResourceKind,
    Role,
    ToKind,
    decide,
    why_not_grant,
)

ALICE, BOB = Person("alice"), Person("bob")
CLASS = {"class-5b": Member(ResourceKind.USER, "alice")}
GROUPS = ("class-5b", "biology", "room-12")

grants = st.builds(
    Grant,
    role=st.sampled_from(Role),
    to_kind=st.just(ToKind.PERSON),
    to=st.just("bob"),
    on=st.sampled_from(("", *GROUPS)),
    id=st.integers(1, 99),
)
several = st.lists(grants, max_size=6)
resources = st.builds(
    Resource,
    kind=st.sampled_from(ResourceKind),
    name=st.just("it"),
    owner=st.sampled_from(("", "alice", "bob")),
    groups=st.dictionaries(st.sampled_from(GROUPS), st.just(Member(ResourceKind.IMAGE, "debian-12"))),
)
people = st.builds(Person, login=st.sampled_from(("", "bob")), user=st.booleans())
permissions = st.sampled_from(Permission)


def over(role: Role, group: str = "") -> Grant:
    """A grant to bob."""
    return Grant(role, ToKind.PERSON, "bob", group, 12)


def reservation(owner: str = "alice", groups: dict[str, Member] | None = None) -> Resource:
    """A reservation of theirs."""
    return Resource(ResourceKind.RESERVATION, "3f", owner, groups or {})


@given(people, several, several, permissions, resources)
def test_more_grants_never_take_anything_away(
    person: Person, some: list[Grant], more: list[Grant], permission: Permission, resource: Resource
) -> None:
    before = decide(person, some, permission, resource)
    after = decide(person, [*some, *more], permission, resource)
    assert after.allowed or not before.allowed
    assert set(before.chain()) <= set(after.chain())


@given(people, several, permissions, resources)
def test_the_reason_agrees_with_the_decision(
    person: Person, given: list[Grant], permission: Permission, resource: Resource
) -> None:
    """What is allowed has a reason, each grant that is named is enough alone, and what is refused has none."""
    decision = decide(person, given, permission, resource)
    assert bool(decision.chain()) == decision.allowed
    assert (" may not " in decision.reason()) != decision.allowed
    for grant in decision.grants:
        assert decide(person, [grant], permission, resource).allowed


@given(people, several, permissions, resources)
def test_each_grant_that_is_said_to_be_needed_is_enough(
    person: Person, given: list[Grant], permission: Permission, resource: Resource
) -> None:
    decision = decide(person, given, permission, resource)
    assert decision.roles()
    for role in decision.roles():
        for where in decision.needed():
            grant = over(role, "" if where == "everything" else where)
            assert decide(person, [*given, grant], permission, resource).allowed


@given(people, permissions)
def test_nobody_without_a_grant_acts_on_another_persons_reservation(person: Person, permission: Permission) -> None:
    for resource in (reservation(), reservation(groups=CLASS), reservation(owner="")):
        assert not decide(person, [], permission, resource).allowed


@given(several, permissions, resources)
def test_a_grant_over_other_groups_changes_nothing(
    given: list[Grant], permission: Permission, resource: Resource
) -> None:
    elsewhere = [grant for grant in given if grant.on and grant.on not in resource.groups]
    assert decide(BOB, elsewhere, permission, resource).allowed == decide(BOB, [], permission, resource).allowed


def test_people_do_with_their_own_what_the_table_says_and_no_more() -> None:
    mine = reservation("bob")
    assert {each for each in Permission if decide(BOB, [], each, mine).allowed} == OWN


def test_a_teacher_ends_the_reservations_of_their_class_only() -> None:
    teacher = [over(Role.TEACHER, "class-5b")]
    assert decide(BOB, teacher, Permission.END, reservation(groups=CLASS)).allowed
    assert not decide(BOB, teacher, Permission.END, reservation()).allowed
    assert not decide(BOB, teacher, Permission.CONNECT, reservation(groups=CLASS)).allowed


def test_the_help_desk_does_what_helps_and_never_connects() -> None:
    may = {each for each in Permission if decide(BOB, [over(Role.HELP_DESK)], each, reservation()).allowed}
    assert may == {Permission.SEE, Permission.EXTEND, Permission.REBOOT, Permission.END}


def test_an_administrator_has_nothing_to_do_with_reservations() -> None:
    administrator = [over(Role.ADMINISTRATOR)]
    assert not any(decide(BOB, administrator, each, reservation(groups=CLASS)).allowed for each in OWN)
    assert decide(BOB, administrator, Permission.GRANT, LAB).allowed
    assert not decide(BOB, [over(Role.ADMINISTRATOR, "class-5b")], Permission.GRANT, LAB).allowed
    assert not decide(BOB, [over(Role.OPERATOR)], Permission.GRANT, LAB).allowed


def test_users_reserve_what_is_in_no_group() -> None:
    image = Resource(ResourceKind.IMAGE, "debian-12")
    grouped = Resource(ResourceKind.IMAGE, "biology-7", groups={"biology": Member(ResourceKind.IMAGE, "biology-7")})
    assert decide(BOB, [], Permission.RESERVE, image).allowed
    assert not decide(Person("bob", user=False), [], Permission.RESERVE, image).allowed
    assert not decide(BOB, [], Permission.CAPTURE, image).allowed
    assert not decide(BOB, [], Permission.RESERVE, grouped).allowed
    assert decide(BOB, [over(Role.USER, "biology")], Permission.RESERVE, grouped).allowed


def test_reasons_are_sentences() -> None:
    assert decide(BOB, [over(Role.TEACHER, "class-5b")], Permission.END, reservation(groups=CLASS)).reason() == (
        "bob may end reservation 3f: teacher to bob over class-5b (grant 12), which has the user alice; "
        "teacher permits end"
    )
    assert decide(BOB, [], Permission.CONNECT, reservation(groups=CLASS)).reason() == (
        "bob may not connect reservation 3f: no grant gives the role operator over class-5b or everything"
    )
    assert decide(ALICE, [], Permission.CONNECT, reservation()).reason() == (
        "alice may connect reservation 3f: reservation 3f is alice's own"
    )


def test_every_permission_is_had_by_a_role_and_means_something() -> None:
    assert set().union(*ROLES.values()) == set(Permission) == set(MEANT_FOR)
    assert set(ROLES) == set(Role)
    assert {kind for kinds in MEANT_FOR.values() for kind in kinds} == set(ResourceKind)
    assert all(MEMBERS[each] is kind for kind in GroupKind for each in REACHES[kind] if each in MEMBERS)


def test_a_grant_that_would_give_nothing_is_told() -> None:
    useless = {(role, kind) for role in Role for kind in GroupKind if why_not_grant(role, kind)}
    people, computers = GroupKind.PEOPLE, GroupKind.COMPUTERS
    assert (Role.USER, people) in useless and (Role.IMAGE_MAKER, people) in useless
    assert (Role.TEACHER, people) not in useless and (Role.ADMINISTRATOR, people) not in useless
    assert (Role.IMAGE_MAKER, computers) not in useless  # it may reserve them
    assert why_not_grant(Role.USER, people) == (
        "the role user gives nothing over a group of people: it permits to reserve"
    )
