"""Making copies of images: their records, and the work. The rules of activities/records.py hold here too."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import rules
from activities.errors import failures
from activities.recording import recording
from activities.runner import Context, heartbeating, in_thread, unfenced
from vclab.library import kept
from vclab.model.errors import CopyLost, Fenced, Interrupted, NotFound, Refused
from vclab.model.reservations import Placed
from vclab.model.revisions import Content, Copied, CopyJob, Place, Wanted
from vclab.model.rules import Rules
from vclab.provisioning.base import Copier, ProvisioningModule, copier, known_module
from vclab.settings import Settings
from vclab.store import awaited_copies, copies, copy_jobs, copy_verification, revisions
from vclab.store.engine import Store

UNWANTED = "Unwanted"
"""The type of the failure of a copy that nobody waits for any more."""
LOOK_SECONDS = 10.0
"""How often it is looked whether a copy that is being made is wanted still."""


@dataclass(frozen=True)
class AwaitCopy:
    """A reservation wants the copy of its target."""

    reservation: str
    now: datetime
    again: bool = False  #: also one that could not be made: it is tried again


@dataclass(frozen=True)
class CopyAwaited:
    """Where it is placed: with the copy, or it waits for it; or ``why_not``."""

    placed: Placed
    why_not: str = ""


@dataclass(frozen=True)
class CopyBegun:
    """What it takes; or why it is not made. Neither: it need not be."""

    job: CopyJob | None = None
    why_not: str = ""


@dataclass(frozen=True)
class CopyEnded:
    """It is made; or ``why_not``; or nobody wants it any more."""

    wanted: Wanted
    now: datetime
    copied: Copied | None = None
    why_not: str = ""
    lost: Place | None = None  #: the copy there, which it was to be made from, is not there any more


@dataclass(frozen=True)
class Waiters:
    """The reservations that wait for a copy."""

    reservations: tuple[str, ...] = ()


@dataclass(frozen=True)
class CopyRead:
    """What was read of a copy; or why it could not be read."""

    wanted: Wanted
    now: datetime
    found: Content | None = None
    why_not: str = ""


class CopyRecords:
    """Record activities of copies."""

    def __init__(self, store: Store, settings: Callable[[], Settings]) -> None:
        self._store = store
        self._settings = settings

    @activity.defn
    def copy_awaited(self, given: AwaitCopy) -> CopyAwaited:
        """The reservation has the copy, or waits for it."""

        def look(session: Session) -> CopyAwaited:
            ours = rules.of_reservation(session, self._settings(), given.reservation)
            return CopyAwaited(*awaited_copies.look(session, given.reservation, given.again, ours, given.now))

        with recording():
            return self._store.run(look)

    @activity.defn
    def copy_begins(self, wanted: Wanted) -> CopyBegun:
        """What it takes to make it. That there is nothing to make it from is an answer."""
        return self._begun(copy_jobs.job, wanted)

    @activity.defn
    def copy_ended(self, given: CopyEnded) -> Waiters:
        """It is made, or could not be, or is not wanted. Returns who is to be told."""

        def end(session: Session) -> list[str]:
            if given.copied is not None:
                return copies.made(session, given.wanted, given.copied, given.now)
            if given.lost is not None:
                copies.lost(session, replace(given.wanted, place=given.lost), given.why_not, given.now)
            return copies.not_made(session, given.wanted, given.why_not, given.now)

        with recording():
            return Waiters(tuple(self._store.run(end)))

    @activity.defn
    def copy_leaves(self, wanted: Wanted) -> CopyBegun:
        """What it takes to delete it."""
        return self._begun(copy_jobs.leaving, wanted)

    @activity.defn
    def copy_gone(self, given: CopyEnded) -> None:
        """It is deleted; or it stays, and ``why_not``. A retired revision of which nothing is left is forgotten."""

        def end(session: Session) -> None:
            wanted = given.wanted
            if given.why_not:
                copies.stays(session, wanted, given.why_not, given.now)
                return
            copies.gone(session, wanted, given.now)
            revisions.forget_if_nothing_is_left(session, wanted.image, wanted.revision)

        with recording():
            self._store.run(end)

    @activity.defn
    def verification_begins(self, wanted: Wanted) -> CopyBegun:
        """What it takes to read it."""
        return self._begun(copy_verification.job, wanted)

    @activity.defn
    def copy_verified(self, given: CopyRead) -> None:
        """It is right, or broken; or could not be read."""
        with recording():
            self._store.run(
                lambda s: copy_verification.verified(s, given.wanted, given.found, given.why_not, given.now)
            )

    def _begun(self, find: Callable[[Session, Wanted, Rules], CopyJob | None], wanted: Wanted) -> CopyBegun:
        with recording():
            try:
                return CopyBegun(self._store.run(lambda s: find(s, wanted, self._settings().rules())))
            except (NotFound, Refused) as refused:
                return CopyBegun(why_not=str(refused))


class CopyActivities:
    """The work at an endpoint."""

    def __init__(self, modules: Mapping[str, ProvisioningModule], store: Store, executor: Executor) -> None:
        self._modules = modules
        self._store = store
        self._executor = executor

    @activity.defn
    async def make_copy(self, job: CopyJob) -> Copied:
        """Have the copy, whole. One that nobody waits for any more is stopped; nothing is left of it then."""
        with failures():
            module = self._copier(job)
            async with heartbeating(unfenced) as context:
                watch = asyncio.create_task(self._watch(job.wanted, context))
                try:
                    make = partial(_fetched, module) if job.of_repository else module.make_copy
                    return await in_thread(self._executor, context, make, context, job)
                except Interrupted:
                    if context.cancelled and not activity.is_cancelled():
                        raise ApplicationError(
                            f"nobody wants {job.wanted} on {job.wanted.place} any more",
                            type=UNWANTED,
                            non_retryable=True,
                        ) from None
                    raise
                finally:
                    watch.cancel()

    @activity.defn
    async def remove_copy(self, job: CopyJob) -> None:
        """Delete the copy, and verify it. Fails when anything needs it."""
        with failures():
            remove = kept.remove if job.of_repository else self._copier(job).remove_copy
            async with heartbeating(lambda: self._must_be_retiring(job.wanted)) as context:
                await in_thread(self._executor, context, remove, context, job)

    @activity.defn
    async def verify_copy(self, job: CopyJob) -> Content:
        """Read all of the copy. What is not there is empty."""
        with failures():
            read = kept.read if job.of_repository else self._copier(job).verify_copy
            async with heartbeating(unfenced) as context:
                try:
                    return await in_thread(self._executor, context, read, context, job)
                except CopyLost:
                    return Content()

    def _copier(self, job: CopyJob) -> Copier:
        return copier(known_module(self._modules, job.module))

    def _must_be_retiring(self, wanted: Wanted) -> None:
        """The fence of a removal: when an attempt that hung goes on, the copy may have been made anew."""
        with self._store.read() as session:
            if not copies.is_retiring(session, wanted):
                raise Fenced(f"{wanted} on {wanted.place} is not to be deleted any more")

    async def _watch(self, wanted: Wanted, context: Context) -> None:
        """Stop the work when nobody wants it any more. A database that does not answer is no reason."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(Exception):
                if not await asyncio.to_thread(self._is_wanted, wanted):
                    context.cancel()
                    return

    def _is_wanted(self, wanted: Wanted) -> bool:
        with self._store.read() as session:
            return copies.is_wanted(session, wanted)


def _fetched(module: Copier, context: Context, job: CopyJob) -> Copied:
    """The copy that is in the repository now."""
    found = module.fetch_copy(context, job)
    return Copied("", found.size, found.sha256)
