"""Who may do what: the one decision that all use cases stand on, and its explanation.

Pure rules are in ``vclab.model.access``; here they meet the store. Grants are read at each call, so one that was taken
back is had by nobody from then on.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlalchemy.orm import Session

from vclab.contract import USE_CASES
from vclab.contract import access as contract
from vclab.contract.access import Explain, Explained
from vclab.contract.use_case import Rule
from vclab.model.access import ALL, LAB, MEANT_FOR, Decision, Permission, Resource, ResourceKind, Rights
from vclab.model.catalog import User
from vclab.model.errors import Forbidden, Invalid, NotFound, Refused
from vclab.model.typed import known, near, quoted
from vclab.service.finding import SHORTEST, plain
from vclab.service.groups import oversees
from vclab.service.rights import rights_of, rights_of_user, sight
from vclab.service.use_case import Call, does
from vclab.store import access, catalog, reservations


@does(contract.explain)
async def explain(call: Call, question: Explain) -> Explained:
    everybody = await oversees(call)
    if question.user != call.actor.login and not everybody:
        raise Forbidden(f"{call.actor.login} may ask for themselves only", "who grants or audits may ask for everybody")
    permission, rule = rule_of(question.action)

    def ask(session: Session) -> Explained:
        users = {user.login: user for user in catalog.users(session)}
        if question.user == call.actor.login:
            rights = rights_of(session, call.actor)
        else:
            known("user", question.user, users, "`vclab user list` lists them")
            rights = rights_of_user(session, call.backend.settings, question.user, known=True)
        resource = _resource(session, permission, question.thing)
        hidden = resource.kind is ResourceKind.RESERVATION and not everybody
        if hidden and not rights.decide(Permission.SEE, resource).allowed:
            raise NotFound(f"there is no reservation {quoted(question.thing)}", "`vclab list --all` lists yours")
        if resource.kind is ResourceKind.USER and not sight(session, call.actor).of(resource.name):
            raise NotFound(f"there is no user {quoted(resource.name)}", "`vclab user list` lists those you see")
        decision = _decide(session, rights.decide(permission, resource), rights, rule)
        person = users.get(question.user)
        return _explained(decision) if person is None or person.disabled_at is None else _disabled(decision, person)

    return await call.backend.read(ask)


def _decide(session: Session, decision: Decision, rights: Rights, rule: Rule) -> Decision:
    """What decides: of several permissions that one that is missing, else the last."""
    name = decision.resource.name
    if rule.oneself and name == rights.person.login:
        return replace(decision, own=True)
    if rule.of_image is None or not decision.allowed or (view := reservations.view(session, name)) is None:
        return decision
    return rights.decide(rule.of_image, access.of_thing(session, ResourceKind.IMAGE, view.image))


def rule_of(action: str) -> tuple[Permission, Rule]:
    """What is meant by the name of a permission, or of a use case. Raises ``Invalid``."""
    if action in list(Permission):
        return Permission(action), Rule()
    found = USE_CASES.get(action)
    if found is None:
        raise Invalid(
            f"{quoted(action)} is no action{near(action, [*Permission, *USE_CASES])}",
            f"use one of {', '.join(Permission)}, or the name of a use case as in `vclab audit`",
        )
    if found.rule.permission is None:
        who = "whoever is a user" if found.rule.users else "whoever is known to the lab"
        raise Invalid(f"{who} may {action}", "it needs no permission, and is cut to what they may see")
    return found.rule.permission, found.rule


def _resource(session: Session, permission: Permission, thing: str) -> Resource:
    """What is meant: ``KIND:NAME``, "lab", or a name. Raises ``NotFound``, ``Invalid`` and ``Refused``."""
    kinds = MEANT_FOR[permission]
    if thing == ResourceKind.LAB:
        return LAB
    if kinds == {ResourceKind.LAB}:
        raise Invalid(f"{permission} is for the lab as a whole", "write lab")
    word, colon, name = thing.partition(":")
    if colon:
        if word not in kinds:
            raise Invalid(f"{permission} is not for {quoted(word)}", f"it is for {_words(kinds)}")
        kinds, thing = frozenset({ResourceKind(word)}), name
    found = [each for kind in sorted(kinds - {ResourceKind.LAB}) if (each := _FINDERS[kind](session, thing))]
    if not found:
        raise NotFound(f"there is no {_words(kinds - {ResourceKind.LAB})} {quoted(thing)}")
    if len(found) > 1:
        raise Refused(
            f"several things are called {thing}", f"write one of {', '.join(f'{r.kind}:{thing}' for r in found)}"
        )
    return found[0]


def _words(kinds: frozenset[ResourceKind]) -> str:
    return " or ".join(sorted(kinds))


def _reservation(session: Session, name: str) -> Resource | None:
    ids = reservations.beginning(session, plain(name), ALL, 2) if len(plain(name)) >= SHORTEST else []
    view = reservations.view(session, ids[0]) if len(ids) == 1 else None
    return access.of_reservation(session, view) if view else None


def _named(kind: ResourceKind, names: Callable[[Session], list[str]]) -> Callable[[Session, str], Resource | None]:
    def find(session: Session, name: str) -> Resource | None:
        return access.of_thing(session, kind, name) if name in names(session) else None

    return find


_FINDERS: Mapping[ResourceKind, Callable[[Session, str], Resource | None]] = {
    ResourceKind.RESERVATION: _reservation,
    ResourceKind.IMAGE: _named(ResourceKind.IMAGE, catalog.names_of_all_images),
    ResourceKind.COMPUTER: _named(ResourceKind.COMPUTER, lambda s: [each.name for each in catalog.computers(s)]),
    ResourceKind.ENDPOINT: _named(ResourceKind.ENDPOINT, lambda s: [each.name for each in catalog.endpoints(s)]),
    ResourceKind.USER: _named(ResourceKind.USER, lambda s: [each.login for each in catalog.users(s)]),
}


def _disabled(decision: Decision, person: User) -> Explained:
    """Who is disabled is not let in, whatever their roles."""
    why = f" ({person.disabled_why})" if person.disabled_why else ""
    may_not = {"allowed": False, "because": (), "needs_role": (), "needs_over": ()}
    reason = f"{person.login} is disabled{why}, and not let in"
    return _explained(decision).model_copy(update=may_not | {"reason": reason})


def _explained(decision: Decision) -> Explained:
    return Explained(
        user=decision.person.login,
        permission=decision.permission,
        thing=str(decision.resource),
        allowed=decision.allowed,
        reason=decision.reason(),
        because=decision.chain(),
        needs_role=tuple(sorted(decision.roles())),
        needs_over=decision.needed(),
    )
