"""Who calls, how that is known, and what they may do."""

from dataclasses import dataclass
from enum import StrEnum

from vclab.model.access import Grant, Role, ToKind
from vclab.model.catalog import User
from vclab.model.people import SignedIn
from vclab.model.tokens import ALL, Kind, Scope

__all__ = ["Actor", "Authentication", "Role", "standing"]


class Authentication(StrEnum):
    """How it is known who calls."""

    ACCOUNT = "account"  #: the login name of the local account that runs the command
    TOKEN = "token"
    SESSION = "session"  #: a browser's, by its cookie
    EMERGENCY = "emergency"  #: the one-time code that somebody with root rights has made


@dataclass(frozen=True)
class Actor:
    """Who calls. Only an authenticated face makes one."""

    login: str
    roles: frozenset[Role]  #: that no grant gives: by an entry, by the setting ``operators``, by being root
    authentication: Authentication
    account: str = ""  #: the local account behind it
    user: User | None = None  #: their entry; None when they have none
    scopes: frozenset[Scope] = ALL
    token: str = ""  #: the id of the token that was shown, or of the browser's session
    kind: Kind | None = None  #: of that token
    signed_in: SignedIn | None = None  #: how, of who came with a token or a cookie
    address: str = ""  #: where they come from, as the server sees it; empty: not over the network
    beyond: bool = True  #: roles beyond a user's count; not for a token without ``ADMIN``, nor without a second factor

    @property
    def operator(self) -> bool:
        """The setting ``operators`` names them."""
        return Role.OPERATOR in self.roles

    @property
    def standing(self) -> tuple[Grant, ...]:
        """The roles that no grant in the store gives them, and that none can take away."""
        return standing(self.login, self.roles)


def standing(login: str, roles: frozenset[Role]) -> tuple[Grant, ...]:
    """What ``roles`` that are not granted give: operators by the setting are administrators too; root is one."""

    def over_everything(role: Role, source: str) -> Grant:
        return Grant(role, ToKind.PERSON, login, source=source)

    if Role.OPERATOR in roles:
        both = Role.OPERATOR, Role.ADMINISTRATOR
        return tuple(over_everything(role, "by the setting `operators`") for role in both)
    return (over_everything(Role.ADMINISTRATOR, "who keeps the secrets"),) if Role.ADMINISTRATOR in roles else ()
