"""Finding a place."""

from temporalio import workflow

from activities.provisioning import ProvisioningActivities, Survey, SurveyInput
from activities.records import PlaceInput, PlaceOutcome, RecordActivities
from vclab.model.states import ReservationState
from vclab.temporal import search_attributes as searchable
from workflows import profiles
from workflows.life import Life, whole


class Placing(Life):
    """A request becomes a place: claim and tenure; or it is refused."""

    async def _place(self) -> None:
        self._progress.waits("the endpoints to say what they can hold")
        survey = await self._survey()

        async def place() -> None:
            given = PlaceInput(self._request, survey.inventories, workflow.now())
            outcome: PlaceOutcome = await self.record(RecordActivities.place, given)
            self._placed = outcome.placed
            self._refusal = outcome.refusal.text() if outcome.refusal else ""

        await whole(place())
        if self._placed is None:
            self._progress.waits("nothing: it was refused")
            self._progress.says(self._refusal)
            return
        target = self._placed.target
        if self._placed.state is ReservationState.SCHEDULED:
            self._progress.state = ReservationState.SCHEDULED
        self._end = self._placed.end
        self._progress.placed = self._placed
        self._progress.end = self._end
        workflow.upsert_search_attributes(
            [
                searchable.USER.value_set(self._request.user),
                searchable.IMAGE.value_set(self._request.image),
                searchable.COMPUTER.value_set(target.computer),
                searchable.HOST.value_set(target.host),
                searchable.END.value_set(self._end),
                searchable.STATE.value_set(self._progress.state),
            ]
        )

    async def _survey(self) -> Survey:
        """What the endpoints say that they can hold now."""
        return await workflow.execute_activity_method(
            ProvisioningActivities.survey,
            SurveyInput(),
            **profiles.survey("ask the endpoints what they can hold", "default"),
        )
