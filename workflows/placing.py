"""Finding a place: a request becomes claims and a tenure, or it is refused."""

from temporalio import workflow

from activities.provisioning import ProvisioningActivities, Survey, SurveyInput
from activities.records import PlaceInput, PlaceOutcome, RecordActivities
from vclab.model.states import ReservationState
from vclab.temporal import search_attributes as searchable
from workflows import profiles
from workflows.life import Life
from workflows.tasks import whole


async def place(life: Life) -> None:
    """Place it, or say why that is not possible."""
    life.waits_for("the endpoints to say what they can hold")
    survey = await ask_endpoints()

    async def record() -> None:
        given = PlaceInput(life.request, survey.inventories, workflow.now())
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


async def ask_endpoints() -> Survey:
    """What the endpoints say that they can hold now."""
    return await workflow.execute_activity_method(
        ProvisioningActivities.survey,
        SurveyInput(),
        **profiles.survey("ask the endpoints what they can hold", ""),
    )


def show_place(life: Life) -> None:
    """By its computer and host it is found in the Temporal UI."""
    workflow.upsert_search_attributes(
        [searchable.COMPUTER.value_set(life.target.computer), searchable.HOST.value_set(life.target.host)]
    )
