"""Finding a place: a request becomes claims and a tenure, or it is refused."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.provisioning import ProvisioningActivities, Survey, SurveyInput
from activities.records import PlaceInput, PlaceOutcome, RecordActivities
from vclab.model.inventory import Inventory
from vclab.model.states import ReservationState
from vclab.temporal import search_attributes as searchable
from workflows import failures, profiles
from workflows.life import Life
from workflows.tasks import Handle, whole


async def find_place(life: Life) -> None:
    """Place it, or say why that is not possible."""
    life.waits_for("the endpoints to say what they can hold")
    inventories = await ask_endpoints()

    async def record() -> None:
        given = PlaceInput(life.request, inventories, workflow.now())
        outcome: PlaceOutcome = await life.record(RecordActivities.place, given)
        life.state.placed = outcome.placed
        life.state.refusal = outcome.refusal.text() if outcome.refusal else ""

    await whole(record())
    if life.state.placed is None:
        life.waits_for("nothing: it was refused")
        life.says(life.state.refusal)
        return
    if life.placed.state is ReservationState.SCHEDULED:
        life.state.state = ReservationState.SCHEDULED
    life.state.end = life.placed.end
    workflow.upsert_search_attributes(
        [
            searchable.USER.value_set(life.request.user),
            searchable.IMAGE.value_set(life.request.image),
            searchable.COMPUTER.value_set(life.target.computer),
            searchable.HOST.value_set(life.target.host),
            searchable.END.value_set(life.placed.end),
            searchable.STATE.value_set(life.state.state),
        ]
    )


async def ask_endpoints() -> tuple[Inventory, ...]:
    """What the endpoints of all sites say that they can hold now. Those of a site that does not answer are left out,
    for nothing can be made there now; where nobody is asked elsewhere, its failure is raised."""
    own = await workflow.execute_activity_method(
        ProvisioningActivities.survey, SurveyInput(), **profiles.survey("ask the endpoints what they can hold", "")
    )
    asked = [(site, _survey(site)) for site in own.other_sites]
    inventories = list(own.inventories)
    for site, answer in asked:
        try:
            inventories += (await answer).inventories
        except ActivityError as error:
            if failures.was_cancelled(error):
                raise
            workflow.logger.warning("site %s: %s", site, failures.reason(error))
    return tuple(inventories)


def _survey(site: str) -> Handle[Survey]:
    return workflow.start_activity_method(
        ProvisioningActivities.survey,
        SurveyInput(site),
        **profiles.survey_of_other_site(f"ask the endpoints of site {site} what they can hold", site),
    )


def show_place(life: Life) -> None:
    """By its computer and host it is found in the Temporal UI."""
    workflow.upsert_search_attributes(
        [searchable.COMPUTER.value_set(life.target.computer), searchable.HOST.value_set(life.target.host)]
    )
