"""Acts as the service layer makes them: the intent is recorded before the message is sent."""

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client

from vclab.model.intents import Intent, Verb
from vclab.model.messages import (
    Acknowledge,
    Capture,
    Dismiss,
    Done,
    End,
    Extend,
    Inspect,
    Placement,
    Reboot,
    Reinstall,
    Reload,
    Reschedule,
    Resolve,
)
from vclab.model.power import PowerSeen, Switch
from vclab.model.reservations import ReserveRequest
from vclab.store import intents, reservations
from vclab.store.engine import Store
from vclab.temporal.client import Act, Reservations

VERBS: dict[type[object], Verb] = {
    Acknowledge: Verb.CONNECT,
    Capture: Verb.CAPTURE,
    Extend: Verb.EXTEND,
    Reschedule: Verb.RESCHEDULE,
    Reboot: Verb.REBOOT,
    Reinstall: Verb.REINSTALL,
    Resolve: Verb.RESOLVE,
    End: Verb.END,
}


def intent(
    verb: Verb,
    subject: str,
    actor: str = "alice",
    operator: bool = False,
    id: str = "",
    for_user: str = "",
    /,
    **said: Any,
) -> Intent:
    """What somebody asks for."""
    arguments = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in said.items()}
    roles = ("operator", "user") if operator else ("user",)
    now = datetime.now(UTC)
    return Intent(
        id or uuid.uuid4().hex, now, actor, "account", roles, verb, subject, for_user or actor, arguments=arguments
    )


class People(Reservations):
    """Sends what ``actor`` asks for."""

    def __init__(self, client: Client, queue: str, store: Store, actor: str = "alice", operator: bool = False) -> None:
        super().__init__(client, queue)
        self._store, self._actor, self._operator = store, actor, operator
        self._known = client, queue, store

    def of(self, actor: str, operator: bool = False) -> "People":
        """The acts of somebody else."""
        return People(*self._known, actor, operator)

    async def reserve(self, request: ReserveRequest, timeout: float = 60.0) -> Placement:
        """As the base. The request's user need not be the actor."""
        asked = ("image", "seconds", "start", "imaging", "capture_at_end")
        said = {name: getattr(request, name) for name in asked}
        id = await self._recorded(Verb.RESERVE, request.id, request.intent, request.user, **said)
        return await super().reserve(replace(request, intent=id), timeout)

    async def reload(self, message: Reload) -> None:
        """As the base, by hand."""
        await super().reload(await self.by_hand(message))

    async def by_hand(self, message: Reload) -> Reload:
        """The message with its intent."""
        said = {"image": message.image, "revision": message.revision}
        id = await self._recorded(Verb.RELOAD, message.computer, message.intent, "", **said)
        return replace(message, intent=id)

    async def switch(self, message: Switch) -> PowerSeen:
        """As the base."""
        said = {"verb": message.verb.value, "device": message.device}
        id = await self._recorded(Verb.SWITCH, message.computer, message.intent, "", **said)
        return await super().switch(replace(message, intent=id))

    async def inspect(self, message: Inspect) -> None:
        """As the base."""
        id = await self._recorded(Verb.INSPECT, message.computer, message.intent, "", accept=message.accept)
        await super().inspect(replace(message, intent=id))

    async def dismiss(self, message: Dismiss) -> None:
        """As the base."""
        id = await self._recorded(Verb.DISMISS, message.reservation, message.intent, "")
        await super().dismiss(replace(message, intent=id))

    async def _update(self, reservation: str, name: str, message: Act) -> Done:
        said = {key: value for key, value in vars(message).items() if key != "intent"}
        said = {"to" if key == "end" else key: value for key, value in said.items()}
        id = await self._recorded(VERBS[type(message)], reservation, message.intent, "", **said)
        return await super()._update(reservation, name, replace(message, intent=id))

    async def _recorded(self, verb: Verb, subject: str, id: str, for_user: str, /, **said: Any) -> str:
        """Record the intent; its id. Recorded again, it is a repeat."""
        for_user = for_user or await asyncio.to_thread(self._owner, subject)
        asked = intent(verb, subject, self._actor, self._operator, id, for_user, **said)
        await asyncio.to_thread(self._store.run, lambda session: intents.write(session, asked))
        return asked.id

    def _owner(self, reservation: str) -> str:
        with self._store.read() as session:
            view = reservations.view(session, reservation)
        return view.user if view else ""
