"""What people may know of reservations: which there are, where each stands and why."""

from typing import TYPE_CHECKING, Literal

from vclab.contract.events import Event
from vclab.contract.failures import FailedLoad, FailedStep, RestingHost, Suspect
from vclab.contract.looks import Look
from vclab.contract.use_case import Nothing, Paged, Question, anybody, get, needs, read, users
from vclab.contract.views import Reservation, Time, View
from vclab.model.access import Permission, ResourceKind
from vclab.model.states import ReservationState

if TYPE_CHECKING:
    from vclab.model.reservations import RefusedRequest

OVER = (ReservationState.COMPLETE, ReservationState.FAILED)
"""Nothing runs any more: the computer is taken back too."""


class Named(Question):
    """A reservation: by its id, the beginning of it, or the id of its workflow."""

    reservation: str


# --- which there are ------------------------------------------------------------------------------------------------


class Which(Paged):
    """Which reservations to list; what is empty is not asked for. ``ended``: also those that have ended."""

    everyone: bool = False
    ended: bool = False
    user: str = ""  #: whose; with ``everyone``
    image: str = ""
    computer: str = ""


listing = read(
    "reservations.listing",
    users(),
    Which,
    tuple[Reservation, ...],
    get("/reservations"),
    "One's own reservations, newest first; of all people for an operator who asks for that.",
    pages="id",
)


# --- one of them ----------------------------------------------------------------------------------------------------


class Attempt(View):
    """One attempt of one step of a load."""

    step: str
    title: str
    number: int
    count: int
    generation: int
    run: int  #: how often the load had been resumed by then
    attempt: int
    started: Time
    ended: Time | None
    outcome: str | None  #: done, failed, cancelled
    detail: str | None


class Shown(Look):
    """All that is known of a reservation."""

    history: tuple[Event, ...]
    suspect: Suspect | None  #: its revision of the image
    resting: RestingHost | None  #: its host
    load: tuple[Attempt, ...] | None  #: every attempt of every step; only operators see it
    failures: tuple[FailedStep, ...] | None  #: steps that failed for good; only operators see them


look = read(
    "reservations.look",
    needs(Permission.SEE, ResourceKind.RESERVATION),
    Named,
    Look,
    get("/reservations/{reservation}/status"),
    "One look at a reservation: what the store knows, and what its workflow says now.",
)


show = read(
    "reservations.show",
    needs(Permission.SEE, ResourceKind.RESERVATION),
    Named,
    Shown,
    get("/reservations/{reservation}"),
    "All that is known of a reservation: where it is, what runs, what was done, and by whom.",
)


# --- why ------------------------------------------------------------------------------------------------------------


class Candidate(View):
    """A host that was considered, and what it lacked."""

    name: str
    lacks: tuple[str, ...]


class RefusedPlace(View):
    """A request that found no place: each candidate with what it lacked."""

    id: str
    kind: Literal["refused"] = "refused"
    user: str
    image: str
    seconds: float
    start: Time | None
    at: Time
    reason: str
    earliest: Time | None  #: from then on it would fit, by what was promised then; null: not known
    candidates: tuple[Candidate, ...]

    @classmethod
    def of(cls, request: "RefusedRequest") -> "RefusedPlace":
        """As it is kept."""
        refusal = request.refusal
        return cls(
            id=request.id,
            user=request.user,
            image=request.image,
            seconds=request.seconds,
            start=request.start,
            at=request.at,
            reason=refusal.reason,
            earliest=refusal.earliest,
            candidates=tuple(Candidate(name=each.name, lacks=each.lacks) for each in refusal.candidates),
        )


class Activity(View):
    """An activity that runs, or waits for its next attempt."""

    name: str
    attempt: int
    runs: bool  #: an attempt is under way; else the next one is waited for
    since: Time | None  #: when the attempt began, or the last one
    last_failure: str | None
    failed_at: Time | None
    next_attempt: Time | None
    given_up: Time | None  #: when there are no more attempts; null: never
    progress: str | None


class Explained(Look):
    """Why a reservation is where it is. Its word and reason are the newest that workflow and store know."""

    kind: Literal["reservation"] = "reservation"
    known_at: Time  #: the age of what the store knows
    last_step: Attempt | None  #: of the load, from the store
    activities: tuple[Activity, ...]
    activities_not_asked: str | None  #: why the server did not tell what is tried
    failures: tuple[FailedLoad, ...]
    suspect: Suspect | None  #: its revision of the image
    evidence: FailedStep | None  #: the last step that failed for good; only operators see it
    no_place: RefusedPlace | None  #: why no other place was found the last time

    @property
    def over(self) -> bool:
        """Nothing runs any more: the computer is taken back too."""
        return self.state in OVER


why = read(
    "reservations.why",
    users(),
    Named,
    RefusedPlace | Explained,
    get("/reservations/{reservation}/why"),
    'Why a reservation is where it is, or why a request was refused. Of others\' the answer is "not found".',
)


# --- what waits for operators ---------------------------------------------------------------------------------------


class WaitingReservation(Reservation):
    """A reservation that waits for an operator."""

    kind: Literal["reservation"] = "reservation"
    failure: FailedStep
    no_other_place: str | None  #: why the load could not go to another host


class FailedComputer(View):
    """A computer whose background load failed."""

    kind: Literal["computer"] = "computer"
    computer: str
    failure: FailedStep


needs_help = read(
    "reservations.needs_help",
    needs(Permission.OPERATE),
    Nothing,
    tuple[WaitingReservation | FailedComputer, ...],
    get("/needs-help"),
    "The reservations that wait for an operator, the longest wait first; then computers whose load failed.",
)


# --- what can be reserved -------------------------------------------------------------------------------------------


class Offer(View):
    """An image that can be reserved, in its production revision."""

    name: str
    title: str
    revision: int
    module: str
    guest: str
    cpus: int
    memory_mb: int
    disk_gb: int
    suspect: Suspect | None  #: it may be to blame when a load fails
    disabled_at: Time | None  #: it can't be reserved since then; null: it can
    disabled_why: str


images = read(
    "reservations.images",
    anybody(),
    Nothing,
    tuple[Offer, ...],
    get("/offers"),
    "The images of the lab, by name; a disabled one says why it can't be reserved.",
)
