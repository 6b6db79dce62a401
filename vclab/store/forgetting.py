"""Forgetting a person: what tells who they were goes from every table, and a pseudonym stands in its place.

Reservations and acts stay, and are counted as before. Nothing keeps who the pseudonym was; of the login a digest stays,
for it is never given to a second person.
"""

import json
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.catalog import Thing
from vclab.model.errors import NotFound, Refused
from vclab.store import access, locks, people, removals
from vclab.store.column_types import utc
from vclab.store.models import Base, Event, Intent, ProviderAccount, Reservation, User
from vclab.store.removal_tables import Kept

TABLES = Base.metadata.tables
LEAST = 4
"""Characters of a name that is looked for, but for the login."""
ADDRESS = "(address)"
"""Stands for an address that a forgotten person came from."""
THEIRS: dict[str, str] = {
    "device_codes": "user",
    "keyed_acts": "actor",
    "local_passwords": "user",
    "provider_accounts": "user",
    "tokens": "user",
}
"""Tables whose rows are of one person and go with them, each with the column that has the login."""
THINGS = frozenset(
    {
        *("addresses.computer", "captures.id", "captures.image", "captures.reservation", "captures.raw_sha256"),
        *("claims.computer", "claims.holder", "claims.pool", "computers.image", "computers.name", "computers.pool"),
        *("computers.load_image", "computers.load_intent", "computers.private_mac", "computers.public_mac"),
        *("copies.endpoint", "copies.image", "copies.path", "copies.place", "copies.storage"),
        *("copy_waiters.image", "copy_waiters.place", "copy_waiters.reservation", "disk_children.computer"),
        *("disk_children.image", "disk_children.place", "endpoints.fingerprint", "endpoints.module"),
        *("endpoints.module_data", "endpoints.name", "endpoints.password_ref", "endpoints.site", "endpoints.url"),
        *("endpoints.username", "events.act", "events.reservation", "failed_steps.computer", "failed_steps.host"),
        *("failed_steps.reservation", "failed_steps.step", "failed_steps.title", "feed.kind", "fences.computer"),
        *("fences.name", "fences.run", "grants.on_group", "grants.to_name", "group_members.group_name"),
        *("group_members.name", "groups.name", "host_rests.endpoint", "host_rests.host", "images.name", "intents.id"),
        *("intents.authentication", "intents.roles", "intents.verb", "inventories.answer", "inventories.endpoint"),
        *("load_failures.computer", "load_failures.endpoint", "load_failures.host", "load_failures.image"),
        *("load_failures.reservation", "load_failures.step", "load_log.computer", "load_log.image", "load_log.name"),
        *("load_log.outcome", "load_log.part", "load_log.reservation", "load_log.title", "orphans.endpoint"),
        *("orphans.instance_uuid", "orphans.name", "pools.endpoint", "pools.name", "pools.resource"),
        *("refused_requests.id", "refused_requests.image", "removals.by", "removals.pseudonym"),
        *("repositories.folder", "repositories.name", "repositories.site", "reservations.becomes"),
        *("reservations.boot_id", "reservations.computer", "reservations.endpoint", "reservations.host"),
        *("reservations.host_key", "reservations.host_key_from", "reservations.id", "reservations.image"),
        *("reservations.target", "revisions.endpoint", "revisions.guest", "revisions.hardware", "revisions.image"),
        *("revisions.module", "revisions.module_data", "revisions.parent_image", "revisions.reservation"),
        *("revisions.sha256", "spares.computer", "spares.endpoint", "spares.evicted_for", "spares.host"),
        *("spares.image", "spares.target", "tenures.computer", "tenures.holder", "tenures.image"),
        *("device_codes.digest", "device_codes.user_code", "emergency_codes.digest", "freed_logins.digest"),
        *("local_passwords.hash",),
        *("pending_sign_ins.browser", "pending_sign_ins.digest", "pending_sign_ins.nonce", "pending_sign_ins.provider"),
        *("pending_sign_ins.then", "pending_sign_ins.verifier", "provider_accounts.refresh_ref", "tokens.digest"),
        *("tokens.id", "tokens.kind"),
        *("users.affiliation", "users.login", "users.public_keys", "users.zone"),
    }
)
"""Columns of text that name other things than people, or are dealt with by themselves. A person's name is looked for in
all others: a column that is added later is one of them until it is named here."""


@dataclass(frozen=True)
class Known:
    """What there is of a person."""

    login: str
    names: tuple[str, ...]  #: what else tells who they are: their keys, and what they are called elsewhere
    addresses: tuple[str, ...]
    reservations: tuple[str, ...]
    acts: int
    ended: datetime | None  #: when their last reservation ended
    secrets: tuple[str, ...]  #: by which their providers can be asked about them


def known(session: Session, login: str) -> Known:
    """What there is of them. Raises ``NotFound``, and ``Refused`` while they have reservations."""
    user = session.get(User, login)
    if user is None:
        raise NotFound(f"there is no user {login}")
    mine = session.scalars(sa.select(Reservation).where(Reservation.user == login).order_by(Reservation.id)).all()
    if open_ones := [row.id for row in mine if row.finished_at is None]:
        raise Refused(f"{login} still has {', '.join(open_ones[:3])}", "forget them when these have ended")
    acts = session.execute(sa.select(Intent.address).where(Intent.actor == login)).scalars().all()
    accounts = session.scalars(sa.select(ProviderAccount).where(ProviderAccount.user == login)).all()
    elsewhere = [name for account in accounts for name in (account.called, account.subject) if _tells_who(name)]
    addresses = {*acts, *(each for row in mine for each in row.remote_addresses)} - {""}
    return Known(
        login,
        tuple(dict.fromkeys((*user.public_keys, *elsewhere))),
        tuple(sorted(addresses)),
        tuple(row.id for row in mine),
        len(acts),
        max((row.finished_at for row in mine if row.finished_at), default=None),
        tuple(account.refresh_ref for account in accounts if account.refresh_ref),
    )


def _tells_who(name: str) -> bool:
    """Whether a name of elsewhere is one of its own: "1001" is also a uid, and stands for other things."""
    return len(name) >= LEAST and not name.isdecimal()


def new_pseudonym() -> str:
    """One that nobody has had."""
    return f"gone-{secrets.token_hex(6)}"


def forget(session: Session, login: str, pseudonym: str, by: str, now: datetime) -> int:
    """Forget them; in how many rows. ``by``: the intent. Raises as ``known``."""
    locks.user(session, login)
    person = known(session, login)
    with removals.removing(session, Kept.PERSON, now, by=by, pseudonym=pseudonym) as removal:
        rows = _their_rows(session, person)
        rows += _clear_addresses(session, person)
        uid = _add_pseudonym(session, person, pseudonym, now)
        mine = sa.update(Reservation).where(Reservation.user == login)
        session.execute(mine.values(user=pseudonym, remote_addresses=[], handover=""))
        people.free(session, login)
        session.execute(sa.delete(User).where(User.login == login))
        session.execute(sa.update(User).where(User.login == pseudonym).values(uid=uid))
        rename = partial(_renamed, names=_pattern((login, *person.names)), pseudonym=pseudonym)
        rows += sum(_replace(session, table, (login, *person.names), rename) for table in TABLES.values())
        rows += len(person.reservations)
        removal.rows = rows
    session.expire_all()
    return rows


def _their_rows(session: Session, person: Known) -> int:
    """What is of them alone goes."""
    rows = access.forget(session, Thing.USER, person.login)
    for name, column in THEIRS.items():
        rows += len(session.execute(_deleted(TABLES[name], column, person.login)).all())
    return rows


def _deleted(table: sa.Table, column: str, login: str) -> Any:
    return sa.delete(table).where(table.c[column] == login).returning(sa.literal(1))


def _clear_addresses(session: Session, person: Known) -> int:
    """From where they came: in their acts, and in what was noted of their reservations."""
    session.execute(sa.update(Intent).where(Intent.actor == person.login).values(address="", token=""))
    if not person.addresses:
        return 0
    mine = Event.reservation.in_(sa.select(Reservation.id).where(Reservation.user == person.login))
    theirs = sa.or_(mine, Event.who == person.login)
    clear = partial(_renamed, names=_pattern(person.addresses), pseudonym=ADDRESS)
    rows = _replace(session, TABLES["events"], person.addresses, clear, theirs)
    acts = sa.or_(Intent.actor == person.login, Intent.for_user == person.login)
    return rows + _replace(session, TABLES["intents"], person.addresses, clear, acts)


def _add_pseudonym(session: Session, person: Known, pseudonym: str, now: datetime) -> int:
    """An entry that reservations refer to. It gets the uid, which so is never anybody else's; that is returned."""
    old = session.get_one(User, person.login)
    entry = User(login=pseudonym, uid=-old.uid - 2, affiliation=old.affiliation, public_keys=[], zone="UTC")
    entry.removed_at = utc(now)
    session.add(entry)
    session.flush()
    return old.uid


def _pattern(names: Iterable[str]) -> re.Pattern[str]:
    """Each name as a word of its own: "al" is not in "alice", nor "debian" in "debian-12"; the longest first."""
    words = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"(?<![\w.@-])(?:{words})(?![\w-]|\.\w)")


def _renamed(value: Any, names: re.Pattern[str], pseudonym: str) -> Any:
    """The value with the pseudonym wherever a name stood; of JSON, also in keys."""
    if isinstance(value, str):
        return names.sub(pseudonym, value)
    if isinstance(value, list):
        return [_renamed(each, names, pseudonym) for each in value]
    if isinstance(value, dict):
        return {_renamed(key, names, pseudonym): _renamed(each, names, pseudonym) for key, each in value.items()}
    return value


def _replace(
    session: Session,
    table: sa.Table,
    names: Sequence[str],
    rename: Callable[[Any], Any],
    where: sa.ColumnElement[bool] | None = None,
) -> int:
    """Replace the names in all columns of the table that may name a person; in how many rows."""
    columns = [column for column in table.c if _may_name(table, column)]
    if not columns:
        return 0
    keys, some = list(table.primary_key.columns), sa.or_(*(_contains(c, name) for c in columns for name in names))
    query = sa.select(*keys, *(c for c in columns if c not in keys)).where(some if where is None else some & where)
    changed = 0
    for row in session.execute(query).mappings().all():
        new = {c.name: rename(row[c]) for c in columns if rename(row[c]) != row[c]}
        if new:
            session.execute(sa.update(table).where(*(key == row[key] for key in keys)).values(new))
            changed += 1
    return changed


def _may_name(table: sa.Table, column: sa.Column[Any]) -> bool:
    text = isinstance(column.type, sa.String | sa.JSON) and not isinstance(column.type, sa.Enum)
    return text and f"{table.name}.{column.name}" not in THINGS


def _contains(column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    """In JSON as it is written there."""
    said = json.dumps(name)[1:-1] if isinstance(column.type, sa.JSON) else name
    return sa.cast(column, sa.String).contains(said, autoescape=True)
