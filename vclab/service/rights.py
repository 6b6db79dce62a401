"""What an actor may do at this moment, as the store says. Grants are read at each call: who lost one has it no more."""

from sqlalchemy.orm import Session

from vclab.model.access import Person, Rights, Role
from vclab.service.actor import Actor, standing
from vclab.settings import Settings
from vclab.store import access


def rights_of(session: Session, actor: Actor) -> Rights:
    """The actor's rights. One query."""
    grants = (*actor.standing, *access.grants_of(session, actor.login))
    if not actor.beyond:
        grants = tuple(grant for grant in grants if grant.role is Role.USER)
    return Rights(Person(actor.login, actor.user is not None), grants)


def rights_of_user(session: Session, settings: Settings, login: str, known: bool) -> Rights:
    """The rights that somebody else has when they call. ``known``: they have an entry among the users."""
    given = standing(login, frozenset({Role.OPERATOR} if login in settings.operators else ()))
    return Rights(Person(login, known), (*given, *access.grants_of(session, login)))
