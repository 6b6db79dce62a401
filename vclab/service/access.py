"""Who may do what: the one decision that all use cases stand on, and its explanation.

Pure rules are in ``vclab.model.access``; here they meet the store. Grants are read at each call, so one that was taken
back is had by nobody from then on.
"""

from collections.abc import Callable, Mapping

from sqlalchemy.orm import Session

from vclab.contract import USE_CASES
from vclab.contract import access as contract
from vclab.contract.access import Explain, Explained
from vclab.model.access import ALL, LAB, MEANT_FOR, Decision, Permission, Resource, ResourceKind
from vclab.model.errors import Forbidden, Invalid, NotFound, Refused
from vclab.model.typed import known, near, quoted
from vclab.service.finding import SHORTEST, plain
from vclab.service.groups import oversees
from vclab.service.rights import rights_of, rights_of_user
from vclab.service.use_case import Call, does
from vclab.store import access, catalog, reservations


@does(contract.explain)
async def explain(call: Call, question: Explain) -> Explained:
    everybody = await oversees(call)
    if question.user != call.actor.login and not everybody:
        raise Forbidden(f"{call.actor.login} may ask for themselves only", "who grants or audits may ask for everybody")
    permission = permission_of(question.action)

    def ask(session: Session) -> Decision:
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
        return rights.decide(permission, resource)

    return _explained(await call.backend.read(ask))


def permission_of(action: str) -> Permission:
    """The permission that is meant by its name, or by that of a use case. Raises ``Invalid``."""
    if action in list(Permission):
        return Permission(action)
    found = USE_CASES.get(action)
    if found is None:
        raise Invalid(
            f"{quoted(action)} is no action{near(action, [*Permission, *USE_CASES])}",
            f"use one of {', '.join(Permission)}, or the name of a use case as in `vclab audit`",
        )
    if found.rule.permission is None:
        raise Invalid(f"whoever is known to the lab may {action}", "it needs no permission")
    return found.rule.permission


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
