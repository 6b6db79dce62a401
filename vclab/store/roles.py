"""Who may do what in a PostgreSQL database: the migrator, the worker, the API, and those who only read.

``TABLES`` is the whole of it. What is not named there is not granted: a new table is nobody's until it has a line
(a test looks). The SQL can be run again and again; ``vclab store roles`` prints or applies it, ``vclab store migrate``
applies what is about tables. On SQLite there are no roles: whoever can write the file can write all of it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.errors import Invalid, Refused

ROLES = ("migrator", "worker", "api", "reader")
"""Of an installation: ``<prefix>_migrator`` and so on. The migrator owns the tables."""
PREFIX = "vclab"
ALL = "read add change delete"
_VERBS = {"read": "SELECT", "add": "INSERT", "change": "UPDATE", "delete": "DELETE"}
_RIGHT = re.compile(r"(read|add|change|delete)(?:\(([a-z0-9_, ]+)\))?")


@dataclass(frozen=True)
class Rights:
    """What three roles may do with a table: of ``read add change delete``, each perhaps with the columns to which that
    is limited. PostgreSQL wants the right to change one column of whoever locks a row: that is what ``change`` of a
    column without weight is for."""

    worker: str
    api: str
    reader: str = "read"

    def of(self, role: str) -> str:
        """Of one role, by its name without the prefix."""
        return str({"worker": self.worker, "api": self.api, "reader": self.reader}[role])


_STATE = Rights(worker=ALL, api="read")
"""State is the workflows': they write it through records, and people ask by intents."""

TABLES: Mapping[str, Rights] = {
    # What the lab consists of: administrators' use cases. The worker locks rows, and learns what is on storages.
    "users": Rights(worker=ALL, api=ALL),  # the worker forgets them
    "endpoints": Rights(worker="read change(disabled_why)", api=ALL),
    "repositories": Rights(worker="read", api=ALL),
    # Whoever changes an endpoint's entry forgets what it said before. What it says, workers write.
    "inventories": Rights(worker=ALL, api="read add(endpoint, epoch) change(epoch, taken_at, answer)"),
    "images": Rights(worker="read add change(title, disabled_why)", api=ALL),
    "revisions": Rights(worker=ALL, api=ALL),
    "copies": Rights(worker=ALL, api=ALL),
    "pools": Rights(worker=ALL, api="read change(seen_at)"),
    "computers": Rights(
        worker=ALL,
        # Never what it holds, whether it is tainted, and who was seen at it: that is state.
        api="read add delete change(pool, state, notes, why_out_of_service, leaving, why_leaving, returns_at, "
        "load_intent, load_image, load_revision, failed_generation, private_mac, public_mac, private_address, "
        "host_key, host_key_from, power, power_password_ref, power_fingerprint, module_data, removed_at)",
    ),
    # Who may do what. The worker asks where somebody may be placed; whom it forgets leaves all groups.
    "groups": Rights(worker="read change(title, made_by)", api=ALL),
    "group_members": Rights(worker="read delete", api="read add delete"),
    "grants": Rights(worker="read delete change(made_by)", api=ALL),
    # State.
    "reservations": _STATE,
    "captures": _STATE,
    "tenures": _STATE,
    "fences": _STATE,
    "addresses": _STATE,
    "spares": _STATE,
    "copy_waiters": _STATE,
    "disk_children": _STATE,
    "failed_steps": _STATE,
    "refused_requests": _STATE,
    "load_log": _STATE,
    # A copy that is asked for has its room promised at once; no computer is ever promised by the API.
    "claims": Rights(worker=ALL, api="read add(pool, holder, starts, ends, cpus, memory_mb, disk_gb, released, spare)"),
    # An operator wakes a host, trusts a revision, or removes an endpoint.
    "load_failures": Rights(worker=ALL, api="read change(against_host, against_revision)"),
    "host_rests": Rights(worker=ALL, api="read add change"),
    "orphans": Rights(worker=ALL, api="read delete"),
    # The audit. The worker deletes what is too old, and takes the names of who is forgotten from it; triggers refuse
    # that without a row in removals, which nobody deletes.
    "events": Rights(worker="read add change(who, what, detail) delete", api="read"),
    "intents": Rights(
        worker="read change(actor, subject, for_user, account, token, address, arguments, detail) delete",
        api="read add change(outcome, detail, answered_at)",
    ),
    "removals": Rights(worker="read add change(rows, ended_at)", api="read"),
    # The feed: triggers write it, with the migrator's rights; whoever reads it numbers it.
    "feed": Rights(worker="read change(number, thing, owner) delete", api="read change(number)"),
    "feed_state": Rights(worker="read change(last, pruned)", api="read change(last)"),
    # Answers of acts, as they were given: some are for one person only.
    "keyed_acts": Rights(
        worker="read change(actor, key, asked, intent, reservation, answer) delete", api=ALL, reader=""
    ),
    # Who people are, and what they sign in with: digests and hashes, which only the API reads. The worker forgets them.
    "provider_accounts": Rights(
        worker="read change(provider, subject, user, called, groups, refresh_ref) delete",
        api=ALL,
        reader="read(provider, subject, user, called, created_at, confirmed_at, gone_at)",
    ),
    "tokens": Rights(
        worker="read(id, kind, user, provider, subject, mfa, name, scopes, created_at, created_from, expires_at, "
        "used_at, ended_at, why_ended) "
        "change(kind, user, provider, subject, name, scopes, created_from, why_ended) delete",
        api=ALL,
        reader="read(id, kind, user, provider, mfa, name, scopes, created_at, expires_at, used_at, ended_at)",
    ),
    "local_passwords": Rights(
        worker="read(user, changed_at) change(user) delete", api=ALL, reader="read(user, changed_at)"
    ),
    "freed_logins": Rights(worker="read add", api="read", reader=""),
    "device_codes": Rights(
        worker="read change(name, scopes, address, user, provider, subject) delete", api=ALL, reader=""
    ),
    "emergency_codes": Rights(worker="read change(made_by, used_from)", api=ALL, reader=""),
    "pending_sign_ins": Rights(worker="read(digest, provider, expires_at) delete", api=ALL, reader=""),
    "sign_in_attempts": Rights(worker="read change(key) delete", api=ALL),
    "alembic_version": Rights(worker="read", api="read"),
}


def statements(prefix: str = PREFIX, tables: Mapping[str, Rights] = TABLES) -> list[str]:
    """All of the SQL: the roles, where they are missing, and their rights. Raises ``Invalid`` for a prefix."""
    return [*_creation(prefix), *_ownership(_name(prefix, "migrator")), *grants(prefix, tables)]


def grants(prefix: str = PREFIX, tables: Mapping[str, Rights] = TABLES) -> list[str]:
    """The SQL that gives existing roles their rights on existing tables, and takes all others. Raises ``Invalid``."""
    names = [_name(prefix, role) for role in ROLES]
    migrator, *others = names
    everybody = ", ".join(others)
    first = [
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA public TO {', '.join(names)}",
        f"GRANT CREATE ON SCHEMA public TO {migrator}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {everybody}",
        f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC, {everybody}",
    ]
    return first + [
        line for table, rights in tables.items() for role in ROLES[1:] for line in _granted(prefix, role, table, rights)
    ]


def apply(session: Session, prefix: str = PREFIX) -> None:
    """Make the roles that are missing, and give all of them their rights.

    Raises ``Refused`` on SQLite, and before the tables are there; errors of the database as they come.
    """
    _must_have_roles(session)
    known = set(sa.inspect(session.connection()).get_table_names())
    if missing := TABLES.keys() - known:
        raise Refused(f"the database has no table {min(missing)} yet", "run `vclab store migrate` first")
    for line in statements(prefix):
        session.connection().exec_driver_sql(line)


def apply_where_there(session: Session, prefix: str = PREFIX) -> bool:
    """Give the roles their rights again, if the database has them: a migration may have made tables. Whether it has."""
    if not _is_postgresql(session) or missing_roles(session, prefix):
        return False
    for line in grants(prefix):
        session.connection().exec_driver_sql(line)
    return True


def missing_roles(session: Session, prefix: str = PREFIX) -> list[str]:
    """Roles of an installation that the server does not have."""
    there = set(session.scalars(sa.text("SELECT rolname FROM pg_roles")))
    return [name for name in (_name(prefix, role) for role in ROLES) if name not in there]


def excess(session: Session) -> str:
    """What whoever is connected here could do besides: be a superuser, or own the tables; empty: nothing of that."""
    if not _is_postgresql(session):
        return ""
    if session.scalar(sa.text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")):
        return "is a superuser of the server"
    owner = "SELECT pg_has_role(current_user, tableowner, 'USAGE') FROM pg_tables WHERE tablename = 'intents'"
    return "owns the tables" if session.scalar(sa.text(owner)) else ""


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def _must_have_roles(session: Session) -> None:
    if not _is_postgresql(session):
        raise Refused("SQLite has no roles: whoever can write its file can write all of it", "use PostgreSQL")


def _name(prefix: str, role: str) -> str:
    """Raises ``Invalid``: it becomes part of a statement."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", prefix):
        raise Invalid(f"a prefix of roles has small letters, digits and underscores, not {prefix!r}")
    return f"{prefix}_{role}"


def _creation(prefix: str) -> Iterator[str]:
    """Without a password and without the right to log in through one: that is the administrator's to give."""
    for role in ROLES:
        name = _name(prefix, role)
        make = f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
        yield (f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN {make}; END IF; END $$")


def _ownership(migrator: str) -> Iterator[str]:
    """What another account made before belongs to the migrator; what an extension made stays as it is."""
    yield (
        "DO $$ DECLARE found text; BEGIN "
        "FOR found IN SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'public' AND c.relkind IN ('r', 'v') AND pg_get_userbyid(c.relowner) <> "
        f"'{migrator}' LOOP EXECUTE 'ALTER TABLE ' || found || ' OWNER TO {migrator}'; END LOOP; "
        "FOR found IN SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
        "WHERE n.nspname = 'public' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') "
        f"AND pg_get_userbyid(p.proowner) <> '{migrator}' "
        f"LOOP EXECUTE 'ALTER FUNCTION ' || found || ' OWNER TO {migrator}'; END LOOP; END $$"
    )


def _granted(prefix: str, role: str, table: str, rights: Rights) -> Iterator[str]:
    name, adds = _name(prefix, role), False
    for verb, columns in _RIGHT.findall(rights.of(role)):
        adds = adds or verb == "add"
        only = f" ({', '.join(_quoted(columns))})" if columns else ""
        yield f"GRANT {_VERBS[verb]}{only} ON {table} TO {name}"
    if adds:
        yield _sequence(table, name)


def _quoted(columns: str) -> Iterator[str]:
    """ "user" is a word of SQL."""
    return (f'"{column.strip()}"' for column in columns.split(","))


def _sequence(table: str, name: str) -> str:
    """Whoever adds rows takes their numbers. Few tables have a sequence, and which, the database knows."""
    return (
        "DO $$ DECLARE found text; BEGIN "
        f"FOR found IN SELECT d.objid::regclass::text FROM pg_depend d JOIN pg_class c ON c.oid = d.objid "
        f"WHERE d.refobjid = '{table}'::regclass AND c.relkind = 'S' "
        f"LOOP EXECUTE 'GRANT USAGE ON SEQUENCE ' || found || ' TO {name}'; END LOOP; END $$"
    )
