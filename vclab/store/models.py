"""The tables; those of images are in ``image_tables``, those of groups and grants in ``access_tables``.

Overlapping claims of a computer are refused by the database itself: see the first migration.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from vclab.model.catalog import AfterUse, ComputerKind
from vclab.model.intents import Outcome
from vclab.model.inventory import PoolKind
from vclab.model.states import ComputerState, Ending, Purpose, ReservationState
from vclab.store.access_tables import Grant, Group, GroupMember
from vclab.store.api_tables import KeyedAct
from vclab.store.feed_tables import Change, FeedState
from vclab.store.image_tables import Copy, CopyWaiter, DiskChild, Image, Repository, Revision
from vclab.store.people_tables import (
    DeviceCode,
    EmergencyCode,
    FreedLogin,
    LocalPassword,
    PendingSignIn,
    ProviderAccount,
    SignInAttempts,
    Token,
)
from vclab.store.removal_tables import Removal
from vclab.store.table_base import Base, Retirable

__all__ = [
    "Addresses",
    "Base",
    "Capture",
    "Change",
    "Claim",
    "Computer",
    "Copy",
    "CopyWaiter",
    "DeviceCode",
    "DiskChild",
    "EmergencyCode",
    "Endpoint",
    "Event",
    "FailedStep",
    "FeedState",
    "Fence",
    "FreedLogin",
    "Grant",
    "Group",
    "GroupMember",
    "HostRest",
    "Image",
    "Intent",
    "Inventory",
    "KeyedAct",
    "LoadFailure",
    "LoadStep",
    "LocalPassword",
    "Orphan",
    "PendingSignIn",
    "Pool",
    "ProviderAccount",
    "RefusedRequest",
    "Removal",
    "Repository",
    "Reservation",
    "Revision",
    "SignInAttempts",
    "Spare",
    "Tenure",
    "Token",
    "User",
]


class User(Retirable, Base):
    """A person who may reserve."""

    __tablename__ = "users"

    login: Mapped[str] = mapped_column(primary_key=True)
    uid: Mapped[int] = mapped_column(unique=True)
    affiliation: Mapped[str]
    public_keys: Mapped[list[str]]
    zone: Mapped[str]


class Endpoint(Retirable, Base):
    """A provisioning endpoint, such as a vCenter."""

    __tablename__ = "endpoints"

    name: Mapped[str] = mapped_column(primary_key=True)
    module: Mapped[str]
    url: Mapped[str]
    username: Mapped[str]
    password_ref: Mapped[str]
    fingerprint: Mapped[str]
    site: Mapped[str]
    cpu_overcommit: Mapped[float]
    memory_reserve_mb: Mapped[int]
    module_data: Mapped[str]
    after_use: Mapped[AfterUse]


class Pool(Base):
    """Capacity that claims take from: of a host (CPUs, memory; "vc/host/esx1") or a datastore (disk)."""

    __tablename__ = "pools"

    name: Mapped[str] = mapped_column(primary_key=True)
    endpoint: Mapped[str]
    kind: Mapped[PoolKind]
    resource: Mapped[str]  #: the host's or the datastore's name at the endpoint
    cpus: Mapped[int]
    memory_mb: Mapped[int]
    disk_gb: Mapped[int]
    seen_at: Mapped[datetime]
    usable: Mapped[bool]
    why_not: Mapped[str]
    linked: Mapped[bool] = mapped_column(default=True)  #: of a datastore: a disk can be the child of another one


class Computer(Base):
    """A computer: a lab machine, or the identity of a virtual machine."""

    __tablename__ = "computers"
    __table_args__ = (Index("ix_computers_kind_state_name", "kind", "state", "name"),)  #: the next free identity

    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[ComputerKind]
    state: Mapped[ComputerState]
    pool: Mapped[str]
    private_mac: Mapped[str | None] = mapped_column(unique=True)
    public_mac: Mapped[str | None] = mapped_column(unique=True)
    image: Mapped[str] = mapped_column(default="")
    revision: Mapped[int] = mapped_column(default=0)
    tainted: Mapped[bool] = mapped_column(default=False)
    host_key: Mapped[str] = mapped_column(default="")
    host_key_from: Mapped[str] = mapped_column(default="")  #: who vouches for it; empty: only the first contact
    private_address: Mapped[str] = mapped_column(default="")
    public_address: Mapped[str] = mapped_column(default="")
    notes: Mapped[str] = mapped_column(default="")  #: people's own; no program writes or reads it
    why_out_of_service: Mapped[str] = mapped_column(default="")  #: empty: it is in service
    leaving: Mapped[bool] = mapped_column(default=False)  #: it goes out of service when nobody holds it any more
    why_leaving: Mapped[str] = mapped_column(default="")
    returns_at: Mapped[datetime | None]  #: it comes back to service by itself then
    load_intent: Mapped[str] = mapped_column(
        default=""
    )  #: who wants it loaded anew when nobody holds it; empty: nobody
    load_image: Mapped[str] = mapped_column(default="")  #: with that; empty: with what was loaded last
    load_revision: Mapped[int] = mapped_column(default=0)  #: 0: the one in production then
    off_since: Mapped[
        datetime | None
    ]  #: it was switched off since nobody needs it, and is switched on when somebody does
    checked_at: Mapped[datetime] = mapped_column(
        default=lambda: datetime.now(UTC)
    )  #: or entered, before the first check
    check_found: Mapped[str] = mapped_column(default="")  #: empty: it was never checked
    check_repair: Mapped[str] = mapped_column(default="")  #: what followed from that, until somebody has it again
    failed_generation: Mapped[int] = mapped_column(default=0)  #: the tenure whose failed load took it out of service
    power: Mapped[str] = mapped_column(default="")  #: where it is switched (vclab.power.address)
    power_password_ref: Mapped[str] = mapped_column(default="")
    power_fingerprint: Mapped[str] = mapped_column(default="")
    hardware: Mapped[str] = mapped_column(default="")  #: what an inspection has found, as JSON; empty: nothing yet
    hardware_at: Mapped[datetime | None]
    module_data: Mapped[str] = mapped_column(default="")  #: of a lab machine: what only its endpoint's module knows
    removed_at: Mapped[datetime | None]

    def stay(self) -> None:
        """Nothing that an operator wanted for later is to be done any more."""
        self.leaving, self.why_leaving, self.returns_at = False, "", None

    def forget_load(self) -> None:
        """Nobody wants it loaded any more."""
        self.load_intent, self.load_image, self.load_revision = "", "", 0


FAILED = "ending = 'failed' AND dismissed_at IS NULL"
"""Of a reservation: it failed, and nobody has said that they have seen it."""


class Reservation(Base):
    """A reservation. Kept for good, as the record of who had which computer and how it ended."""

    __tablename__ = "reservations"
    __table_args__ = (
        CheckConstraint("starts < ends", name="times"),
        Index("ix_reservations_state_user", "state", "user"),
        Index("ix_reservations_user_created", "user", "created"),
        Index("ix_reservations_ends", "ends"),
        Index("ix_reservations_state_created", "state", "created", "id"),
        Index("ix_reservations_failed", "ends", sqlite_where=text(FAILED), postgresql_where=text(FAILED)),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.login"))
    requested_by: Mapped[str]
    image: Mapped[str] = mapped_column(ForeignKey("images.name"))
    revision: Mapped[int]
    state: Mapped[ReservationState]
    ending: Mapped[Ending | None]
    reason: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime] = mapped_column(index=True)
    starts: Mapped[datetime]
    preload_at: Mapped[datetime | None]  #: None: it began at once
    ends: Mapped[datetime]
    load_seconds: Mapped[float]
    first_notice: Mapped[float]
    ready_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    connected_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    computer: Mapped[str | None] = mapped_column(ForeignKey("computers.name"))  #: None, 0: holds none yet
    generation: Mapped[int]
    endpoint: Mapped[str]
    host: Mapped[str]
    target: Mapped[dict[str, Any]]
    password_ref: Mapped[str]
    private_address: Mapped[str] = mapped_column(default="")
    public_address: Mapped[str] = mapped_column(default="")
    host_key: Mapped[str] = mapped_column(default="")
    host_key_from: Mapped[str] = mapped_column(default="")  #: who vouches for it; empty: only the first contact
    boot_id: Mapped[str] = mapped_column(default="")
    handover: Mapped[str] = mapped_column(default="")  #: what its user gets where there is no guest
    remote_addresses: Mapped[list[str]] = mapped_column(default=list)
    access_open: Mapped[bool] = mapped_column(default=False)
    connected: Mapped[bool] = mapped_column(default=False)
    help_since: Mapped[datetime | None]
    help_until: Mapped[datetime | None]
    no_other_place: Mapped[str] = mapped_column(default="")  #: why the load that failed could not go to another host
    dismissed_at: Mapped[datetime | None]  #: it failed, and its user has dismissed it
    imaging: Mapped[bool] = mapped_column(default=False)  #: it may be captured
    capture_at_end: Mapped[bool] = mapped_column(default=False)  #: and is, if it was not before
    becomes: Mapped[str] = mapped_column(default="")  #: it is being captured, as this revision
    saving: Mapped[bool] = mapped_column(default=False)  #: nobody uses it meanwhile


class Capture(Base):
    """A capture of a reservation's computer. Kept for good."""

    __tablename__ = "captures"
    __table_args__ = (
        Index(
            "uq_captures_running",
            "image",
            "revision",
            unique=True,
            sqlite_where=text("ended IS NULL"),
            postgresql_where=text("ended IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    reservation: Mapped[str] = mapped_column(ForeignKey("reservations.id"))
    image: Mapped[str]
    revision: Mapped[int]
    title: Mapped[str]
    notes: Mapped[str]
    made_by: Mapped[str]
    becomes: Mapped[dict[str, Any]]  #: as its steps are given it
    throw_away: Mapped[dict[str, Any]] = mapped_column(default=dict)  #: the target that it holds; empty: none
    raw_sha256: Mapped[str] = mapped_column(default="")  #: of the raw copy; empty: there is none
    began: Mapped[datetime]
    ended: Mapped[datetime | None]
    why_not: Mapped[str] = mapped_column(default="")  #: it was given up


class Claim(Base):
    """A promise about time: [starts, ends) on one computer, or on a pool with amounts.

    That claims of one computer never overlap is refused by the database: an exclusion constraint on PostgreSQL,
    triggers on SQLite, both in the first migration.
    """

    __tablename__ = "claims"
    __table_args__ = (
        CheckConstraint("(computer IS NULL) <> (pool IS NULL)", name="one_thing"),
        CheckConstraint("starts <= ends AND (released OR starts < ends)", name="times"),
        CheckConstraint("cpus >= 0 AND memory_mb >= 0 AND disk_gb >= 0", name="amounts"),
        Index("ix_claims_pool_ends", "pool", "ends"),
        Index("ix_claims_computer_ends", "computer", "ends"),
        Index(  # all that a placement sums up, so that it reads no rows
            "ix_claims_open",
            "pool",
            "starts",
            "ends",
            "cpus",
            "memory_mb",
            "disk_gb",
            "spare",
            sqlite_where=text("released IS 0"),
            postgresql_where=text("released IS false"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    computer: Mapped[str | None] = mapped_column(ForeignKey("computers.name"))
    pool: Mapped[str | None] = mapped_column(ForeignKey("pools.name"))
    holder: Mapped[str] = mapped_column(index=True)
    starts: Mapped[datetime]
    ends: Mapped[datetime]
    cpus: Mapped[int] = mapped_column(default=0)
    memory_mb: Mapped[int] = mapped_column(default=0)
    disk_gb: Mapped[int] = mapped_column(default=0)
    released: Mapped[bool] = mapped_column(default=False)
    spare: Mapped[bool] = mapped_column(default=False)  #: held by a spare, which makes way for a reservation


class Tenure(Base):
    """The fact of who holds a computer: one unreleased tenure per computer. Generations count up by one."""

    __tablename__ = "tenures"
    __table_args__ = (
        UniqueConstraint("computer", "generation"),
        Index(
            "uq_tenures_held",
            "computer",
            unique=True,
            sqlite_where=text("released_at IS NULL"),
            postgresql_where=text("released_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    computer: Mapped[str] = mapped_column(ForeignKey("computers.name"))
    generation: Mapped[int]
    holder: Mapped[str] = mapped_column(index=True)
    purpose: Mapped[Purpose]
    image: Mapped[str] = mapped_column(default="")  #: what is loaded under it; empty: nothing
    revision: Mapped[int] = mapped_column(default=0)
    taken_at: Mapped[datetime] = mapped_column(index=True)
    expected_end: Mapped[datetime]
    released_at: Mapped[datetime | None]


class Fence(Base):
    """The newest attempt that works on a held computer (``fences``): one row a computer, of its newest such tenure."""

    __tablename__ = "fences"

    computer: Mapped[str] = mapped_column(ForeignKey("computers.name"), primary_key=True)
    generation: Mapped[int]
    run: Mapped[str]
    activity: Mapped[int]
    attempt: Mapped[int]
    scheduled_at: Mapped[datetime]
    name: Mapped[str]


class Addresses(Base):
    """The addresses of a computer since a moment, until the next row or the end of the tenure."""

    __tablename__ = "addresses"
    __table_args__ = (
        ForeignKeyConstraint(
            ["computer", "generation"],
            ["tenures.computer", "tenures.generation"],
            name="fk_addresses_computer_tenures",
        ),
        Index("ix_addresses_computer", "computer", "generation"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    computer: Mapped[str]
    generation: Mapped[int]
    since: Mapped[datetime]
    private_address: Mapped[str] = mapped_column(index=True)
    public_address: Mapped[str] = mapped_column(index=True)


class LoadStep(Base):
    """One attempt of one step of a load."""

    __tablename__ = "load_log"
    __table_args__ = (
        UniqueConstraint("reservation", "computer", "generation", "part", "name", "run", "attempt"),
        Index("ix_load_log_image_outcome", "image", "outcome", "ended_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reservation: Mapped[str]  #: or the workflow of a background load
    computer: Mapped[str]
    generation: Mapped[int]
    image: Mapped[str]
    revision: Mapped[int]
    name: Mapped[str]
    title: Mapped[str]
    number: Mapped[int]
    count: Mapped[int]
    part: Mapped[str] = mapped_column(default="")  #: the capture and its stage; empty: a load
    run: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(default="")
    detail: Mapped[str] = mapped_column(default="")


class LoadFailure(Base):
    """A load that failed for good at a step, and what it still counts against (``failures``)."""

    __tablename__ = "load_failures"
    __table_args__ = (
        UniqueConstraint("reservation", "computer", "generation", "step", "at"),
        Index("ix_load_failures_host", "endpoint", "host", "against_host"),
        Index("ix_load_failures_revision", "image", "revision", "against_revision"),
        Index("ix_load_failures_computer", "computer", "generation"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reservation: Mapped[str]
    computer: Mapped[str]
    generation: Mapped[int]
    endpoint: Mapped[str]
    host: Mapped[str]
    image: Mapped[str]
    revision: Mapped[int]
    step: Mapped[str]
    cause: Mapped[str]
    in_guest: Mapped[bool]
    at: Mapped[datetime]
    against_host: Mapped[bool]
    against_revision: Mapped[bool]


class HostRest(Base):
    """A time in which nothing was placed on a host. Kept for good. At most one per host is open."""

    __tablename__ = "host_rests"
    __table_args__ = (
        Index(
            "uq_host_rests_open",
            "endpoint",
            "host",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    endpoint: Mapped[str]
    host: Mapped[str]
    since: Mapped[datetime]
    why: Mapped[str]
    by: Mapped[str]
    pause: Mapped[float]
    next_check: Mapped[datetime | None]
    checks: Mapped[int] = mapped_column(default=0)
    last_check: Mapped[str] = mapped_column(default="")
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(default="")
    proven: Mapped[bool] = mapped_column(default=False)


class RefusedRequest(Base):
    """A refused request: each candidate with what it lacked, and the earliest time that would fit."""

    __tablename__ = "refused_requests"

    id: Mapped[str] = mapped_column(primary_key=True)
    user: Mapped[str]
    image: Mapped[str]
    seconds: Mapped[float]
    start: Mapped[datetime | None]
    at: Mapped[datetime] = mapped_column(index=True)
    reason: Mapped[str]
    candidates: Mapped[list[Any]] = mapped_column(JSON)
    earliest: Mapped[datetime | None]


class FailedStep(Base):
    """A step that failed for good, and what was seen of its computer then."""

    __tablename__ = "failed_steps"
    __table_args__ = (UniqueConstraint("reservation", "generation", "step", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    reservation: Mapped[str]  #: or "computer-<name>" for a background load
    at: Mapped[datetime]
    computer: Mapped[str]
    generation: Mapped[int]
    host: Mapped[str]
    step: Mapped[str]
    number: Mapped[int]
    title: Mapped[str]
    cause: Mapped[str]
    in_guest: Mapped[bool]
    evidence: Mapped[dict[str, Any]]


class Event(Base):
    """The audit trail. ``reservation`` may name one that was refused and so never became a row.

    Append-only, as intents are: see ``Removal``."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    reservation: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime]
    who: Mapped[str]
    what: Mapped[str]
    detail: Mapped[str]
    act: Mapped[str] = mapped_column(default="")  #: the id of an act that is done only once


class Intent(Base):
    """What somebody asked for. Written by the service layer before it is done; everything else is state.

    Append-only: only the outcome is written later, once. See ``Removal``."""

    __tablename__ = "intents"
    __table_args__ = (
        Index("ix_intents_actor", "actor", "at"),
        Index("ix_intents_subject", "subject", "at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    authentication: Mapped[str]
    roles: Mapped[list[str]]
    verb: Mapped[str]
    subject: Mapped[str]
    for_user: Mapped[str]
    account: Mapped[str]
    token: Mapped[str] = mapped_column(default="")
    address: Mapped[str] = mapped_column(default="", index=True)
    arguments: Mapped[dict[str, Any]]
    outcome: Mapped[Outcome]
    detail: Mapped[str]
    answered_at: Mapped[datetime | None]


class Inventory(Base):
    """What an endpoint said last, as JSON, in an epoch of its entry (``inventories``)."""

    __tablename__ = "inventories"

    endpoint: Mapped[str] = mapped_column(primary_key=True)
    epoch: Mapped[int]
    taken_at: Mapped[datetime | None]
    answer: Mapped[str | None]


class Orphan(Base):
    """An orphaned machine: it carries our mark and nobody holds it. The row is deleted when the machine is gone."""

    __tablename__ = "orphans"

    endpoint: Mapped[str] = mapped_column(primary_key=True)
    instance_uuid: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    seconds: Mapped[float] = mapped_column(default=0.0)  #: for which it was looked at: its grace counts by this


class Spare(Base):
    """A machine that nobody could have logged in to, kept for the next reservation of its image.

    Lock the computer's row before changing this one. Addresses and host key are in the computer's row.
    """

    __tablename__ = "spares"

    computer: Mapped[str] = mapped_column(ForeignKey("computers.name"), primary_key=True)
    generation: Mapped[int]  #: that the machine is marked with
    image: Mapped[str]
    revision: Mapped[int]
    endpoint: Mapped[str]
    host: Mapped[str]
    target: Mapped[dict[str, Any]]
    kept_at: Mapped[datetime]
    until: Mapped[datetime]
    removal: Mapped[int] = mapped_column(default=0)  #: generation of the tenure that removes it; 0: available
    evicted_for: Mapped[str] = mapped_column(default="")  #: the reservation that needs its room
