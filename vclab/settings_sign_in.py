"""The settings of how people sign in (docs/sign-in.md)."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from vclab.model.people import LOCAL
from vclab.settings_section import Length, Name, Section, Wait


def is_private_url(url: str) -> bool:
    """Whether nobody on the way reads what is sent there: by TLS, or within this machine. Raises ``ValueError``."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return bool(host)
    try:
        return parts.scheme == "http" and ip_address(host).is_loopback
    except ValueError:
        return parts.scheme == "http" and host == "localhost"


def _issuer(text: str) -> str:
    """Raises ``ValueError``."""
    parts = urlsplit(text)
    if not is_private_url(text) or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"must be an https:// URL, just as the provider calls itself, not {text!r}")
    return text


Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""By which a provider may sign: none of those whose key both sides know, and never "none"."""


class ClaimSettings(Section):
    """What a provider's claims are called. Nested ones are written with a dot: ``realm_access.roles``."""

    login: str = "preferred_username"  #: the Linux login is made of it; the first of these that is there: "a|b"
    affiliation: str = ""  #: empty: that of the provider, always
    groups: str = "groups"
    uid: str = ""  #: the Linux uid, a number; empty: the next free one
    mfa: str = "amr"  #: says how somebody has signed in


class ProviderSettings(Section):
    """An identity provider that speaks OpenID Connect. SAML and LDAP come through one that does."""

    issuer: Annotated[str, AfterValidator(_issuer)]
    client_id: str = Field(min_length=1)
    client_secret_file: Path | None = None  #: readable by the API server only; none: a public client, by PKCE alone
    title: str = ""  #: on the sign-in page; empty: the provider's name here
    ca_file: Path | None = None  #: the authority of its certificate; none: those of the system
    scopes: tuple[str, ...] = ("openid", "profile", "email", "groups", "offline_access")
    """``offline_access``: for a refresh token, by which it is asked whether somebody is still there."""
    claims: ClaimSettings = ClaimSettings()
    algorithms: tuple[Algorithm, ...] = Field(("RS256", "ES256"), min_length=1)
    affiliation: Name | None = None  #: of its people, if no claim says another one; none: the provider's name here
    affiliations: dict[str, Name] = Field(
        default_factory=dict
    )  #: what the claim says: the affiliation; others are refused, unless empty
    mfa_values: tuple[str, ...] = ("mfa", "otp", "hwk", "fpt", "face", "sc")  #: of the claim ``mfa`` (RFC 8176)
    adopt: bool = False  #: who signs in as ``alice`` is the ``alice`` that an administrator has entered
    new_people: bool = True  #: whoever it lets in becomes a user; else an administrator links each one
    recheck: Wait = 3600  #: seconds; it is asked so often whether somebody is still there
    recheck_grace: Length = 86_400
    """Seconds; who it has not confirmed for so long since then has to sign in again: it is away, or can't tell."""


class SignInSettings(Section):
    """How people sign in, and what they get by it. Lengths are in seconds."""

    providers: dict[Name, ProviderSettings] = Field(default_factory=dict)
    local: bool = True  #: with a password that vclab keeps, too
    mfa_required_for_operators: bool = False
    """Without the provider's word that they have shown more than a password, operators are only users."""
    session: Wait = 12 * 3600  #: a browser's
    login_token: Wait = 30 * 86400  #: of `vclab login`
    longest_token: Wait = 366 * 86400  #: of one that people make themselves
    emergency: Annotated[Wait, Field(le=86_400)] = 3600  #: from the making of the code to the end of its session
    device: Annotated[Wait, Field(le=3600)] = 900  #: a program waits so long to be let in
    clock_skew: Annotated[Length, Field(le=300)] = 30  #: the provider's clock may be wrong by this

    @model_validator(mode="after")
    def _names(self) -> Self:
        """Raises ``ValueError``."""
        if LOCAL in self.providers:
            raise ValueError(f'a provider can\'t be called "{LOCAL}": that is vclab itself')
        return self
