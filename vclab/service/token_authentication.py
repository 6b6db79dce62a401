"""Who calls with a token or a browser's session, and what they may do by it."""

from datetime import datetime, timedelta

from vclab.model.catalog import User
from vclab.model.errors import Unauthenticated
from vclab.model.logins import EMERGENCY
from vclab.model.people import Account, Known, SignedIn
from vclab.model.tokens import Kind, Scope
from vclab.service.actor import Actor, Authentication, Role
from vclab.settings import Settings

_AGAIN = "sign in again: `vclab login URL`, or the sign-in page"
_HOW = {Kind.SESSION: Authentication.SESSION}


def confirm(settings: Settings, known: Known | None, browser: bool, now: datetime) -> Known:
    """What is known of a token, if it is still worth something. ``browser``: it came as a cookie.

    Raises ``Unauthenticated`` with the reason: who has the token's text may know what has become of it.
    """
    if known is None or (known.token.kind is Kind.SESSION) is not browser:
        raise Unauthenticated("this token is not known", _AGAIN)
    token, account = known.token, known.account
    if token.who.user:
        _confirm_user(known.user)  # first: that is why the token was ended, too
    if token.ended_at is not None:
        raise Unauthenticated(f"this token was ended: {token.why_ended}", _AGAIN)
    if token.expires_at <= now:
        raise Unauthenticated(f"this token has expired at {token.expires_at:%Y-%m-%d %H:%M} UTC", _AGAIN)
    if account is not None:
        _confirm_account(settings, account, now)
    return known


def _confirm_user(user: User | None) -> None:
    if user is None:
        raise Unauthenticated("this account was removed from this lab", "ask an operator")
    if user.disabled_at is not None:
        raise Unauthenticated("this account is disabled in this lab", "ask an operator")


def _confirm_account(settings: Settings, account: Account, now: datetime) -> None:
    provider = settings.sign_in.providers.get(account.provider)
    if provider is None:
        raise Unauthenticated(f"the identity provider {account.provider} is not used any more", _AGAIN)
    if account.gone_at is not None:
        raise Unauthenticated(f"{account.provider} says that this account is not there any more", "ask an operator")
    if now - account.confirmed_at > timedelta(seconds=provider.recheck + provider.recheck_grace):
        since = f"{account.confirmed_at:%Y-%m-%d %H:%M} UTC"
        raise Unauthenticated(f"{account.provider} has not confirmed this account since {since}", _AGAIN)


def actor_by(settings: Settings, known: Known, address: str) -> Actor:
    """The actor that a token leads to. Only what has passed ``confirm`` may be given."""
    token = known.token
    login = known.user.login if known.user else EMERGENCY
    beyond = Scope.ADMIN in token.scopes and not lacks_mfa(settings, token.who)
    how = _HOW.get(token.kind, Authentication.TOKEN) if token.who.user else Authentication.EMERGENCY
    return Actor(
        login,
        _roles(settings, known.user, beyond),
        how,
        user=known.user,
        scopes=token.scopes,
        token=token.id,
        kind=token.kind,
        signed_in=token.who,
        address=address,
        beyond=beyond or known.user is None,
    )


def lacks_mfa(settings: Settings, who: SignedIn) -> bool:
    """Whether somebody's roles beyond a user's are withheld, for their provider vouches for a password only."""
    return settings.sign_in.mfa_required_for_operators and bool(who.user) and not who.mfa


def _roles(settings: Settings, user: User | None, beyond: bool) -> frozenset[Role]:
    if user is None:
        return frozenset({Role.ADMINISTRATOR})
    return frozenset({Role.USER, Role.OPERATOR} if beyond and user.login in settings.operators else {Role.USER})
