"""Finding a place: a request becomes claims and a tenure, or it is refused."""

from temporalio import workflow
from temporalio.exceptions import ActivityError
from temporalio.workflow import ActivityConfig

from activities.provisioning import OtherSite, ProvisioningActivities, Survey, SurveyInput
from activities.records import PlaceInput, PlaceOutcome, RecordActivities
from vclab.model.inventory import Answered
from vclab.model.states import ReservationState
from vclab.temporal import search_attributes as searchable
from workflows import failures, profiles
from workflows.life import Life
from workflows.tasks import Handle

REFUSED = "refused"
"""As search attribute only, like ``NEEDS_HELP``: what was refused has no state."""


async def find_place(life: Life) -> None:
    """Place it, or say why that is not possible."""
    life.waits_for("the endpoints to say what they can hold")
    answers = await ask_endpoints(life)
    if answers is None:
        life.state.refusal = "it was ended before it was placed"
        return

    def decided(outcome: PlaceOutcome) -> None:
        life.state.placed = outcome.placed
        life.state.refusal = outcome.refusal.text(life.request.id) if outcome.refusal else ""

    await life.record(RecordActivities.place, PlaceInput(life.request, answers, workflow.now()), decided)
    if life.state.placed is None:
        life.waits_for("nothing: it was refused")
        life.says(life.state.refusal)
        searched = [searchable.USER.value_set(life.request.user), searchable.IMAGE.value_set(life.request.image)]
        workflow.upsert_search_attributes([*searched, searchable.STATE.value_set(REFUSED)])
        return
    life.state.planned_end = life.end
    if life.placed.state is ReservationState.SCHEDULED:
        life.state.state = ReservationState.SCHEDULED
    workflow.upsert_search_attributes(
        [
            searchable.USER.value_set(life.request.user),
            searchable.IMAGE.value_set(life.request.image),
            searchable.COMPUTER.value_set(life.target.computer),
            searchable.HOST.value_set(life.target.host),
            searchable.END.value_set(life.end),
            searchable.STATE.value_set(life.state.state),
        ]
    )


async def ask_endpoints(life: Life) -> tuple[Answered, ...] | None:
    """What the endpoints of all sites say that they can hold now; None when it has ended meanwhile.

    Those of a site that does not answer say why: no person waits long for a site whose worker is away.
    """
    survey = await life.unless_ended(_survey("", profiles.survey("ask the endpoints what they can hold", "")))
    if survey is None:
        return None
    answers = survey.answers
    summary = "ask the endpoints of site {} what they can hold"
    asked = [(o, _survey(o.site, profiles.survey_elsewhere(summary.format(o.site), o.site))) for o in survey.others]
    for other, handle in asked:
        answers += await _answer(life, other, handle)
    return None if life.ended else answers


def _survey(site: str, config: ActivityConfig) -> Handle[Survey]:
    return workflow.start_activity_method(ProvisioningActivities.survey, SurveyInput(site), **config)


async def _answer(life: Life, other: OtherSite, handle: Handle[Survey]) -> tuple[Answered, ...]:
    try:
        survey = await life.unless_ended(handle)
        return survey.answers if survey is not None else ()
    except ActivityError as error:
        away = failures.not_taken_up(error)
        why = f"no worker of site {other.site} took it up" if away else failures.reason(error)
        return tuple(Answered(name, error=why) for name in other.endpoints)


def show_place(life: Life) -> None:
    """By its computer and host it is found in the Temporal UI."""
    workflow.upsert_search_attributes(
        [searchable.COMPUTER.value_set(life.target.computer), searchable.HOST.value_set(life.target.host)]
    )
