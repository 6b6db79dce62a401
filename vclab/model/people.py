"""What is known of people beyond their entry: what their identity provider says, and by what they are known."""

from dataclasses import dataclass
from datetime import datetime

from vclab.model.catalog import User
from vclab.model.tokens import Kind, Scope

LOCAL = "local"
"""The provider of local accounts: passwords that vclab keeps."""


@dataclass(frozen=True)
class Claims:
    """What a provider says of a person who has signed in there, by the settings' names of its claims."""

    provider: str
    subject: str  #: never changes there, and is never another person's
    called: str  #: what the login name is made of
    affiliation: str = ""
    groups: tuple[str, ...] = ()
    uid: int | None = None
    mfa: bool = False  #: they have shown more than a password


@dataclass(frozen=True)
class SignedIn:
    """Who has signed in, and how: what a session or a token is made for."""

    user: str  #: login; empty: the emergency administrator
    provider: str  #: or ``LOCAL``; empty: the emergency administrator
    subject: str = ""  #: at the provider
    mfa: bool = False


@dataclass(frozen=True)
class Token:
    """A token or a browser's session, as it is recorded. Its secret is nowhere."""

    id: str  #: names it; no secret
    kind: Kind
    who: SignedIn
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    created_from: str  #: address
    expires_at: datetime
    used_at: datetime | None  #: to within some minutes
    ended_at: datetime | None
    why_ended: str


@dataclass(frozen=True)
class Account:
    """A person's account at a provider."""

    provider: str
    subject: str
    user: str
    called: str
    groups: tuple[str, ...]
    refresh_ref: str  #: the secret by which the provider is asked again; empty: it gave none
    created_at: datetime
    confirmed_at: datetime  #: when the provider has said last that they are there
    check_at: datetime  #: when it is asked next
    gone_at: datetime | None  #: it has said that they are not


@dataclass(frozen=True)
class Known:
    """What a token leads to."""

    token: Token
    user: User | None  #: None: the emergency administrator, or somebody who was removed
    account: Account | None  #: at the provider; None: local


@dataclass(frozen=True)
class DeviceRequest:
    """A program that wants a token, and waits until somebody says so in a browser (RFC 8628)."""

    user_code: str
    name: str  #: what it calls itself: a claim
    scopes: frozenset[Scope]
    address: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class PendingSignIn:
    """Somebody who was sent to a provider, and is awaited back."""

    provider: str
    nonce: str
    verifier: str
    then: str  #: the page that they wanted


@dataclass(frozen=True)
class EmergencyUse:
    """A one-time code of the emergency administrator."""

    made_at: datetime
    made_by: str
    expires_at: datetime
    used_at: datetime | None
    used_from: str
