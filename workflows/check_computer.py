"""The check of an idle computer: it answers, is on, holds what its record says, its clock and its disks are well.

What can be mended is, and what can't goes into maintenance; each computer by itself, so a dead one delays no other.
"""

import asyncio
from dataclasses import replace
from typing import TypeVar, cast

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from activities.computer_checks import CheckActivities, CheckBegins, CheckBegun, CheckEnded, CheckRecords
from activities.power import PowerActivities
from vclab.model import messages
from vclab.model.computer_checks import Check, CheckOrder, Repair, Seen, Verdict, judge
from vclab.model.power import PowerOrder, PowerSeen, PowerVerb
from vclab.temporal import search_attributes as searchable
from workflows import failures, profiles
from workflows.tasks import Handle, result_after, whole

T = TypeVar("T")

_ASK = 60.0
"""Seconds for what tells the power."""
_SWITCH = 330.0
"""Seconds to switch it on, until that is seen: where only its system tells, it must have booted."""
_BOOT = 600.0
"""Seconds to boot, until its system lets us in."""


@workflow.defn(name=messages.CHECK)
class CheckComputer:
    """Checks a computer that nobody has, and mends it if that is possible."""

    @workflow.run
    async def run(self, given: Check) -> str:
        """What was found, or why nothing was looked at."""
        workflow.upsert_search_attributes([searchable.COMPUTER.value_set(given.computer)])
        begun: CheckBegun = await workflow.execute_local_activity_method(
            CheckRecords.check_begins,
            CheckBegins(given.computer, workflow.now()),
            **profiles.record_of(CheckRecords.check_begins),
        )
        if begun.order is None:
            return begun.refusal
        try:
            verdict = await self._checked(begun.order)
        # Exactly what ends a workflow. Anything else is a bug, and changes nothing.
        except (FailureError, asyncio.CancelledError) as error:
            verdict = Verdict(f"it could not be checked: {failures.reason(error)}")
        await whole(self._ended(CheckEnded(begun.order, verdict, workflow.now())))
        return f"{given.computer}: {verdict.said}"

    async def _checked(self, order: CheckOrder) -> Verdict:
        """What is so, after it was switched on if it had to be."""
        power, seen = await self._power(order), await self._look(order)
        verdict = judge(order, power, seen)
        if verdict.repair is not Repair.SWITCH_ON or order.power is None:
            return verdict
        if why_not := await self._switch_on(order, order.power):
            return judge(order, power, seen, f"{verdict.said}, and can't be switched on: {why_not}")
        again = judge(order, await self._power(order), await self._look(order), f"{verdict.said}: switched on")
        return again if again.repair else replace(again, repair=Repair.SWITCH_ON)

    async def _power(self, order: CheckOrder) -> PowerSeen:
        """That nobody can tell it is a fact."""
        if order.power is None:
            return PowerSeen()
        seen, why_not = await _tried(self._told(order.power, "tell its power", _ASK))
        return seen or PowerSeen("unknown", why_not)

    async def _look(self, order: CheckOrder) -> Seen:
        if order.off:
            return Seen()
        look = workflow.start_activity_method(
            CheckActivities.look_at_computer,
            order,
            **profiles.check(f"look at {order.target.computer}", order.site),
        )
        return await _result(look)

    async def _switch_on(self, order: CheckOrder, power: PowerOrder) -> str:
        """Switch it on, and wait until it answers. Why it can't be switched on; that it does not answer then, the next
        look says."""
        told = replace(power, switch=replace(power.switch, verb=PowerVerb.ON))
        _, why_not = await _tried(self._told(told, "switch it on", _SWITCH))
        if not why_not:
            answers = workflow.start_activity_method(
                CheckActivities.await_computer,
                order,
                **profiles.search(f"does {order.target.computer} answer?", order.site, 10.0, _BOOT),
            )
            await _tried(answers)
        return why_not

    def _told(self, power: PowerOrder, what: str, limit: float) -> Handle[PowerSeen]:
        return workflow.start_activity_method(
            PowerActivities.switch_power,
            power,
            **profiles.power(f"{what} — {power.switch.computer}", power.site, limit),
        )

    async def _ended(self, ended: CheckEnded) -> None:
        await workflow.execute_local_activity_method(
            CheckRecords.check_ended, ended, **profiles.record_of(CheckRecords.check_ended)
        )


async def _tried(handle: Handle[T]) -> tuple[T | None, str]:
    """The result of an activity; or why there is none."""
    try:
        return await _result(handle), ""
    except ActivityError as error:
        return None, failures.reason(error)


async def _result(handle: Handle[T]) -> T:
    """The result of an activity. A cancellation is not lost when the activity ends well all the same."""
    result = await result_after(workflow.wait_condition(handle.done), handle)
    return cast(T, result)
