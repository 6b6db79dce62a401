"""What use cases answer with: the one schema of ``--json`` and of the HTTP API. Keys are added to, never renamed."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

from vclab.contract.heard import Address, HostKey, Id, Login, Prefix
from vclab.model.states import OPEN_STATES, Ending, ReservationState

if TYPE_CHECKING:
    from vclab.model.reservations import ReservationView


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with whole seconds: ``2025-11-21T10:35:00Z``."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


Time = Annotated[
    datetime,
    PlainSerializer(iso, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment. For programs in UTC with whole seconds."""


class View(BaseModel):
    """Something as people and programs see it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)  # most of them no verb needs


class HelpWait(View):
    """A reservation waits for an operator."""

    since: Time
    until: Time | None  #: it is given up then


class Reservation(View):
    """A reservation. Secrets are never among its fields."""

    id: Id
    user: Login
    image: str
    revision: int
    state: ReservationState
    word: str  #: the state as people read it
    ending: Ending | None
    computer: str | None
    generation: int | None
    host: str | None
    endpoint: str | None
    address: Address | None  #: its public address
    dedicated: bool  #: its disk is a full copy of the image's, not a child of one
    has_guest: bool  #: there is an operating system to log in to; else Connect hands the thing out
    handover: str | None  #: what its user is given where there is no guest: a URL or a path
    imaging: bool  #: it may be captured
    capture_at_end: bool  #: and is at its end, if it was not before
    becomes: str | None  #: it is being captured, as this revision
    host_key: HostKey | None
    host_key_verified: bool  #: false: it is what was shown at the first contact, and nobody vouches for it
    remote_addresses: tuple[Prefix, ...]
    access_open: bool  #: the connect ports are open to ``remote_addresses``
    connected: bool
    created: Time
    start: Time
    preload_at: Time | None  #: its load begins then; None: it was not reserved for later
    end: Time
    ended_at: Time | None
    dismissed_at: Time | None  #: it failed, and is not listed any more
    step: int
    steps: int
    step_title: str | None
    reason: str | None  #: why it failed, or the last refusal
    needs_help: HelpWait | None

    @property
    def ended(self) -> bool:
        """It is no longer the user's."""
        return self.state not in OPEN_STATES

    @property
    def ready(self) -> bool:
        """It can be connected to."""
        return self.state in (ReservationState.RESERVED, ReservationState.INUSE)

    @classmethod
    def of(cls, view: "ReservationView") -> "Reservation":
        """What the store knows, for people and programs. Nothing known is ``None``."""
        return cls(
            id=view.id,
            user=view.user,
            image=view.image,
            revision=view.revision,
            state=view.state,
            word=view.word,
            ending=view.ending,
            computer=view.computer or None,
            generation=view.generation or None,
            host=view.host or None,
            endpoint=view.endpoint or None,
            address=view.public_address or None,
            dedicated=view.dedicated,
            has_guest=view.has_guest,
            handover=view.handover or None,
            imaging=view.imaging,
            capture_at_end=view.capture_at_end,
            becomes=view.becomes or None,
            host_key=view.host_key or None,
            host_key_verified=bool(view.host_key_from),
            remote_addresses=view.remote_addresses,
            access_open=view.access_open,
            connected=view.connected,
            created=view.created,
            start=view.start,
            preload_at=view.preload_at,
            end=view.end,
            ended_at=view.ended_at,
            dismissed_at=view.dismissed_at,
            step=view.step,
            steps=view.steps,
            step_title=view.step_title or None,
            reason=view.reason or None,
            needs_help=None if view.help_since is None else HelpWait(since=view.help_since, until=view.help_until),
        )


def shown(value: Any) -> str:
    """A field's value, for people."""
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
