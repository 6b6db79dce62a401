"""What was done: to a reservation, an image, an endpoint, a computer; or refused."""

from vclab.contract import events as contract
from vclab.contract.events import Event
from vclab.contract.retiring import Named
from vclab.model.messages import computer_workflow, power_workflow
from vclab.service.use_case import Call, does
from vclab.store import audit


@does(contract.of_image)
async def of_image(call: Call, question: Named) -> tuple[Event, ...]:
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
    found = await call.backend.read(lambda session: audit.events(session, subject))
    return tuple(map(Event.of, found))
