"""What was done: to a reservation, an image, an endpoint, a computer; or refused."""

from typing import TYPE_CHECKING

from vclab.contract.retiring import Named
from vclab.contract.use_case import anybody, get, read
from vclab.contract.views import Time, View

if TYPE_CHECKING:
    from vclab.model.reservations import AuditEvent


SOMEBODY = "another person"
"""Stands for whoever acted, where the reader is not shown that person."""


class Event(View):
    """Something that was done, or refused."""

    at: Time
    who: str  #: the person who acted; else "vclab"; of a signal by Temporal: its sender, or "temporal"; or SOMEBODY
    for_user: str | None  #: whose reservation it is
    authentication: str | None  #: how it is known who acted; null: vclab itself
    what: str
    detail: str | None

    @classmethod
    def of(cls, event: "AuditEvent") -> "Event":
        """As it was recorded."""
        return cls(
            at=event.at,
            who=event.who,
            for_user=event.for_user or None,
            authentication=event.authentication or None,
            what=event.what,
            detail=event.detail or None,
        )


of_image = read(
    "events.of_image",
    anybody(),
    Named,
    tuple[Event, ...],
    get("/images/{name}/events"),
    "What vclab has done to an image's copies and revisions by itself, oldest first. One that is gone has them too.",
)


of_endpoint = read(
    "events.of_endpoint",
    anybody(),
    Named,
    tuple[Event, ...],
    get("/endpoints/{name}/events"),
    "What vclab has noticed at an endpoint, oldest first. One that is gone has them too.",
)


of_computer = read(
    "events.of_computer",
    anybody(),
    Named,
    tuple[Event, ...],
    get("/computers/{name}/events"),
    "What was done to a computer while no reservation had it, oldest first. One that is gone has them too.",
)
