"""A reservation: what is asked for, where it was placed, and what is shown of it. Times are aware and in UTC."""

from dataclasses import dataclass
from datetime import datetime

from vclab.model.plans import Access, Evidence, Target
from vclab.model.states import Ending, Purpose, ReservationState


@dataclass(frozen=True)
class ReserveRequest:
    """What a client asks for. ``id`` is made by the client and makes a repeat harmless."""

    id: str
    user: str
    image: str
    seconds: float  #: how long, from ready (or from ``start``)
    intent: str = ""  #: its record reads there who asks, and with which rights
    start: datetime | None = None  #: None: now
    revision: int = 0  #: an operator's, who tries one that is not in production; 0: that one
    dedicated: bool = False  #: its disk is a full copy of the image's; else as the image says
    imaging: bool = False  #: it may be captured
    capture_at_end: bool = False  #: and is, as a revision of its image, if it was not before its end


@dataclass(frozen=True)
class Waits:
    """How long each wait lasts, in seconds; read when the wait starts. Defaults are Apache VCL's."""

    acknowledge: float = 900.0  #: ready -> Connect (VCL acknowledgetimeout)
    first_connection: float = 900.0  #: Connect -> first connection (VCL initialconnecttimeout)
    first_connection_look: float = 15.0  #: VCL reserved.pm
    inuse_look: float = 300.0  #: VCL general_inuse_check
    reconnect: float = 900.0  #: VCL reconnecttimeout
    #: before the end: 2 weeks, 1 week, 2 days, 1 day (VCL future_endtime), 10 and 5 min (general_end_notice_*)
    notices: tuple[float, ...] = (1_209_600.0, 604_800.0, 172_800.0, 86_400.0, 600.0, 300.0)
    step_ceiling: float = 600.0  #: one load step, at the least
    load_ceiling: float = 9000.0  #: a whole load, at the least
    help: float = 0.0  #: a load failed in the other place too: an operator may mend it within this; 0: it fails at once
    remove_retry: float = 60.0  #: longest pause between attempts to take a computer back
    no_timeout_from: float = 86_400.0  #: one that lasts so long is not timed out (VCL ignore_connections_gte)
    preload: float = 2100.0  #: a load begins so long before the start (VCL: 35 min), or sooner:
    preload_margin: float = 600.0  #: the usual load time of the image and this, if that is longer
    place_look: float = 60.0  #: no computer can be had at the preload -> the next look for one
    late: float = 3600.0  #: no computer can be had so long after the start -> it fails
    spare: float = 0.0  #: a machine that nobody could have logged in to is kept so long for the next; 0: removed

    @property
    def ending_soon(self) -> float:
        """Seconds before the end from which people are told "Ending soon": the first notice of less than a day."""
        return max((n for n in self.notices if n < 86_400), default=0.0)


@dataclass(frozen=True)
class Placed:
    """Where a reservation has its computer: claim and tenure are taken. Before its preload it has the claim only, and
    the target is what is promised: generation 0, and no name if any identity will do."""

    reservation: str
    target: Target
    end: datetime
    access: Access  #: whom to let in; its addresses are filled at Connect
    waits: Waits
    state: ReservationState = ReservationState.NEW
    start: datetime | None = None  #: for when it was reserved; None: at once
    preload_at: datetime | None = None  #: when its load begins, if it has a start. No computer is held before
    evicted: tuple[Target, ...] = ()  #: spares whose room it needs: removed before its load
    loaded_by: datetime | None = None  #: its computer is being loaded already, for nobody yet, probably until then

    @property
    def held(self) -> bool:
        """A computer is held: generations begin with 1."""
        return self.target.generation > 0


@dataclass(frozen=True)
class OtherPlace:
    """Where a load that failed may be tried once more; it is claimed already."""

    endpoint: str
    host: str
    storage: str
    computer: str
    evicted: tuple[Target, ...] = ()  #: spares whose room it needs: removed before its load


NAMED = 3
"""Candidates that a refusal names in its one line."""


@dataclass(frozen=True)
class Candidate:
    """A host that was considered and what it lacks."""

    name: str
    lacks: tuple[str, ...]


@dataclass(frozen=True)
class Refusal:
    """Why a request was not placed: each candidate with what excluded it."""

    reason: str
    candidates: tuple[Candidate, ...] = ()
    earliest: datetime | None = None  #: from then on it would fit, by what is promised now; None: not known
    hint: str = ""  #: what may help, for people: when there is room

    def text(self, request: str = "R") -> str:
        """One line for people: the reason, what may help, and what the first candidates lack.

        A large lab has hundreds of hosts, so ``vclab why`` lists the others. ``request``: its id.
        """
        details = "; ".join(f"{c.name}: {', '.join(c.lacks)}" for c in self.candidates[:NAMED])
        if len(self.candidates) > NAMED:
            details = f"{NAMED} of {len(self.candidates)} considered: {details}; `vclab why {request}` lists all"
        return f"{self._reason} ({details})" if details else self._reason

    def brief(self, request: str) -> str:
        """The same without the candidates, if there are many: for a line that has more to say."""
        if len(self.candidates) <= NAMED:
            return self.text(request)
        return f"{self._reason} (`vclab why {request}` lists {len(self.candidates)} hosts)"

    @property
    def _reason(self) -> str:
        return f"{self.reason}; {self.hint}" if self.hint else self.reason


@dataclass(frozen=True)
class RefusedRequest:
    """A request that found no place, as it is kept."""

    id: str
    user: str
    image: str
    seconds: float
    start: datetime | None
    at: datetime
    refusal: Refusal


@dataclass(frozen=True)
class ReservationView:
    """A reservation as lists and programs see it: the store's projection."""

    id: str
    user: str
    image: str
    revision: int
    state: ReservationState
    word: str
    created: datetime
    start: datetime
    end: datetime
    ending: Ending | None = None
    computer: str = ""
    generation: int = 0
    host: str = ""
    endpoint: str = ""
    public_address: str = ""
    host_key: str = ""
    host_key_from: str = ""  #: who vouches for it; empty: only the first contact
    remote_addresses: tuple[str, ...] = ()
    access_open: bool = False  #: the connect ports are open to ``remote_addresses``
    password_ref: str = ""
    connected: bool = False
    step: int = 0
    steps: int = 0
    step_title: str = ""
    reason: str = ""  #: why it failed, or the last refusal
    help_since: datetime | None = None  #: it waits for an operator since then
    help_until: datetime | None = None  #: and is given up then
    no_other_place: str = ""  #: why the load that failed could not go to another host
    ended_at: datetime | None = None
    dismissed_at: datetime | None = None  #: it failed, and is not listed any more
    preload_at: datetime | None = None  #: when its load begins; None: it was not reserved for later
    has_guest: bool = True  #: there is an operating system to log in to
    dedicated: bool = False  #: its disk is a full copy of the image's
    handover: str = ""  #: what its user is given where there is no guest: a URL or a path
    imaging: bool = False  #: it may be captured
    capture_at_end: bool = False  #: and is at its end, if it was not before
    becomes: str = ""  #: it is being captured, as this revision: "debian-12/4"


@dataclass(frozen=True)
class FailedStep:
    """A step that failed for good, and what could be seen of the computer then. Kept for good."""

    at: datetime
    computer: str
    generation: int
    host: str
    step: str  #: its recorded name; "make_plan" before there were steps
    number: int  #: in the plan; 0 before there was one
    title: str
    cause: str
    evidence: Evidence
    in_guest: bool = False  #: it speaks of what runs inside the machine (``Step.in_guest``)
    blames_nobody: bool = False  #: ``Step.blames_nobody``
    copy_lost: bool = False  #: the copy that the disk is made from is not there


@dataclass(frozen=True)
class AuditEvent:
    """Something that was done or refused, and by whom."""

    at: datetime
    who: str  #: the person who acted; else "vclab"; of a signal by Temporal: its sender, or "temporal"
    what: str
    detail: str = ""
    for_user: str = ""  #: whose reservation it is
    authentication: str = ""  #: how it is known who acted; empty: nobody did, vclab itself
    intent: str = ""  #: the id of what was asked for


@dataclass(frozen=True)
class HeldTenure:
    """A computer that is held now. ``target`` is what was recorded for a reservation's machine."""

    computer: str
    generation: int
    holder: str
    purpose: Purpose
    taken_at: datetime
    expected_end: datetime
    target: Target | None = None
