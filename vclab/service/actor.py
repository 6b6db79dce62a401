"""Who calls, how that is known, and what they may do."""

from dataclasses import dataclass
from enum import StrEnum

from vclab.model.catalog import User
from vclab.model.people import SignedIn
from vclab.model.tokens import ALL, Scope


class Role(StrEnum):
    """What a person is to the lab. A person may have several roles."""

    USER = "user"  #: has an entry among the users, and so may have reservations
    OPERATOR = "operator"  #: the setting ``operators`` names them: acts for everybody, and keeps the lab
    ADMINISTRATOR = "administrator"  #: root, or the account whose secrets these are: keeps the lab


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
    roles: frozenset[Role]
    authentication: Authentication
    account: str = ""  #: the local account behind it
    user: User | None = None  #: their entry; None when they have none
    scopes: frozenset[Scope] = ALL  #: without ``ADMIN``, ``roles`` are those of a user already
    token: str = ""  #: the id of the token that was shown, or of the browser's session
    signed_in: SignedIn | None = None  #: how, of who came with a token or a cookie
    address: str = ""  #: where they come from, as the server sees it; empty: not over the network

    @property
    def operator(self) -> bool:
        """Limits do not bind operators, and they see everybody's reservations."""
        return Role.OPERATOR in self.roles

    @property
    def keeps(self) -> bool:
        """May change what the lab consists of."""
        return not self.roles.isdisjoint((Role.OPERATOR, Role.ADMINISTRATOR))
