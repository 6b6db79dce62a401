"""What was done: to a reservation, an image, an endpoint, a computer; or refused."""

from sqlalchemy.orm import Session

from vclab.contract import events as contract
from vclab.contract.events import SOMEBODY, Event
from vclab.contract.retiring import Named
from vclab.model.messages import computer_workflow, power_workflow
from vclab.service.rights import Sight, hidden_images, sight
from vclab.service.use_case import Call, does
from vclab.store import audit


@does(contract.of_image)
async def of_image(call: Call, question: Named) -> tuple[Event, ...]:
    if question.name in await call.backend.read(lambda session: hidden_images(session, call.actor)):
        return ()  # as of a name that nothing has had
    return await _of(call, f"image-{question.name}")


@does(contract.of_endpoint)
async def of_endpoint(call: Call, question: Named) -> tuple[Event, ...]:
    return await _of(call, f"endpoint-{question.name}")


@does(contract.of_computer)
async def of_computer(call: Call, question: Named) -> tuple[Event, ...]:
    subjects = computer_workflow(question.name), power_workflow(question.name)
    found = [event for each in subjects for event in await _of(call, each)]
    return tuple(sorted(found, key=lambda event: event.at))


async def _of(call: Call, subject: str) -> tuple[Event, ...]:
    def ask(session: Session) -> tuple[Event, ...]:
        shown = sight(session, call.actor)
        return tuple(_cut(Event.of(each), shown) for each in audit.events(session, subject))

    return await call.backend.read(ask)


def _cut(event: Event, shown: Sight) -> Event:
    """Without the names of people whom the caller is not shown. What vclab itself has done names nobody."""
    who = event.who if not event.authentication or shown.of(event.who) else SOMEBODY
    for_user = event.for_user if shown.of(event.for_user or "") else None
    return event.model_copy(update={"who": who, "for_user": for_user})
