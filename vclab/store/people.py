"""People as their identity providers know them: accounts, passwords, and the logins and uids that they get.

A provider's account is named by (provider, subject), for a name or an address there may become another person's. Logins
and uids are never given to a second person: ``users`` keeps the rows of those who were removed, ``freed_logins`` the
digests of logins whose people were forgotten.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model import logins
from vclab.model.access import Member, ResourceKind, followed
from vclab.model.errors import NotFound, Refused
from vclab.model.people import Account, Claims
from vclab.model.tokens import digest
from vclab.store import access, catalog, models
from vclab.store.column_types import utc
from vclab.store.inserts import dialect_of

_LOCK = 0x76636C7065  # "vclpe": one of PostgreSQL's locks that belong to no row


def lock(session: Session) -> None:
    """Only one transaction at a time chooses logins and uids. Before all other locks."""
    if dialect_of(session) == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def signed_in(
    session: Session,
    claims: Claims,
    now: datetime,
    check_at: datetime,
    adopt: bool,
    make: bool,
    promised: Collection[str] = (),
) -> str:
    """Record that a provider has let somebody in. Returns their login; of a new person one is made.

    ``adopt``: an entry of that very login, which no provider and no password leads to yet, is theirs. ``make``: who is
    not known yet becomes a user. ``promised``: logins that are somebody's though they may have no entry yet, so no new
    person gets one. Raises ``Refused`` for somebody who was removed or disabled, or may not be made.
    """
    lock(session)
    known = _account(session, claims.provider, claims.subject)
    login = known.user if known else _new_login(session, claims, adopt, make, promised)
    confirm_access(session, login)
    session.merge(
        models.ProviderAccount(
            provider=claims.provider,
            subject=claims.subject,
            user=login,
            called=claims.called,
            groups=list(claims.groups),
            refresh_ref=known.refresh_ref if known else "",
            created_at=known.created_at if known else utc(now),
            confirmed_at=utc(now),
            check_at=utc(check_at),
            gone_at=None,
        )
    )
    _move(session, login, claims.affiliation)
    session.flush()
    _follow(session, login)
    return login


def _new_login(session: Session, claims: Claims, adopt: bool, make: bool, promised: Collection[str]) -> str:
    login = logins.login_of(claims.called)
    if adopt and _is_unclaimed(session, login):
        return login
    if not make:
        raise Refused(
            f"{claims.called} is not a user of this lab",
            "ask an operator to add you, with this account at the provider",
        )
    user = model.User(
        logins.first_free(login, _taken(session, promised)),
        logins.free_uid(catalog.uids(session), claims.uid),
        claims.affiliation or claims.provider,
    )
    catalog.put_user(session, user)
    return user.login


@dataclass(frozen=True)
class _Taken:
    """Logins that nobody gets, and the digests of more."""

    logins: frozenset[str]
    digests: frozenset[str]

    def __contains__(self, login: object) -> bool:
        return login in self.logins or digest(str(login)) in self.digests


def _taken(session: Session, promised: Collection[str]) -> _Taken:
    """Who is forgotten meanwhile has an entry, or else a digest: they are looked for in this order."""
    known = session.scalars(sa.select(models.User.login)).all()
    return _Taken(frozenset((*known, *promised)), frozenset(session.scalars(sa.select(models.FreedLogin.digest))))


def free(session: Session, login: str) -> None:
    """Somebody is forgotten: all that stays of their login is that nobody else gets it."""
    session.merge(models.FreedLogin(digest=digest(login)))
    session.flush()


def confirm_not_freed(session: Session, login: str) -> None:
    """Raises ``Refused`` for a login of somebody who was forgotten."""
    if session.get(models.FreedLogin, digest(login)) is not None:
        raise Refused(
            f"{login} was somebody's who was forgotten, and a login is never given to a second person",
            "choose another one",
        )


def _is_unclaimed(session: Session, login: str) -> bool:
    """An administrator has entered them, and nobody has ever signed in as them."""
    accounts, passwords = models.ProviderAccount, models.LocalPassword
    return (
        login in catalog.users_called(session, [login])
        and not session.scalar(sa.select(sa.exists().where(accounts.user == login)))
        and not session.scalar(sa.select(sa.exists().where(passwords.user == login)))
    )


def confirm_access(session: Session, login: str) -> None:
    """Raises ``Refused`` for somebody who may not sign in."""
    row = session.get(models.User, login)
    if row is None or row.removed_at is not None:
        raise Refused("this account was removed from this lab", "ask an operator")
    if row.disabled_at is not None:
        why = f": {row.disabled_why}" if row.disabled_why else ""
        raise Refused(f"this account is disabled in this lab{why}", "ask an operator")


def link(session: Session, provider: str, subject: str, login: str, now: datetime) -> None:
    """Say that this account at a provider is this person's. Raises ``Refused`` when it is another's, ``NotFound``."""
    lock(session)
    catalog.user(session, login)
    row = _account(session, provider, subject)
    if row is None:
        never = utc(now)
        session.add(
            models.ProviderAccount(
                provider=provider,
                subject=subject,
                user=login,
                called="",
                groups=[],
                created_at=never,
                confirmed_at=never,
                check_at=never,
            )
        )
    elif row.user != login:
        raise Refused(f"the account {subject} at {provider} belongs to {row.user}")


def former_uid(session: Session, login: str) -> int | None:
    """The uid of somebody who was removed: it is theirs when they come back."""
    return session.scalar(sa.select(models.User.uid).where(models.User.login == login))


def account(session: Session, provider: str, subject: str) -> Account | None:
    """An account at a provider; None when nobody has signed in with it."""
    row = _account(session, provider, subject)
    return None if row is None else account_of(row)


def accounts(session: Session, login: str) -> list[Account]:
    """All accounts of a person."""
    query = sa.select(models.ProviderAccount).where(models.ProviderAccount.user == login)
    return [account_of(row) for row in session.scalars(query.order_by(models.ProviderAccount.provider))]


def provider_groups(session: Session, login: str) -> frozenset[str]:
    """The groups in which a person's providers say they are, each as ``provider/group``."""
    return frozenset(
        f"{one.provider}/{group}" for one in accounts(session, login) if one.gone_at is None for group in one.groups
    )


def followers(session: Session, provider: str, group: str) -> list[Member]:
    """The people whom a provider says to be in this group of its own."""
    accounts, users = models.ProviderAccount, models.User
    query = sa.select(accounts.user, accounts.groups).join(users, users.login == accounts.user)
    query = query.where(accounts.provider == provider, accounts.gone_at.is_(None), users.removed_at.is_(None))
    return [Member(ResourceKind.USER, login) for login, groups in session.execute(query) if group in groups]


def _follow(session: Session, login: str) -> None:
    """Be in those groups that follow one in which a provider says that the person is, and in no other such group."""
    if login not in catalog.users_called(session, [login]):
        return
    mine, theirs = Member(ResourceKind.USER, login), provider_groups(session, login)
    following = {each.group.name for each in access.groups(session, theirs)}
    present = {name for name in access.groups_with(session, ResourceKind.USER, login) if followed(name)[0]}
    for name in sorted(following ^ present):
        (access.join if name in following else access.leave)(session, name, [mine])


def keep_refresh(session: Session, provider: str, subject: str, reference: str) -> None:
    """Under which secret the provider is asked again; empty: it can't be."""
    _change(session, provider, subject, refresh_ref=reference)


def claim_check(session: Session, provider: str, subject: str, now: datetime, again_at: datetime) -> bool:
    """Whether the caller is the one to ask the provider now: it is due, and nobody else does. Asked again at
    ``again_at``, unless the answer comes before."""
    accounts = models.ProviderAccount
    here = sa.and_(accounts.provider == provider, accounts.subject == subject, accounts.check_at <= utc(now))
    done: Any = session.execute(sa.update(accounts).where(here).values(check_at=utc(again_at)))
    return bool(done.rowcount)


def confirmed(session: Session, claims: Claims, now: datetime, check_at: datetime) -> None:
    """The provider has said again who they are."""
    values = {"groups": list(claims.groups), "called": claims.called} if claims.called else {}
    _change(
        session,
        claims.provider,
        claims.subject,
        **values,
        confirmed_at=utc(now),
        check_at=utc(check_at),
        gone_at=None,
    )
    row = _account(session, claims.provider, claims.subject)
    if row is not None and claims.called:
        _move(session, row.user, claims.affiliation)
    if row is not None:
        _follow(session, row.user)


def gone(session: Session, provider: str, subject: str, now: datetime) -> None:
    """The provider has said that they are not there any more."""
    _change(session, provider, subject, gone_at=utc(now), refresh_ref="")
    row = _account(session, provider, subject)
    if row is not None:
        _follow(session, row.user)


def put_password(session: Session, login: str, hash: str, now: datetime) -> None:
    """Set the password of a local account; ``hash`` as argon2id has it. Raises ``NotFound``."""
    catalog.user(session, login)
    session.merge(models.LocalPassword(user=login, hash=hash, changed_at=utc(now)))
    session.flush()


def password_hash(session: Session, login: str) -> str:
    """That of a local account; empty when there is none, or the person was removed or is disabled."""
    users, passwords = models.User, models.LocalPassword
    query = sa.select(passwords.hash).join(users, users.login == passwords.user)
    query = query.where(users.login == login, users.removed_at.is_(None), users.disabled_at.is_(None))
    return session.scalar(query) or ""


def with_password(session: Session, among: Collection[str]) -> set[str]:
    """Those of the logins that have a local password."""
    return set(session.scalars(sa.select(models.LocalPassword.user).where(models.LocalPassword.user.in_(among))))


def forget_password(session: Session, login: str) -> None:
    """No password leads to this account any more. Raises ``NotFound`` when none did."""
    row = session.get(models.LocalPassword, login)
    if row is None:
        raise NotFound(f"{login} has no password here")
    session.delete(row)


def _move(session: Session, login: str, affiliation: str) -> None:
    """The provider says to whom its people belong."""
    if affiliation:
        row = session.get_one(models.User, login)
        row.affiliation = affiliation


def _change(session: Session, provider: str, subject: str, **values: Any) -> None:
    accounts = models.ProviderAccount
    here = sa.and_(accounts.provider == provider, accounts.subject == subject)
    session.execute(sa.update(accounts).where(here).values(**values))
    session.expire_all()


def _account(session: Session, provider: str, subject: str) -> models.ProviderAccount | None:
    return session.get(models.ProviderAccount, (provider, subject))


def account_of(row: models.ProviderAccount) -> Account:
    """The account of a row."""
    return Account(
        provider=row.provider,
        subject=row.subject,
        user=row.user,
        called=row.called,
        groups=tuple(row.groups),
        refresh_ref=row.refresh_ref,
        created_at=row.created_at,
        confirmed_at=row.confirmed_at,
        check_at=row.check_at,
        gone_at=row.gone_at,
    )
