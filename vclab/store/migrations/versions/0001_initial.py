"""The schema of 0.1.0."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
WORD = sa.String(20)
OPEN = sa.text("ended_at IS NULL")
HELD = sa.text("released_at IS NULL")
FAILED = sa.text("ending = 'failed' AND dismissed_at IS NULL")
PRODUCTION = sa.text("state = 'production'")

SQLITE_REFUSAL = """
CREATE TRIGGER {name} BEFORE {event} ON claims
WHEN NEW.computer IS NOT NULL AND NOT NEW.released
BEGIN
    SELECT RAISE(ABORT, 'claims_computer_overlap')
    WHERE EXISTS (
        SELECT 1 FROM claims
        WHERE computer = NEW.computer AND NOT released AND id IS NOT {id}
        AND starts < NEW.ends AND NEW.starts < ends
    );
END
"""

POSTGRESQL_REFUSAL = """
ALTER TABLE claims ADD CONSTRAINT claims_computer_overlap
EXCLUDE USING gist (computer WITH =, tstzrange(starts, ends, '[)') WITH &&)
WHERE (computer IS NOT NULL AND NOT released)
"""

SQLITE_FEED = """
CREATE TRIGGER feed_{table}_{event} AFTER {when} ON {table}
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), {change};
END
"""

POSTGRESQL_FEED = """
CREATE FUNCTION feed_{table}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE
    changed {table};
BEGIN
    IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
    INSERT INTO feed (at, kind, thing, owner) SELECT now(), {change};
    RETURN NULL;
END $$
"""

BY_AGE = "EXISTS (SELECT 1 FROM removals WHERE ended_at IS NULL AND what = 'audit' AND before > OLD.at)"
OF_PERSON = "EXISTS (SELECT 1 FROM removals WHERE ended_at IS NULL AND what = 'person')"
SQLITE_APPEND_ONLY = """
CREATE TRIGGER {table}_{name} BEFORE {when} ON {table} WHEN NOT ({allowed})
BEGIN
    SELECT RAISE(ABORT, '{table} are append-only');
END
"""
SQLITE_KEPT = {  # REPLACE deletes without asking a trigger of deletions, so nothing is inserted in the place of a row
    ("intents", "replaced"): ("INSERT", "NOT EXISTS (SELECT 1 FROM intents WHERE id = NEW.id)"),
    ("intents", "deleted"): ("DELETE", BY_AGE),
    ("intents", "answered"): (
        "UPDATE OF outcome, detail, answered_at",
        f"OLD.outcome IN ('open', 'unanswered') OR {OF_PERSON}",
    ),
    ("intents", "changed"): (
        "UPDATE OF id, at, actor, authentication, roles, verb, subject, for_user, account, token, address, arguments",
        OF_PERSON,
    ),
    ("events", "replaced"): ("INSERT", "NOT EXISTS (SELECT 1 FROM events WHERE id = NEW.id)"),
    ("events", "deleted"): ("DELETE", BY_AGE),
    ("events", "changed"): ("UPDATE", OF_PERSON),
    ("removals", "replaced"): ("INSERT", "NOT EXISTS (SELECT 1 FROM removals WHERE id = NEW.id)"),
    ("removals", "deleted"): ("DELETE", "0"),
    ("removals", "changed"): ("UPDATE", "OLD.ended_at IS NULL"),
}

POSTGRESQL_KEPT = """
CREATE FUNCTION {table}_kept() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF {deletable} THEN RETURN OLD; END IF;
    ELSIF TG_OP = 'UPDATE' THEN
        IF {changeable} THEN RETURN NEW; END IF;
    END IF;
    RAISE EXCEPTION '{table} are append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
ANSWERED = """(
    OLD.outcome IN ('open', 'unanswered') AND to_jsonb(NEW) - ARRAY['outcome', 'detail', 'answered_at']
    = to_jsonb(OLD) - ARRAY['outcome', 'detail', 'answered_at']
)"""
POSTGRESQL_ALLOWED = {
    "intents": (BY_AGE, f"{ANSWERED} OR {OF_PERSON}"),
    "events": (BY_AGE, OF_PERSON),
    "removals": ("false", "OLD.ended_at IS NULL"),
}
"""When a row may be deleted, and when changed."""

OF_RESERVATION = """'reservation', r.id, r."user" FROM reservations AS r WHERE r.id = {row}.reservation"""
FEED = {
    "reservations": """'reservation', {row}.id, {row}."user\"""",
    "load_log": OF_RESERVATION,
    "captures": OF_RESERVATION,
    "copy_waiters": OF_RESERVATION,
    "images": "'image', {row}.name, ''",
    "revisions": "'image', {row}.image, ''",
    "copies": "'image', {row}.image, ''",
    "computers": "'computer', {row}.name, ''",
    "tenures": "'computer', {row}.computer, ''",
    "spares": "'computer', {row}.computer, ''",
    "endpoints": "'endpoint', {row}.name, ''",
    "host_rests": "'host', {row}.endpoint || '/' || {row}.host, ''",
    "repositories": "'repository', {row}.name, ''",
    "users": "'user', {row}.login, {row}.login",
    "groups": "'group', {row}.name, ''",
    "group_members": "'group', {row}.group_name, ''",
    "grants": "'grant', CAST({row}.id AS TEXT), ''",
    "provider_accounts": """'user', {row}."user", {row}."user\"""",
    "tokens": """'token', {row}.id, coalesce({row}."user", '')""",
}
"""What the feed says of a changed row: kind, thing, whose it is."""
FEED_QUIET = {
    "copies": ("seen_at", "tried_at"),
    "provider_accounts": ("refresh_ref", "confirmed_at", "check_at"),
    "tokens": ("used_at",),
}
"""Columns that are written again and again, and of which the feed says nothing."""


def upgrade() -> None:
    """Make all tables, and what the database itself must refuse."""
    _catalog()
    _computers()
    _copies()
    _reservations()
    _captures()
    _claims_and_tenures()
    _fences()
    _inventories()
    _addresses()
    _records()
    _failures()
    _rests()
    _failed_steps()
    _leftovers()
    _intents()
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        op.execute(POSTGRESQL_REFUSAL)
    else:
        op.execute(SQLITE_REFUSAL.format(name="claims_insert", event="INSERT", id="NULL"))
        op.execute(SQLITE_REFUSAL.format(name="claims_update", event="UPDATE", id="OLD.id"))
    _access()
    _people()
    _api()
    _removals()
    _feed()


def _retirable() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("disabled_at", TIME, nullable=True),
        sa.Column("disabled_why", sa.String, nullable=False),
        sa.Column("removed_at", TIME, nullable=True),
    )


def _catalog() -> None:
    op.create_table(
        "users",
        sa.Column("login", sa.String, nullable=False),
        sa.Column("uid", sa.Integer, nullable=False),
        sa.Column("affiliation", sa.String, nullable=False),
        sa.Column("public_keys", sa.JSON, nullable=False),
        sa.Column("zone", sa.String, nullable=False),
        *_retirable(),
        sa.PrimaryKeyConstraint("login", name="pk_users"),
        sa.UniqueConstraint("uid", name="uq_users_uid"),
    )
    op.create_table(
        "images",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        *_retirable(),
        sa.PrimaryKeyConstraint("name", name="pk_images"),
    )
    op.create_table(
        "revisions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("image", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("module", sa.String, nullable=False),
        sa.Column("guest", sa.String, nullable=False),
        sa.Column("cpus", sa.Integer, nullable=False),
        sa.Column("memory_mb", sa.Integer, nullable=False),
        sa.Column("disk_gb", sa.Integer, nullable=False),
        sa.Column("root_access", sa.Boolean, nullable=False),
        sa.Column("ports", sa.JSON, nullable=False),
        sa.Column("endpoint", sa.String, nullable=False),
        sa.Column("module_data", sa.String, nullable=False),
        sa.Column("hardware", sa.JSON, nullable=False),
        sa.Column("dedicated", sa.Boolean, nullable=False),
        sa.Column("child_factor", sa.Double, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("made_at", TIME, nullable=True),
        sa.Column("made_by", sa.String, nullable=False),
        sa.Column("parent", sa.Integer, nullable=False),
        sa.Column("parent_image", sa.String, nullable=False),
        sa.Column("reservation", sa.String, nullable=False),
        sa.Column("notes", sa.String, nullable=False),
        sa.Column("untried", sa.Boolean, nullable=False),
        sa.Column("differs", sa.BigInteger, nullable=False),
        sa.Column("retired_at", TIME, nullable=True),
        sa.Column("test_until", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_revisions"),
        sa.ForeignKeyConstraint(["image"], ["images.name"], name="fk_revisions_image_images"),
        sa.UniqueConstraint("image", "number", name="uq_revisions_image"),
    )
    op.create_index(
        "uq_revisions_production",
        "revisions",
        ["image"],
        unique=True,
        sqlite_where=PRODUCTION,
        postgresql_where=PRODUCTION,
    )
    op.create_table(
        "endpoints",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("module", sa.String, nullable=False),
        sa.Column("url", sa.String, nullable=False),
        sa.Column("username", sa.String, nullable=False),
        sa.Column("password_ref", sa.String, nullable=False),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("site", sa.String, nullable=False),
        sa.Column("cpu_overcommit", sa.Double, nullable=False),
        sa.Column("memory_reserve_mb", sa.Integer, nullable=False),
        sa.Column("module_data", sa.String, nullable=False),
        sa.Column("after_use", WORD, nullable=False),
        *_retirable(),
        sa.PrimaryKeyConstraint("name", name="pk_endpoints"),
    )


def _copies() -> None:
    op.create_table(
        "repositories",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("site", sa.String, nullable=False),
        sa.Column("folder", sa.String, nullable=False),
        sa.Column("added_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_repositories"),
    )
    op.create_table(
        "copies",
        sa.Column("image", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("place", sa.String, nullable=False),
        sa.Column("endpoint", sa.String, nullable=True),
        sa.Column("storage", sa.String, nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("ours", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("why", sa.String, nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=True),
        sa.Column("verified_at", TIME, nullable=True),
        sa.Column("tried_at", TIME, nullable=True),
        sa.Column("kept", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("image", "revision", "place", name="pk_copies"),
        sa.ForeignKeyConstraint(
            ["image", "revision"], ["revisions.image", "revisions.number"], name="fk_copies_image_revisions"
        ),
        sa.ForeignKeyConstraint(["endpoint"], ["endpoints.name"], name="fk_copies_endpoint_endpoints"),
    )
    op.create_index("ix_copies_place", "copies", ["place"])
    op.create_table(
        "copy_waiters",
        sa.Column("image", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("place", sa.String, nullable=False),
        sa.Column("reservation", sa.String, nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.PrimaryKeyConstraint("image", "revision", "place", "reservation", name="pk_copy_waiters"),
        sa.ForeignKeyConstraint(
            ["image", "revision", "place"],
            ["copies.image", "copies.revision", "copies.place"],
            name="fk_copy_waiters_copies",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "disk_children",
        sa.Column("computer", sa.String, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("image", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("place", sa.String, nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.PrimaryKeyConstraint("computer", "generation", name="pk_disk_children"),
        sa.ForeignKeyConstraint(["computer"], ["computers.name"], name="fk_disk_children_computer_computers"),
        sa.ForeignKeyConstraint(
            ["image", "revision", "place"],
            ["copies.image", "copies.revision", "copies.place"],
            name="fk_disk_children_copies",
        ),
    )
    op.create_index("ix_disk_children_copy", "disk_children", ["image", "revision", "place"])


def _computers() -> None:
    op.create_table(
        "pools",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("endpoint", sa.String, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("resource", sa.String, nullable=False),
        sa.Column("cpus", sa.Integer, nullable=False),
        sa.Column("memory_mb", sa.Integer, nullable=False),
        sa.Column("disk_gb", sa.Integer, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("usable", sa.Boolean, nullable=False),
        sa.Column("why_not", sa.String, nullable=False),
        sa.Column("linked", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_pools"),
    )
    op.create_table(
        "computers",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("pool", sa.String, nullable=False),
        sa.Column("private_mac", sa.String, nullable=True),
        sa.Column("public_mac", sa.String, nullable=True),
        sa.Column("image", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("tainted", sa.Boolean, nullable=False),
        sa.Column("host_key", sa.String, nullable=False),
        sa.Column("host_key_from", sa.String, nullable=False),
        sa.Column("private_address", sa.String, nullable=False),
        sa.Column("public_address", sa.String, nullable=False),
        sa.Column("notes", sa.String, nullable=False),
        sa.Column("why_out_of_service", sa.String, nullable=False),
        sa.Column("leaving", sa.Boolean, nullable=False),
        sa.Column("why_leaving", sa.String, nullable=False),
        sa.Column("returns_at", TIME),
        sa.Column("load_intent", sa.String, nullable=False),
        sa.Column("load_image", sa.String, nullable=False),
        sa.Column("load_revision", sa.Integer, nullable=False),
        sa.Column("off_since", TIME),
        sa.Column("checked_at", TIME, nullable=False),
        sa.Column("check_found", sa.String, nullable=False),
        sa.Column("check_repair", sa.String, nullable=False),
        sa.Column("power", sa.String, nullable=False),
        sa.Column("power_password_ref", sa.String, nullable=False),
        sa.Column("power_fingerprint", sa.String, nullable=False),
        sa.Column("hardware", sa.String, nullable=False),
        sa.Column("hardware_at", TIME, nullable=True),
        sa.Column("module_data", sa.String, nullable=False),
        sa.Column("failed_generation", sa.Integer, nullable=False),
        sa.Column("removed_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_computers"),
        sa.UniqueConstraint("private_mac", name="uq_computers_private_mac"),
        sa.UniqueConstraint("public_mac", name="uq_computers_public_mac"),
    )
    op.create_index("ix_computers_kind_state_name", "computers", ["kind", "state", "name"])


def _reservations() -> None:
    op.create_table(
        "reservations",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("user", sa.String, nullable=False),
        sa.Column("requested_by", sa.String, nullable=False),
        sa.Column("image", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("ending", WORD, nullable=True),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("starts", TIME, nullable=False),
        sa.Column("preload_at", TIME, nullable=True),
        sa.Column("ends", TIME, nullable=False),
        sa.Column("load_seconds", sa.Double, nullable=False),
        sa.Column("first_notice", sa.Double, nullable=False),
        sa.Column("ready_at", TIME, nullable=True),
        sa.Column("acknowledged_at", TIME, nullable=True),
        sa.Column("connected_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("computer", sa.String, nullable=True),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("endpoint", sa.String, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("target", sa.JSON, nullable=False),
        sa.Column("password_ref", sa.String, nullable=False),
        sa.Column("private_address", sa.String, nullable=False),
        sa.Column("public_address", sa.String, nullable=False),
        sa.Column("host_key", sa.String, nullable=False),
        sa.Column("host_key_from", sa.String, nullable=False),
        sa.Column("boot_id", sa.String, nullable=False),
        sa.Column("handover", sa.String, nullable=False),
        sa.Column("remote_addresses", sa.JSON, nullable=False),
        sa.Column("access_open", sa.Boolean, nullable=False),
        sa.Column("connected", sa.Boolean, nullable=False),
        sa.Column("help_since", TIME, nullable=True),
        sa.Column("help_until", TIME, nullable=True),
        sa.Column("no_other_place", sa.String, nullable=False),
        sa.Column("dismissed_at", TIME, nullable=True),
        sa.Column("imaging", sa.Boolean, nullable=False),
        sa.Column("capture_at_end", sa.Boolean, nullable=False),
        sa.Column("becomes", sa.String, nullable=False),
        sa.Column("saving", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reservations"),
        sa.ForeignKeyConstraint(["user"], ["users.login"], name="fk_reservations_user_users"),
        sa.ForeignKeyConstraint(["image"], ["images.name"], name="fk_reservations_image_images"),
        sa.ForeignKeyConstraint(["computer"], ["computers.name"], name="fk_reservations_computer_computers"),
        sa.CheckConstraint("starts < ends", name="ck_reservations_times"),
    )
    op.create_index("ix_reservations_state_user", "reservations", ["state", "user"])
    op.create_index("ix_reservations_user_created", "reservations", ["user", "created"])
    op.create_index("ix_reservations_created", "reservations", ["created"])
    op.create_index("ix_reservations_ends", "reservations", ["ends"])
    op.create_index("ix_reservations_state_created", "reservations", ["state", "created", "id"])
    op.create_index("ix_reservations_failed", "reservations", ["ends"], sqlite_where=FAILED, postgresql_where=FAILED)


def _captures() -> None:
    op.create_table(
        "captures",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("reservation", sa.String, nullable=False),
        sa.Column("image", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("notes", sa.String, nullable=False),
        sa.Column("made_by", sa.String, nullable=False),
        sa.Column("becomes", sa.JSON, nullable=False),
        sa.Column("throw_away", sa.JSON, nullable=False),
        sa.Column("raw_sha256", sa.String, nullable=False),
        sa.Column("began", TIME, nullable=False),
        sa.Column("ended", TIME, nullable=True),
        sa.Column("why_not", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_captures"),
        sa.ForeignKeyConstraint(["reservation"], ["reservations.id"], name="fk_captures_reservation_reservations"),
    )
    running = sa.text("ended IS NULL")
    op.create_index(
        "uq_captures_running",
        "captures",
        ["image", "revision"],
        unique=True,
        sqlite_where=running,
        postgresql_where=running,
    )


def _claims_and_tenures() -> None:
    op.create_table(
        "claims",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("computer", sa.String, nullable=True),
        sa.Column("pool", sa.String, nullable=True),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("starts", TIME, nullable=False),
        sa.Column("ends", TIME, nullable=False),
        sa.Column("cpus", sa.Integer, nullable=False),
        sa.Column("memory_mb", sa.Integer, nullable=False),
        sa.Column("disk_gb", sa.Integer, nullable=False),
        sa.Column("released", sa.Boolean, nullable=False),
        sa.Column("spare", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_claims"),
        sa.ForeignKeyConstraint(["computer"], ["computers.name"], name="fk_claims_computer_computers"),
        sa.ForeignKeyConstraint(["pool"], ["pools.name"], name="fk_claims_pool_pools"),
        sa.CheckConstraint("(computer IS NULL) <> (pool IS NULL)", name="ck_claims_one_thing"),
        sa.CheckConstraint("starts <= ends AND (released OR starts < ends)", name="ck_claims_times"),
        sa.CheckConstraint("cpus >= 0 AND memory_mb >= 0 AND disk_gb >= 0", name="ck_claims_amounts"),
    )
    op.create_index("ix_claims_holder", "claims", ["holder"])
    op.create_index("ix_claims_pool_ends", "claims", ["pool", "ends"])
    op.create_index("ix_claims_computer_ends", "claims", ["computer", "ends"])
    op.create_index(  # what is released is not in it, so it does not grow with the years
        "ix_claims_open",
        "claims",
        ["pool", "starts", "ends", "cpus", "memory_mb", "disk_gb", "spare"],
        sqlite_where=sa.text("released IS 0"),
        postgresql_where=sa.text("released IS false"),
    )
    op.create_table(
        "tenures",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("computer", sa.String, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("purpose", WORD, nullable=False),
        sa.Column("image", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("taken_at", TIME, nullable=False),
        sa.Column("expected_end", TIME, nullable=False),
        sa.Column("released_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tenures"),
        sa.ForeignKeyConstraint(["computer"], ["computers.name"], name="fk_tenures_computer_computers"),
        sa.UniqueConstraint("computer", "generation", name="uq_tenures_computer"),
    )
    op.create_index("ix_tenures_holder", "tenures", ["holder"])
    op.create_index("ix_tenures_taken_at", "tenures", ["taken_at"])
    op.create_index(
        "uq_tenures_held",
        "tenures",
        ["computer"],
        unique=True,
        sqlite_where=HELD,
        postgresql_where=HELD,
    )


def _fences() -> None:
    op.create_table(
        "fences",
        sa.Column("computer", sa.String, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("run", sa.String, nullable=False),
        sa.Column("activity", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("scheduled_at", TIME, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("computer", name="pk_fences"),
        sa.ForeignKeyConstraint(["computer"], ["computers.name"], name="fk_fences_computer_computers"),
    )


def _inventories() -> None:
    op.create_table(
        "inventories",
        sa.Column("endpoint", sa.String, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("taken_at", TIME, nullable=True),
        sa.Column("answer", sa.String, nullable=True),
        sa.PrimaryKeyConstraint("endpoint", name="pk_inventories"),
    )


def _addresses() -> None:
    op.create_table(
        "addresses",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("computer", sa.String, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("private_address", sa.String, nullable=False),
        sa.Column("public_address", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_addresses"),
        sa.ForeignKeyConstraint(
            ["computer", "generation"],
            ["tenures.computer", "tenures.generation"],
            name="fk_addresses_computer_tenures",
        ),
    )
    op.create_index("ix_addresses_computer", "addresses", ["computer", "generation"])
    op.create_index("ix_addresses_private_address", "addresses", ["private_address"])
    op.create_index("ix_addresses_public_address", "addresses", ["public_address"])


def _records() -> None:
    op.create_table(
        "load_log",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("reservation", sa.String, nullable=False),
        sa.Column("computer", sa.String, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("image", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("part", sa.String, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("detail", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_load_log"),
        sa.UniqueConstraint(
            *("reservation", "computer", "generation", "part", "name", "run", "attempt"), name="uq_load_log_reservation"
        ),
    )
    op.create_index("ix_load_log_image_outcome", "load_log", ["image", "outcome", "ended_at"])
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("reservation", sa.String, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("detail", sa.String, nullable=False),
        sa.Column("act", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_reservation", "events", ["reservation"])
    op.create_table(
        "refused_requests",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("user", sa.String, nullable=False),
        sa.Column("image", sa.String, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("start", TIME, nullable=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("candidates", sa.JSON, nullable=False),
        sa.Column("earliest", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_refused_requests"),
    )
    op.create_index("ix_refused_requests_at", "refused_requests", ["at"])


def _failures() -> None:
    op.create_table(
        "load_failures",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("reservation", sa.String, nullable=False),
        sa.Column("computer", sa.String, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("endpoint", sa.String, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("image", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("step", sa.String, nullable=False),
        sa.Column("cause", sa.String, nullable=False),
        sa.Column("in_guest", sa.Boolean, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("against_host", sa.Boolean, nullable=False),
        sa.Column("against_revision", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_load_failures"),
        sa.UniqueConstraint("reservation", "computer", "generation", "step", "at", name="uq_load_failures_reservation"),
    )
    op.create_index("ix_load_failures_host", "load_failures", ["endpoint", "host", "against_host"])
    op.create_index("ix_load_failures_revision", "load_failures", ["image", "revision", "against_revision"])
    op.create_index("ix_load_failures_computer", "load_failures", ["computer", "generation"])


def _rests() -> None:
    op.create_table(
        "host_rests",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("endpoint", sa.String, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("why", sa.String, nullable=False),
        sa.Column("by", sa.String, nullable=False),
        sa.Column("pause", sa.Double, nullable=False),
        sa.Column("next_check", TIME, nullable=True),
        sa.Column("checks", sa.Integer, nullable=False),
        sa.Column("last_check", sa.String, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("ended_by", sa.String, nullable=False),
        sa.Column("proven", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_host_rests"),
    )
    op.create_index(
        "uq_host_rests_open",
        "host_rests",
        ["endpoint", "host"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )


def _failed_steps() -> None:
    op.create_table(
        "failed_steps",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("reservation", sa.String, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("computer", sa.String, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("step", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("cause", sa.String, nullable=False),
        sa.Column("in_guest", sa.Boolean, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_failed_steps"),
        sa.UniqueConstraint("reservation", "generation", "step", "at", name="uq_failed_steps_reservation"),
    )


def _intents() -> None:
    op.create_table(
        "intents",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("authentication", sa.String, nullable=False),
        sa.Column("roles", sa.JSON, nullable=False),
        sa.Column("verb", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("for_user", sa.String, nullable=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("token", sa.String, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("arguments", sa.JSON, nullable=False),
        sa.Column("outcome", WORD, nullable=False),
        sa.Column("detail", sa.String, nullable=False),
        sa.Column("answered_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_intents"),
    )
    op.create_index("ix_intents_at", "intents", ["at"])
    op.create_index("ix_intents_actor", "intents", ["actor", "at"])
    op.create_index("ix_intents_subject", "intents", ["subject", "at"])
    op.create_index("ix_intents_address", "intents", ["address"])


def _leftovers() -> None:
    op.create_table(
        "orphans",
        sa.Column("endpoint", sa.String, nullable=False),
        sa.Column("instance_uuid", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("last_seen", TIME, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "instance_uuid", name="pk_orphans"),
    )
    op.create_table(
        "spares",
        sa.Column("computer", sa.String, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("image", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("endpoint", sa.String, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("target", sa.JSON, nullable=False),
        sa.Column("kept_at", TIME, nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("removal", sa.Integer, nullable=False),
        sa.Column("evicted_for", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("computer", name="pk_spares"),
        sa.ForeignKeyConstraint(["computer"], ["computers.name"], name="fk_spares_computer_computers"),
    )


def _access() -> None:
    op.create_table(
        "groups",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("made_by", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_groups"),
    )
    op.create_table(
        "group_members",
        sa.Column("group_name", sa.String, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("group_name", "kind", "name", name="pk_group_members"),
        sa.ForeignKeyConstraint(["group_name"], ["groups.name"], name="fk_group_members_group_name_groups"),
    )
    op.create_index("ix_group_members_kind_name", "group_members", ["kind", "name"])
    op.create_table(
        "grants",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("role", WORD, nullable=False),
        sa.Column("to_kind", WORD, nullable=False),
        sa.Column("to_name", sa.String, nullable=False),
        sa.Column("on_group", sa.String, nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("made_by", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_grants"),
        sa.UniqueConstraint("role", "to_kind", "to_name", "on_group", name="uq_grants_role"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_grants_to_name", "grants", ["to_name"])
    op.create_index("ix_grants_on_group", "grants", ["on_group"])


def _people() -> None:
    """Accounts at providers, passwords, tokens, and sign-ins that are under way."""
    op.create_table(
        "provider_accounts",
        sa.Column("provider", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("user", sa.String, nullable=False),
        sa.Column("called", sa.String, nullable=False),
        sa.Column("groups", sa.JSON, nullable=False),
        sa.Column("refresh_ref", sa.String, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("confirmed_at", TIME, nullable=False),
        sa.Column("check_at", TIME, nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("provider", "subject", name="pk_provider_accounts"),
        sa.ForeignKeyConstraint(["user"], ["users.login"], name="fk_provider_accounts_user_users"),
    )
    op.create_index("ix_provider_accounts_user", "provider_accounts", ["user"])
    op.create_table(
        "local_passwords",
        sa.Column("user", sa.String, nullable=False),
        sa.Column("hash", sa.String, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("user", name="pk_local_passwords"),
        sa.ForeignKeyConstraint(["user"], ["users.login"], name="fk_local_passwords_user_users"),
    )
    op.create_table(
        "freed_logins",
        sa.Column("digest", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_freed_logins"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("user", sa.String, nullable=True),
        sa.Column("provider", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("mfa", sa.Boolean, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_from", sa.String, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("why_ended", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
        sa.ForeignKeyConstraint(["user"], ["users.login"], name="fk_tokens_user_users"),
    )
    op.create_index("ix_tokens_user", "tokens", ["user"])
    op.create_index("ix_tokens_account", "tokens", ["provider", "subject"])
    op.create_index("ix_tokens_expires_at", "tokens", ["expires_at"])
    op.create_table(
        "emergency_codes",
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("made_by", sa.String, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.Column("used_from", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_emergency_codes"),
    )
    op.create_index("ix_emergency_codes_expires_at", "emergency_codes", ["expires_at"])
    _sign_ins()


def _sign_ins() -> None:
    op.create_table(
        "device_codes",
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("user_code", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("interval", sa.Double, nullable=False),
        sa.Column("asked_at", TIME, nullable=True),
        sa.Column("decided_at", TIME, nullable=True),
        sa.Column("user", sa.String, nullable=False),
        sa.Column("provider", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("mfa", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_device_codes"),
        sa.UniqueConstraint("user_code", name="uq_device_codes_user_code"),
    )
    op.create_table(
        "pending_sign_ins",
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("browser", sa.String, nullable=False),
        sa.Column("provider", sa.String, nullable=False),
        sa.Column("nonce", sa.String, nullable=False),
        sa.Column("verifier", sa.String, nullable=False),
        sa.Column("then", sa.String, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_pending_sign_ins"),
    )
    op.create_index("ix_pending_sign_ins_expires_at", "pending_sign_ins", ["expires_at"])
    op.create_table(
        "sign_in_attempts",
        sa.Column("key", sa.String, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_sign_in_attempts"),
    )
    op.create_index("ix_sign_in_attempts_at", "sign_in_attempts", ["at"])


def _removals() -> None:
    op.create_table(
        "removals",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("what", WORD, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("before", TIME, nullable=True),
        sa.Column("by", sa.String, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("pseudonym", sa.String, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_removals"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for (table, name), (when, allowed) in SQLITE_KEPT.items():
            op.execute(SQLITE_APPEND_ONLY.format(table=table, name=name, when=when, allowed=allowed))
        return
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    for table, (deletable, changeable) in POSTGRESQL_ALLOWED.items():
        op.execute(POSTGRESQL_KEPT.format(table=table, schema=schema, deletable=deletable, changeable=changeable))
        op.execute(
            f"CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_kept()"
        )
        op.execute(f"CREATE TRIGGER kept_all BEFORE TRUNCATE ON {table} EXECUTE FUNCTION {table}_kept()")


def _feed() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "feed",
        sa.Column("id", number, nullable=False),
        sa.Column("number", number, nullable=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("thing", sa.String, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feed"),
    )
    op.create_index("ix_feed_at", "feed", ["at"])
    op.create_index("uq_feed_number", "feed", ["number"], unique=True)
    unnumbered = sa.text("number IS NULL")
    op.create_index("ix_feed_unnumbered", "feed", ["id"], sqlite_where=unnumbered, postgresql_where=unnumbered)
    op.create_table(
        "feed_state",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("last", number, nullable=False),
        sa.Column("pruned", number, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feed_state"),
    )
    op.execute("INSERT INTO feed_state (id, last, pruned) VALUES (1, 0, 0)")
    make = _postgresql_feed if op.get_bind().dialect.name == "postgresql" else _sqlite_feed
    for table, change in FEED.items():
        make(table, change)


def _sqlite_feed(table: str, change: str) -> None:
    events = {"insert": ("INSERT", "NEW"), "update": (_updated(table), "NEW"), "delete": ("DELETE", "OLD")}
    for event, (when, row) in events.items():
        op.execute(SQLITE_FEED.format(table=table, event=event, when=when, change=change.format(row=row)))


def _postgresql_feed(table: str, change: str) -> None:
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    op.execute(POSTGRESQL_FEED.format(table=table, schema=schema, change=change.format(row="changed")))
    op.execute(
        f"CREATE TRIGGER feed AFTER INSERT OR DELETE OR {_updated(table)} ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION feed_{table}()"
    )


def _updated(table: str) -> str:
    """When its rows are updated, but for columns that are quiet."""
    if not (quiet := FEED_QUIET.get(table)):
        return "UPDATE"
    columns = [column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)]
    return "UPDATE OF " + ", ".join(f'"{name}"' for name in columns if name not in quiet)


def _api() -> None:
    op.create_table(
        "keyed_acts",
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("asked", sa.String, nullable=False),
        sa.Column("intent", sa.String, nullable=False),
        sa.Column("reservation", sa.String, nullable=False),
        sa.Column("began_at", TIME, nullable=False),
        sa.Column("held_until", TIME, nullable=True),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("answer", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("actor", "key", name="pk_keyed_acts"),
    )
    op.create_index("ix_keyed_acts_began_at", "keyed_acts", ["began_at"])
