"""The tables of who people are: accounts at providers, passwords, tokens, and sign-ins that are under way."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from vclab.store.table_base import Base


class ProviderAccount(Base):
    """A person's account at an identity provider. The subject never changes there; what they are called may."""

    __tablename__ = "provider_accounts"

    provider: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.login"), index=True)
    called: Mapped[str]
    groups: Mapped[list[str]]
    refresh_ref: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime]
    check_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]


class LocalPassword(Base):
    """The password of a local account, as argon2id has it."""

    __tablename__ = "local_passwords"

    user: Mapped[str] = mapped_column(ForeignKey("users.login"), primary_key=True)
    hash: Mapped[str]
    changed_at: Mapped[datetime]


class Token(Base):
    """A token, or a browser's session: of its secret only the SHA-256."""

    __tablename__ = "tokens"
    __table_args__ = (Index("ix_tokens_account", "provider", "subject"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    user: Mapped[str | None] = mapped_column(ForeignKey("users.login"), index=True)  #: None: emergency administrator
    provider: Mapped[str]
    subject: Mapped[str]
    mfa: Mapped[bool]
    name: Mapped[str]
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    created_from: Mapped[str]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    why_ended: Mapped[str] = mapped_column(default="")


class FreedLogin(Base):
    """A login that somebody had who was forgotten, so that nobody else gets it: its SHA-256.

    Neither when nor in which order: removals tell that of pseudonyms.
    """

    __tablename__ = "freed_logins"
    __table_args__ = ({"sqlite_with_rowid": False},)

    digest: Mapped[str] = mapped_column(primary_key=True)


class DeviceCode(Base):
    """A program that waits for somebody to say in a browser that it may have a token."""

    __tablename__ = "device_codes"

    digest: Mapped[str] = mapped_column(primary_key=True)
    user_code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    scopes: Mapped[list[str]]
    address: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    interval: Mapped[float]  #: seconds between two questions; grows when it asks too often
    asked_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    user: Mapped[str] = mapped_column(default="")  #: who has allowed it; empty: refused, or not decided
    provider: Mapped[str] = mapped_column(default="")
    subject: Mapped[str] = mapped_column(default="")
    mfa: Mapped[bool] = mapped_column(default=False)


class PendingSignIn(Base):
    """Somebody who was sent to a provider. Gone as soon as they are back."""

    __tablename__ = "pending_sign_ins"

    digest: Mapped[str] = mapped_column(primary_key=True)  #: of the state
    browser: Mapped[str]  #: digest of that browser's cookie
    provider: Mapped[str]
    nonce: Mapped[str]
    verifier: Mapped[str]
    then: Mapped[str]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class SignInAttempts(Base):
    """Attempts in vain: of one account, or from one address."""

    __tablename__ = "sign_in_attempts"

    key: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    at: Mapped[datetime] = mapped_column(index=True)
    next_at: Mapped[datetime]


class EmergencyCode(Base):
    """A one-time code of the emergency administrator: its SHA-256. Kept as a record of who was let in."""

    __tablename__ = "emergency_codes"

    digest: Mapped[str] = mapped_column(primary_key=True)
    made_at: Mapped[datetime]
    made_by: Mapped[str]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
    used_from: Mapped[str] = mapped_column(default="")
