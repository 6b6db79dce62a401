"""What was done: to a reservation, an image, an endpoint, a computer; or refused."""

from vclab.model import reservations as model
from vclab.model.messages import computer_workflow, power_workflow
from vclab.service.retiring import Named
from vclab.service.use_case import Call, Rule, read
from vclab.service.views import Time, View
from vclab.store import audit


class Event(View):
    """Something that was done, or refused."""

    at: Time
    who: str  #: the person who acted; else "vclab"; of a signal by Temporal: its sender, or "temporal"
    for_user: str | None  #: whose reservation it is
    authentication: str | None  #: how it is known who acted; null: vclab itself
    what: str
    detail: str | None

    @classmethod
    def of(cls, event: model.AuditEvent) -> "Event":
        """As it was recorded."""
        return cls(
            at=event.at,
            who=event.who,
            for_user=event.for_user or None,
            authentication=event.authentication or None,
            what=event.what,
            detail=event.detail or None,
        )


@read(Rule.ANYBODY)
async def of_image(call: Call, question: Named) -> tuple[Event, ...]:
    """What vclab has done to an image's copies and revisions by itself, oldest first. One that is gone has them too."""
    return await _of(call, f"image-{question.name}")


@read(Rule.ANYBODY)
async def of_endpoint(call: Call, question: Named) -> tuple[Event, ...]:
    """What vclab has noticed at an endpoint, oldest first. One that is gone has them too."""
    return await _of(call, f"endpoint-{question.name}")


@read(Rule.ANYBODY)
async def of_computer(call: Call, question: Named) -> tuple[Event, ...]:
    """What was done to a computer while no reservation had it, oldest first. One that is gone has them too."""
    subjects = computer_workflow(question.name), power_workflow(question.name)
    found = [event for each in subjects for event in await _of(call, each)]
    return tuple(sorted(found, key=lambda event: event.at))


async def _of(call: Call, subject: str) -> tuple[Event, ...]:
    found = await call.backend.read(lambda session: audit.events(session, subject))
    return tuple(map(Event.of, found))
