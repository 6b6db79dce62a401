"""Is everything there that reservations need?"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from vclab.contract import health as contract
from vclab.contract.failures import RestingHost, Suspect
from vclab.contract.health import Part, Status
from vclab.contract.reservations import FailedComputer, WaitingReservation
from vclab.contract.use_case import Nothing
from vclab.model.access import Permission, Person, Rights
from vclab.model.durations import format_duration
from vclab.model.errors import VclabError
from vclab.model.people import EmergencyUse
from vclab.model.times import clock, zone_of
from vclab.service.reservations import waiting
from vclab.service.use_case import Call, does
from vclab.settings import Settings
from vclab.store import catalog, copy_verification, failures, host_rests, inventories, orphans, reservations, sign_ins


@does(contract.status)
async def status(call: Call, question: Nothing) -> Status:
    database = await _database(call)
    sites = await _sites(call) if database.ok else (call.backend.settings.site,)
    parts = [database, *await _temporal(call, sites)]
    if database.ok:
        parts += [await _part(call, name, look) for name, look in _STORED.items()]
    if not await _maintains(call):
        parts = list(_plainly(parts))
    return Status(ok=all(part.ok for part in parts), parts=tuple(parts))


async def _maintains(call: Call) -> bool:
    """Whether the caller maintains the lab. Without a database only those roles count that do not come from it."""
    try:
        return await call.may(Permission.MAINTAIN)
    except Exception:  # whatever it is, its part tells
        mine = Rights(Person(call.actor.login), call.actor.standing if call.actor.beyond else ())
        return mine.decide(Permission.MAINTAIN).allowed


def _plainly(parts: Sequence[Part]) -> Iterator[Part]:
    """Whether it works, for those who can't mend it: not where anything is, nor what is wrong with it."""
    for name, begins in (("database", "database"), ("temporal", "temporal"), ("workers", "queue ")):
        found = [part.ok for part in parts if part.name.startswith(begins)]
        if found:
            well = all(found)
            yield Part(name=name, ok=well, detail="works" if well else "does not work; operators are shown why")


async def _database(call: Call) -> Part:
    try:
        await asyncio.to_thread(call.backend.store.check)
        running = await call.backend.read(reservations.count_open)
    except Exception as error:  # whatever it is, it is this part's state
        return Part(name="database", ok=False, detail=_said(error))
    detail = f"{call.backend.store.shown_url}, {running} open reservation{'s' * (running != 1)}"
    return Part(name="database", ok=True, detail=detail)


async def _sites(call: Call) -> tuple[str, ...]:
    """The sites that have endpoints; before there are any, that of the settings."""
    found = await call.backend.read(catalog.endpoints)
    return tuple(dict.fromkeys(endpoint.site for endpoint in found)) or (call.backend.settings.site,)


async def _temporal(call: Call, sites: Sequence[str]) -> list[Part]:
    """The Temporal server, who polls the queues, and workflows whose task fails again and again."""
    settings = call.backend.settings.temporal
    try:
        client = await call.backend.temporal(5.0)
        from vclab.temporal.client import failing_workflows, must_be_there, queue_health

        await must_be_there(client)  # it may have gone since the client has connected
        queues = await queue_health(client, settings.workflow_queue, sites)
        failing = await failing_workflows(client)
    except Exception as error:  # as above
        return [Part(name="temporal", ok=False, detail=_said(error))]
    address = client.service_client.config.target_host  # maybe that of a profile
    where = f"{address}, UI {settings.ui}" if settings.ui else address
    found = [Part(name="temporal", ok=True, detail=where)]
    for queue in queues:
        detail = queue.text() + ("" if queue.ok else "; start vclab-worker there")
        found.append(Part(name=f"queue {queue.name}", ok=queue.ok, detail=detail))
    return [*found, Part(name="workflows", ok=not failing.workflows, detail=failing.text())]


# --- what the store knows: whether it is well, and the detail ---------------------------------------------------------

_Look = Callable[[Session, Call], tuple[bool, str]]


async def _part(call: Call, name: str, look: _Look) -> Part:
    try:
        ok, detail = await call.backend.read(lambda session: look(session, call))
    except Exception as error:  # as above
        return Part(name=name, ok=False, detail=_said(error))
    return Part(name=name, ok=ok, detail=detail)


def _machines(session: Session, call: Call) -> tuple[bool, str]:
    """Machines of ours without a tenure, as the reconciler has seen them last."""
    found, settings, now = orphans.listed(session), call.backend.settings, datetime.now(UTC)
    if not found:
        return True, "no orphaned machines"
    each = [f"{stray.name} on {stray.endpoint} ({_for(stray.since, now)})" for stray in found]
    return False, f"orphaned: {', '.join(each)}; {_removed(settings)}"


def _for(since: datetime, now: datetime) -> str:
    return f"for {format_duration((now - since).total_seconds())}"


def _removed(settings: Settings) -> str:
    return f"the reconciler removes them after {format_duration(settings.reconcile.grace)}"


def _hosts(session: Session, call: Call) -> tuple[bool, str]:
    """Hosts that rest. A lab goes on with a broken host, so it is no fault of the set-up."""
    zone = zone_of(call.actor.user.zone if call.actor.user else "")
    found = [RestingHost.of(rest) for rest in host_rests.resting(session).values()]
    each = [f"{rest.endpoint}/{rest.host} {rest.text(lambda at: clock(at, zone))}" for rest in found]
    return True, " | ".join(each) or "all hosts in service"


def _datastores(session: Session, call: Call) -> tuple[bool, str]:
    """Datastores that have filled, as their endpoints said last: what runs there may soon stand still."""
    found = [f"{endpoint}/{store.name}: {store.why_not}" for endpoint, store in inventories.filled(session)]
    if not found:
        return True, "all have room"
    return False, f"nothing is placed on {' | '.join(found)}; make room there, or end what grows"


def _images(session: Session, call: Call) -> tuple[bool, str]:
    """Revisions in production that failed on several hosts: they are to blame, and nothing of the set-up is."""
    production = {(image.name, image.revision) for image in catalog.images(session)}
    found = [Suspect.of(each) for each in failures.suspects(session) if (each.image, each.revision) in production]
    return True, " | ".join(each.text for each in found) or "no suspect images"


def _copies(session: Session, call: Call) -> tuple[bool, str]:
    """Copies of images that are broken: nothing is made from them, and vclab replaces those that it can."""
    found = copy_verification.broken(session)
    return True, " | ".join(f"{wanted} on {wanted.place}: {why}" for wanted, why in found) or "no broken copies"


def _loads(session: Session, call: Call) -> tuple[bool, str]:
    """Loads that wait for an operator: each is a fault of something, but none of the set-up."""
    found = waiting(session)
    held = [each for each in found if isinstance(each, WaitingReservation)]
    failed = [each for each in found if isinstance(each, FailedComputer)]
    each = ", ".join(f"{one.id} at {one.failure.title} on {one.failure.host}" for one in held)
    texts = [f"{len(held)} need{'s' * (len(held) == 1)} help: {each}"] if held else []
    texts += [f"{one.computer} failed at {one.failure.title}" for one in failed]
    return True, f"{'; '.join(texts)}; `vclab needs-help` shows the cause" if texts else "none needs help"


def _emergencies(session: Session, call: Call) -> tuple[bool, str]:
    """Whether somebody may come in, or came, past the identity providers: an alarm, for a day."""
    zone, now = zone_of(call.actor.user.zone if call.actor.user else ""), datetime.now(UTC)
    found = [_emergency(use, zone, now) for use in sign_ins.emergencies(session, now - sign_ins.ALARM)]
    return not found, " | ".join(found) or "the emergency administrator has not been let in"


def _emergency(use: EmergencyUse, zone: ZoneInfo, now: datetime) -> str:
    ends = f"until {clock(use.expires_at, zone)}" if use.expires_at > now else "over"
    if use.used_at is None:
        return f"{use.made_by} has made a code for the emergency administrator at {clock(use.made_at, zone)}, {ends}"
    came = f"the emergency administrator came in at {clock(use.used_at, zone)} from {use.used_from}, {ends}"
    return f"{came}; `vclab audit --user emergency` shows what they did"


_STORED: dict[str, _Look] = {
    "emergency": _emergencies,
    "machines": _machines,
    "hosts": _hosts,
    "datastores": _datastores,
    "images": _images,
    "copies": _copies,
    "loads": _loads,
}


def _said(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, VclabError):
        return str(error)
    return f"{type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0]}"
