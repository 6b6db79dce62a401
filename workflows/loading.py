"""new: the computer is brought to the image, as recorded in its plan."""

from dataclasses import replace

from temporalio import workflow

from activities.provisioning import ProvisioningActivities
from activities.records import RecordActivities
from vclab.model.plans import Plan, Step
from vclab.model.reservations import Placed
from vclab.model.states import ReservationState
from workflows import profiles
from workflows.life import Life
from workflows.load import run_plan


class Loading(Life):
    """From placed to ready."""

    async def _new(self, placed: Placed) -> None:
        """Load the computer, as recorded in its plan."""
        target, ceiling = placed.target, placed.waits.step_ceiling
        self._progress.waits(f"a look at {target.computer}", ceiling, "the load fails")
        plan: Plan | None = await self.unless_ended(
            workflow.start_activity_method(
                ProvisioningActivities.make_plan,
                target,
                **profiles.short(f"look at {target.computer} and plan its load", target.site, ceiling),
            )
        )
        if plan is None:
            return
        self._progress.plan = plan

        def entered(number: int, step: Step) -> None:
            self._progress.step = number
            self._progress.waits(step.title, profiles.step_ceiling(step, ceiling), "the load fails")

        facts = await run_plan(plan, target, ceiling, self.unless_ended, entered)
        if facts is not None and self._ending is None:
            self._facts = facts
            waits = await self.record(RecordActivities.ready, self._event(facts=facts))
            self._placed = replace(placed, waits=waits)
            self._enter(ReservationState.RESERVED)
