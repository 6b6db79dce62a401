"""One other place for a load that failed: what was made is removed, then claims and tenure move there."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.failed_steps import FailedStepRecords, OtherPlaceInput, RelocateInput, RelocateOutcome
from activities.provisioning import ProvisioningActivities
from vclab.model.life import Load
from vclab.model.reservations import OtherPlace
from workflows import failures, profiles
from workflows.eviction import evict
from workflows.life import Life
from workflows.placing import ask_endpoints, show_place


async def relocate(life: Life) -> str:
    """Take another place. Why that is not possible; empty when it is done, or the reservation has ended."""
    try:
        place = await _other_place(life)
        if isinstance(place, str) or place is None:
            return place or ""
        not_clean = await clear(life)
        await evict(life, place.evicted)
    except ActivityError as error:
        if failures.was_cancelled(error) or failures.is_fenced(error):
            raise
        return failures.reason(error)
    return "" if life.ended else await _move(life, place, not_clean)


async def _other_place(life: Life) -> OtherPlace | str | None:
    """A place that is claimed, or why there is none; None when it ended meanwhile."""
    life.waits_for(f"another place than {life.target.host}")
    answers = await ask_endpoints(life)
    if answers is None:
        return None
    given = OtherPlaceInput(life.target, answers, workflow.now())
    outcome = await life.record(FailedStepRecords.find_other_place, given)
    return outcome.place or f"there is no other place: {outcome.refusal}"


async def clear(life: Life) -> str:
    """Verified gone, or why nobody may get the lab machine that is left."""
    target, ceiling = life.target, life.waits.step_ceiling
    life.waits_for(f"what was made on {target.host} to be gone", ceiling, "it needs help")
    start_over(life)  # however far the removal comes, what is done is not to be relied on any more
    not_clean = await life.unless_ended(
        workflow.start_activity_method(
            ProvisioningActivities.clear_computer,
            target,
            **profiles.short(f"remove what was made on {target.host}", target.site, ceiling),
        )
    )
    return not_clean or ""


async def _move(life: Life, place: OtherPlace, not_clean: str) -> str:
    mending, before = life.state.mending, life.target
    lost = (workflow.now() - (mending.began or workflow.now())).total_seconds()

    def moved(outcome: RelocateOutcome) -> None:
        if outcome.placed is not None:
            life.place_is(outcome.placed)

    given = RelocateInput(before, place, workflow.now(), not_clean, lost)
    outcome = await life.record(FailedStepRecords.relocated, given, moved)
    if outcome.placed is None:
        return outcome.refusal
    mending.credited += lost
    mending.relocated, mending.began = True, workflow.now()
    show_place(life)
    life.says(f"{life.state.reason}; it is tried on {life.target.host} instead of {before.host}")
    return ""


def start_over(life: Life) -> None:
    """Begin the load anew."""
    life.state.load = Load(run=life.state.load.run)
