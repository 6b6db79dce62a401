"""Switching a computer because an operator asks for it: one at a time on each, on the worker of its site."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from activities.power import PowerActivities, PowerBegins, PowerBegun, PowerEnded, PowerRecords
from vclab.model import messages
from vclab.model.power import PowerOrder, PowerSeen, Switch
from vclab.temporal import search_attributes as searchable
from workflows import failures, profiles
from workflows.tasks import whole

LIMIT = 480.0
"""Seconds for everything but a soft shutdown: a turn at the BMC, its answers, and until it is seen to obey. Longer than
all limits of ``vclab.power`` together, which say what is wrong (tests/workflows/test_power_limit.py)."""


@workflow.defn(name=messages.POWER)
class SwitchPower:
    """Tells or changes the power of a computer, or what it boots from."""

    @workflow.run
    async def run(self, given: Switch) -> PowerSeen:
        """What was seen then. Raises why it was not done."""
        workflow.upsert_search_attributes([searchable.COMPUTER.value_set(given.computer)])
        begun: PowerBegun = await workflow.execute_local_activity_method(
            PowerRecords.power_begins,
            PowerBegins(given, workflow.now()),
            **profiles.record_of(PowerRecords.power_begins),
        )
        if begun.order is None:
            raise ApplicationError(begun.refusal, type="Refused", non_retryable=True)
        seen, why_not, kind = PowerSeen(), "", ""
        try:
            seen = await self._switched(begun.order)
        # Exactly what ends a workflow. Anything else is a bug, and changes nothing.
        except (FailureError, asyncio.CancelledError) as error:
            why_not = "it was cancelled" if failures.was_cancelled(error) else failures.reason(error)
            kind = failures.type_of(error) if isinstance(error, FailureError) else ""
        await whole(self._ended(PowerEnded(begun.order, workflow.now(), seen, why_not)))
        if why_not:
            raise ApplicationError(why_not, type=kind or "StepFailed", non_retryable=True)
        return seen

    async def _switched(self, order: PowerOrder) -> PowerSeen:
        given = order.switch
        summary = f"{given.verb} {given.device}".strip()
        seen: PowerSeen = await workflow.execute_activity_method(
            PowerActivities.switch_power,
            order,
            **profiles.power(
                f"{summary} — {given.computer}", order.site, LIMIT + given.soft_seconds + given.listen_seconds
            ),
        )
        return seen

    async def _ended(self, ended: PowerEnded) -> None:
        await workflow.execute_local_activity_method(
            PowerRecords.power_ended, ended, **profiles.record_of(PowerRecords.power_ended)
        )
